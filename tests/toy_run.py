"""A model and data small enough that whole training runs take a moment."""

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from torch.utils.data import Dataset

from passreid.registry import DATASETS, MODELS

RUNTIME = Path(__file__).parents[1] / 'configs' / '_base_' / 'default_runtime.py'


@DATASETS.register_module()
class ToyDataset(Dataset):
    """Fixed random vectors and what a linear map makes of them."""

    metainfo = {'classes': ('toy',)}

    def __init__(self, length=16):
        generator = torch.Generator().manual_seed(0)
        self.inputs = torch.randn(length, 4, generator=generator)
        self.target = self.inputs @ torch.randn(4, 3, generator=generator)

    def __len__(self):
        return len(self.inputs)

    def __getitem__(self, index):
        return {'inputs': self.inputs[index], 'target': self.target[index]}


@MODELS.register_module()
class ToyModel(BaseModel):
    """A linear layer behind a batch normalisation."""

    def __init__(self, width=4):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(width)
        self.linear = torch.nn.Linear(width, 3)

    def init_weights(self):
        torch.nn.init.normal_(self.linear.weight)

    def forward(self, inputs, target=None, mode='tensor'):
        output = self.linear(self.norm(inputs))
        if mode == 'loss':
            return {'loss': (output - target).square().mean()}
        return output


def toy_config(work_dir, epochs=2, **changes):
    """Return the config of a run of ``epochs`` x 4 iterations; ``changes`` replace entries."""
    hooks = Config.fromfile(RUNTIME).default_hooks.to_dict()
    hooks['logger']['interval'] = 1
    config = {
        'default_scope': 'passreid',
        'model': {'type': 'ToyModel'},
        'train_dataloader': {
            'dataset': {'type': 'ToyDataset'},
            'sampler': {'type': 'DefaultSampler', 'shuffle': True},
            'collate_fn': {'type': 'default_collate'},
            'batch_size': 4,
        },
        'train_cfg': {'by_epoch': True, 'max_epochs': epochs},
        'optim_wrapper': {'type': 'OptimWrapper', 'optimizer': {'type': 'AdamW', 'lr': 0.05}},
        'param_scheduler': [{'type': 'CosineAnnealingLR', 'T_max': epochs, 'by_epoch': True}],
        'default_hooks': hooks,
        'randomness': {'seed': 0},
        'work_dir': str(work_dir),
    }
    return config | changes
