"""The teacher and its files, the warnings of a collapse, and what is logged and drawn of a run."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from tiny_runs import pass_config, train, write_crops

from passreid.engine import PretrainMonitorHook, TeacherHook, ViewsPictureHook

ROOT = Path(__file__).parents[3]


def test_momentum_equals_the_recorded_schedule(reference):
    hook = TeacherHook()
    found = torch.tensor([hook.momentum(i, 5000) for i in range(5000)])
    expected = reference('schedules')['pretrain/momentum']
    torch.testing.assert_close(found, expected, atol=1e-7, rtol=0)


@pytest.fixture
def look(request):
    """Let the monitor look at figures of a run; return them and the warnings."""

    def call(information, cosines=(), iteration=599):
        hub = MessageHub.get_instance(request.node.name)
        for value in information:
            hub.update_scalar('train/teacher_information', value)
        figures = {f'part_cosine_{k}': torch.tensor(v) for k, v in enumerate(cosines, start=1)}
        warnings = []
        model = SimpleNamespace(
            backbone=SimpleNamespace(num_parts=len(cosines)),
            data_preprocessor=lambda batch, training: {'inputs': {'global_views': torch.ones(2)}},
            part_separation=lambda views: figures,
        )
        logger = SimpleNamespace(warning=warnings.append)
        runner = SimpleNamespace(message_hub=hub, iter=iteration, logger=logger, model=model)
        PretrainMonitorHook().after_train_iter(runner, 0)
        return warnings

    return call


@pytest.mark.parametrize(
    ('information', 'cosines', 'iteration', 'warned'),
    [
        ([2.0] * 50, (0.5, 0.7, 0.99), 599, []),
        ([3.0] * 10 + [0.01] * 50, (), 599, ['Collapse']),
        ([2.0] * 50, (0.985, 0.99, 0.995), 599, ['Collapse of the parts']),
        # Early, and between looks.
        ([0.0] * 50, (0.99,), 49, []),
        ([0.0] * 50, (0.99,), 600, []),
    ],
)
def test_collapse_is_warned_of(look, information, cosines, iteration, warned):
    found = [text.split(':')[0] for text in look(information, cosines, iteration)]
    assert found == warned


class Watch(Hook):
    """Keep the first weights, and what is logged by iteration."""

    priority = 'LOWEST'

    def before_train(self, runner):
        state = runner.model.state_dict()
        self.weights = {name: value.clone() for name, value in state.items()}
        self.rows = []

    def after_train_iter(self, runner, *args, **kwargs):
        scalars = runner.message_hub.log_scalars
        self.rows.append({name: history.current() for name, history in scalars.items()})


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Nine files, of which one is no picture."""
    folder = tmp_path_factory.mktemp('info')
    (write_crops(folder / 'crops', count=8) / 'broken.jpg').write_bytes(b'no picture')
    return folder


def run_in(folder, name, **changes):
    changes |= dict(train_dataloader__dataset__max_bad_share=0.5)
    cfg = pass_config(ROOT, folder / 'crops', folder / name, **changes)
    for hook in cfg.custom_hooks:
        if 'interval' in hook:
            hook.interval = 1
    watch = Watch()
    return train(cfg, watch), watch


@pytest.fixture(scope='module')
def run(folder):
    return run_in(folder, 'first')


def test_everything_that_a_run_is_judged_by_is_logged(run):
    rows = run[1].rows
    expected = {'loss', 'loss_cls', 'loss_part', 'lr', 'weight_decay', 'images_per_second'}
    expected |= {'teacher_entropy', 'teacher_kl_uniform', 'teacher_information'}
    expected |= {'teacher_momentum', 'attention_height_cls'}
    expected |= {f'{name}_{k}' for name in ('part_cosine', 'attention_height') for k in (1, 2, 3)}
    for row in rows:
        assert expected <= {name.removeprefix('train/') for name in row}
        parts = row['train/loss_cls'] + row['train/loss_part']
        assert row['train/loss'] == pytest.approx(parts, rel=1e-5)
        assert row['train/images_per_second'] > 0
    assert rows[0]['train/weight_decay'] == pytest.approx(0.04)
    assert rows[-1]['train/weight_decay'] > 0.2


def test_bad_images_are_summed_up_after_an_epoch(run):
    log = next(Path(run[0].log_dir).glob('*.log')).read_text()
    assert '1 of 9 images' in log and 'broken.jpg' in log


def test_picture_shows_the_views(run):
    picture = cv2.imread(str(Path(run[0].work_dir) / 'views.png'))
    # Rows of 128 pixels and a gap; two global views of 64, three local views of 64, and gaps.
    assert picture.shape == (4 * 132, 5 * 68, 3)
    assert np.all(picture[128:132] == 255)
    assert picture[:128, :64].std() > 10


def test_picture_draws_no_random_number_of_training(run):
    views = {
        'global_views': torch.randint(0, 256, (4, 2, 32, 16, 3), dtype=torch.uint8),
        'local_views': torch.randint(0, 256, (4, 3, 16, 8, 3), dtype=torch.uint8),
    }
    state = torch.get_rng_state()
    ViewsPictureHook().before_train_iter(run[0], 0, {'inputs': views})
    assert torch.equal(torch.get_rng_state(), state)


def test_files_hold_the_teacher(run, folder):
    """The backbone file, and a checkpoint, with which a new run begins."""
    path = folder / 'first' / 'epoch_2.pth'
    runner, watch = run_in(folder, 'second', load_from=str(path))
    saved = torch.load(path, weights_only=True)['state_dict']
    exported = torch.load(folder / 'first' / 'teacher_backbone.pth', weights_only=True)
    assert exported['meta']['pos_embed_grid'] == (4, 2)
    for name, value in exported['state_dict'].items():
        assert torch.equal(value, saved[f'teacher.backbone.{name}']), name
    assert not torch.equal(saved['backbone.cls_token'], saved['teacher.backbone.cls_token'])
    for name, value in saved.items():
        assert torch.equal(watch.weights[name], value), name
    for name in ('teacher.backbone.cls_token', 'backbone.cls_token'):
        assert not torch.equal(runner.model.state_dict()[name], saved[name]), name
