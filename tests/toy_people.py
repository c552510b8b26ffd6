"""People whose features are what their images say, for tests of evaluation."""

import numpy as np
import torch
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
from torch.utils.data import Dataset

from passreid.registry import DATASETS, MODELS


def people(count=23, num_ids=5, num_cameras=3, dim=6, seed=0):
    """Draw samples: features near those of their identity, the first third are queries."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(num_ids, dim))
    pids = np.arange(count) % num_ids
    features = centres[pids] + generator.normal(size=(count, dim))
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
    return {
        'default_scope': 'passreid',
        'model': {'type': 'ToyFeatures'},
        'val_dataloader': {
            'dataset': {'type': 'ToyPeople', **changes},
            'sampler': {'type': 'DefaultSampler', 'shuffle': False, 'round_up': round_up},
            'batch_size': batch_size,
        },
        'val_evaluator': {'type': 'ReIDMetric', **(metric or {})},
        'val_cfg': {},
        'work_dir': str(work_dir),
    }
