"""A linear map to train and people whose images are their features, for runs of a moment."""

from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
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
    loader = dict(dataset=dict(type='ToyDataset'), collate_fn=dict(type='default_collate'))
    loader |= dict(sampler=dict(type='DefaultSampler', shuffle=True), batch_size=4)
    config = dict(
        default_scope='passreid',
        model=dict(type='ToyModel'),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.05)),
        param_scheduler=[dict(type='CosineAnnealingLR', T_max=epochs, by_epoch=True)],
        default_hooks=hooks,
        randomness=dict(seed=0),
        work_dir=str(work_dir),
    )
    return config | changes


def people(count=23, num_ids=5, num_cameras=3, dim=6, seed=0):
    """Draw samples: features near those of their identity, the first third are queries."""
    generator = np.random.default_rng(seed)
    centers = generator.normal(size=(num_ids, dim))
    pids = np.arange(count) % num_ids
    features = centers[pids] + generator.normal(size=(count, dim))
    cameras = generator.integers(0, num_cameras, count)
    return [
        dict(
            feature=torch.tensor(features[index], dtype=torch.float32),
            gt_label=int(pids[index]),
            cam_id=int(cameras[index]),
            is_query=index < count // 3,
            sample_idx=index,
            img_path=f'{index:04d}.jpg',
        )
        for index in range(count)
    ]


@DATASETS.register_module()
class ToyPeople(Dataset):
    """The samples of :func:`people`; the inputs are the features."""

    metainfo = {}

    def __init__(self, **kwargs):
        self.samples = people(**kwargs)

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        fields = dict(self.samples[index])
        inputs = fields.pop('feature')
        sample = DataSample().set_gt_label(fields.pop('gt_label'))
        sample.set_metainfo(fields)
        return {'inputs': inputs, 'data_samples': sample}


@MODELS.register_module()
class ToyFeatures(BaseModel):
    """Hands the inputs on as features, in units of its only parameter."""

    def __init__(self):
        super().__init__()
        # Without parameters there is nothing to wrap for several processes.
        self.unit = torch.nn.Parameter(torch.ones(()))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        for sample, feature in zip(data_samples, torch.stack(inputs) * self.unit, strict=True):
            sample.feature = feature
        return data_samples


def validation_config(work_dir, metric=None, batch_size=4, round_up=True, **changes):
    """Return the config of a run that validates :class:`ToyPeople`; ``changes`` are the data's."""
    sampler = dict(type='DefaultSampler', shuffle=False, round_up=round_up)
    dataset = dict(type='ToyPeople', **changes)
    return dict(
        default_scope='passreid',
        model=dict(type='ToyFeatures'),
        val_dataloader=dict(dataset=dataset, sampler=sampler, batch_size=batch_size),
        val_evaluator=dict(type='ReIDMetric', **(metric or {})),
        val_cfg={},
        work_dir=str(work_dir),
    )
