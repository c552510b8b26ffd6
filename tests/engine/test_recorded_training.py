"""Six iterations of the authors' training loop, reproduced by the real Runner."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseDataPreprocessor
from tiny_runs import other_than_key_biases

from passreid.apis import build_runner
from passreid.models.converters import from_pass_checkpoint
from passreid.registry import DATASETS, MODELS

REFERENCE = Path(__file__).parents[1] / 'data' / 'reference'
STEPS_PER_EPOCH = 3
KINDS = ('global', 'local')


@DATASETS.register_module()
class RecordedViews(torch.utils.data.Dataset):
    metainfo = {}

    def __init__(self):
        with np.load(REFERENCE / 'train_steps.npz') as data:
            self.views = {f'{k}_views': torch.tensor(data[f'crops/{k}']) for k in KINDS}
        self.epoch = 0

    def set_seed(self, seed):
        pass

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return STEPS_PER_EPOCH * 2

    def __getitem__(self, index):
        step, image = self.epoch * STEPS_PER_EPOCH + index // 2, index % 2
        return {'inputs': {name: views[step, :, image] for name, views in self.views.items()}}


@MODELS.register_module()
class ViewMajor(BaseDataPreprocessor):
    def forward(self, data, training=False):
        inputs = {k: v.transpose(0, 1).flatten(0, 1) for k, v in data['inputs'].items()}
        return {'inputs': inputs, 'data_samples': None}


class Recorder(Hook):
    priority = 'VERY_LOW'

    def __init__(self, stop_after=2):
        self.rows, self.centers, self.stop_after = [], [], stop_after

    def before_train_iter(self, runner, *args, **kwargs):
        groups = runner.optim_wrapper.optimizer.param_groups
        self.lr = groups[0]['lr']
        self.decay = [group['weight_decay'] for group in groups]

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        momentum = runner.message_hub.get_scalar('train/teacher_momentum').current()
        parameters, norms = runner.optim_wrapper.gradient_norms
        names = {id(p): name for name, p in runner.model.named_parameters()}
        norms = {names[id(p)]: norm.item() for p, norm in zip(parameters, norms, strict=True)}
        loss = (outputs['loss_cls'] + outputs['loss_part']).item()
        self.rows.append(
            dict(loss=loss, lr=self.lr, decay=self.decay, momentum=momentum, norms=norms)
        )

    def after_train_epoch(self, runner):
        self.centers.append(runner.model.head.centers.clone())
        if runner.epoch + 1 == self.stop_after:
            runner.train_loop.stop_training = True


@pytest.fixture(scope='module')
def recorded(reference):
    return reference('train_steps')


@pytest.fixture(scope='module')
def trained(recorded, tmp_path_factory):
    base = Config.fromfile('configs/_base_/schedules/adamw_100e.py')
    for schedule, (begin, end) in zip(base.param_scheduler, ((0, 1), (1, 4), (0, 4)), strict=True):
        schedule.update(begin=begin, end=end)
        if 'T_max' in schedule:
            schedule.T_max = end - begin
    base.merge_from_dict(
        dict(
            train_cfg=dict(max_epochs=4),
            auto_scale_lr=dict(enable=True, base_batch_size=256),
            optim_wrapper=dict(amp=None, optimizer=dict(lr=0.256)),
        )
    )
    base.custom_hooks = [
        dict(type='NonFiniteHook'),
        dict(type='TeacherHook', base_momentum=0.9, end_momentum=1.0),
        dict(type='FreezePrototypesHook', epochs=1),
    ]
    base.update(
        work_dir=str(tmp_path_factory.mktemp('recorded')),
        model=dict(
            type='PASS',
            backbone=dict(
                type='PartViT',
                arch=dict(embed_dims=32, num_layers=2, num_heads=2, feedforward_channels=128),
                img_size=(32, 16),
                patch_size=8,
                interpolate_offset=0.1,
            ),
            neck=dict(
                type='PASSNeck',
                in_channels=32,
                hidden_channels=64,
                bottleneck_channels=16,
                out_channels=128,
            ),
            head=dict(type='PASSHead', out_channels=128),
            data_preprocessor=dict(type='ViewMajor'),
        ),
        train_dataloader=dict(
            batch_size=2,
            num_workers=0,
            dataset=dict(type='RecordedViews'),
            sampler=dict(type='ResumableSampler', shuffle=False),
            collate_fn=dict(type='default_collate'),
        ),
        default_hooks=dict(
            runtime_info=dict(type='TrainingInfoHook'),
            random_state=dict(type='RandomStateHook'),
            checkpoint=None,
        ),
        visualizer=None,
    )
    runner = build_runner(base)
    start = {k.removeprefix('init/'): v for k, v in recorded.items() if k.startswith('init/')}
    runner.model.load_state_dict(from_pass_checkpoint(start), strict=False)
    runner.model.sync_teacher()
    runner.model._is_init = True
    recorder = Recorder()
    runner.register_hook(recorder)
    runner.train()
    return runner, recorder


def test_losses(recorded, trained):
    losses = torch.tensor([row['loss'] for row in trained[1].rows])
    torch.testing.assert_close(losses, recorded['step/loss'], atol=1e-5, rtol=0)


def test_schedules(recorded, trained):
    rows = trained[1].rows
    for name, key in (('lr', 'lr'), ('momentum', 'momentum'), ('decay', 'wd')):
        found = torch.tensor([row[name] for row in rows], dtype=torch.float)
        torch.testing.assert_close(found, recorded[f'step/{key}'], atol=1e-8, rtol=1e-6)


def test_gradient_norms_before_clipping(recorded, trained):
    names = recorded['step/grad_norm_names']
    ours = {name: next(iter(from_pass_checkpoint({name: torch.ones(1)}))) for name in names}
    for step, row in enumerate(trained[1].rows):
        trains = [index for index, name in enumerate(names) if ours[name] in row['norms']]
        assert all('last_layer' in name for name in set(names) - {names[i] for i in trains})
        assert len(names) - len(trains) == recorded['step/n_params_without_grad'][step]
        for index in trains:
            expected = recorded['step/grad_norm'][step, index].item()
            found = row['norms'][ours[names[index]]]
            assert found == pytest.approx(expected, abs=1e-6, rel=1e-5), names[index]


def test_centers(recorded, trained):
    order = ('cls', 'pt1', 'pt2', 'pt3')
    for found, when in zip(trained[1].centers, ('epoch0', 'final'), strict=True):
        expected = torch.cat([recorded[f'{when}_center/center_{name}'] for name in order])
        torch.testing.assert_close(found, expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize('network', ['student', 'teacher'])
def test_final_weights(recorded, trained, network):
    prefix = f'final_{network}/'
    weights = {k.removeprefix(prefix): v for k, v in recorded.items() if k.startswith(prefix)}
    expected = from_pass_checkpoint(weights)
    model = trained[0].model
    found = (model.teacher if network == 'teacher' else model).state_dict()
    assert len(expected) > 30
    for name, value in expected.items():
        others = (other_than_key_biases(name, tensor) for tensor in (found[name], value))
        torch.testing.assert_close(*others, atol=2e-5, rtol=0, msg=name)
        # The gradient of the key biases is zero but for rounding, which Adam amplifies.
        torch.testing.assert_close(found[name], value, atol=5e-3, rtol=0, msg=name)
