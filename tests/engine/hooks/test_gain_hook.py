import json
import re
from pathlib import Path

import pytest
import torch
from tiny_runs import quick_start, reid_config, write_people

from passreid.apis import build_runner
from passreid.engine import GainHook

ROOT = Path(__file__).parents[3]
FIGURES = ['reid/mAP', 'reid/R1', 'reid/mINP']


@pytest.fixture(scope='module', autouse=True)
def quick():
    with quick_start():
        yield


@pytest.fixture(scope='module')
def people(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp('people'))


def config(people, folder, hook=True, **changes):
    cfg = reid_config(ROOT, people, folder, **changes)
    if hook:
        cfg.custom_hooks = [*cfg.custom_hooks, dict(type='GainHook')]
    return cfg


def train(cfg):
    runner = build_runner(cfg)
    runner.train()
    return runner


@pytest.fixture(scope='module')
def measured(people, tmp_path_factory):
    """A run of two epochs with a validation before and after."""
    return train(config(people, tmp_path_factory.mktemp('measured')))


def log_of(runner):
    return (Path(runner.log_dir) / f'{runner.timestamp}.log').read_text()


def table_in(text):
    """Read the rows of the table: figure, before, after, gain."""
    rows = re.findall(r'^(reid/\w+) +(-?[\d.]+) +(-?[\d.]+) +([+-][\d.]+)$', text, re.MULTILINE)
    return {name: tuple(map(float, values)) for name, *values in rows}


def history(runner, name):
    return runner.message_hub.log_scalars[f'val/{name}'].data[0].tolist()


def test_table_compares_the_first_validation_with_the_last(measured):
    rows = table_in(log_of(measured))
    assert list(rows) == FIGURES
    for name, (before, after, gain) in rows.items():
        first, last = history(measured, name)
        assert (before, after) == (round(first, 1), round(last, 1))
        assert gain == pytest.approx(last - first, abs=0.051)
    assert any(gain for _, _, gain in rows.values())


def test_starting_weights_are_logged_as_epoch_0(measured):
    path = Path(measured.log_dir) / 'vis_data' / 'scalars.json'
    records = [json.loads(line) for line in path.read_text().splitlines()]
    validations = [record for record in records if 'reid/mAP' in record]
    assert [record['step'] for record in validations] == [0, 2]
    (gain,) = [record for record in records if 'gain/reid/mAP' in record]
    first, last = history(measured, 'reid/mAP')
    assert gain['gain/reid/mAP'] == last - first and gain['step'] == 2


def test_starting_weights_are_those_before_training(measured, people, tmp_path):
    runner = build_runner(config(people, tmp_path, hook=False))
    runner.train_loop.run = lambda: None
    runner.train()
    figures = runner.val()
    assert [figures[name] for name in FIGURES] == [history(measured, n)[0] for n in FIGURES]


@pytest.mark.parametrize('seeded', [True, False])
def test_training_is_not_affected(people, tmp_path, seeded):
    """Also without the hook that seeds each iteration."""

    def weights(name, hook):
        cfg = config(people, tmp_path / name, hook)
        if not seeded:
            del cfg.default_hooks.random_state
        return train(cfg).model.state_dict()

    plain, watched = weights('plain', hook=False), weights('watched', hook=True)
    for name, value in plain.items():
        assert torch.equal(watched[name], value), name


def resume(people, folder, checkpoint):
    """Go on in a folder of its own: logs of one second share a file."""
    return train(config(people, folder, resume=True, load_from=str(checkpoint)))


def test_resumed_run_keeps_the_figures(measured, people, tmp_path):
    """They come out of a file that any program can load; the first validation is not repeated."""
    checkpoint = Path(measured.work_dir) / 'epoch_1.pth'
    torch.load(checkpoint, weights_only=True)
    resumed = resume(people, tmp_path, checkpoint)
    assert 'that training starts from' not in log_of(resumed)
    assert history(resumed, 'reid/mAP') == history(measured, 'reid/mAP')
    assert table_in(log_of(resumed)) == table_in(log_of(measured)) != {}


def test_another_run_does_not_inherit_them(measured, people, tmp_path):
    """A run that starts from the end of another is measured from there."""
    weights = str(Path(measured.work_dir) / 'epoch_2.pth')
    runner = train(config(people, tmp_path, load_from=weights, train_cfg__max_epochs=1))
    assert history(runner, 'reid/mAP')[0] == history(measured, 'reid/mAP')[-1]
    assert table_in(log_of(runner))['reid/mAP'][0] == round(history(measured, 'reid/mAP')[-1], 1)


def test_resumed_run_that_began_without_it(people, tmp_path):
    train(config(people, tmp_path / 'first', hook=False, train_cfg__max_epochs=1))
    runner = resume(people, tmp_path / 'resumed', tmp_path / 'first' / 'epoch_1.pth')
    assert 'its gain is not known' in log_of(runner)
    assert not table_in(log_of(runner))


def test_without_validation_data(people, tmp_path):
    nothing = dict(val_dataloader=None, val_evaluator=None, val_cfg=None)
    runner = train(config(people, tmp_path, train_cfg__max_epochs=1, **nothing))
    text = log_of(runner)
    assert text.count('There are no validation data to measure the gain of training on') == 1
    assert not table_in(text)


def test_unknown_figure_is_named_before_training(people, tmp_path):
    cfg = config(people, tmp_path, hook=False)
    cfg.custom_hooks = [dict(type='GainHook', figures=['reid/mAP', 'reid/R2'])]
    runner = build_runner(cfg)
    with pytest.raises(ValueError, match='gives no reid/R2; it gives reid/mAP, reid/R1'):
        runner.train()
    assert runner.iter == 0


def test_validation_on_its_own_is_left_alone(people, tmp_path):
    cfg = config(people, tmp_path, model__head__num_classes=8)
    runner = build_runner(cfg)
    runner.val()
    assert 'Gain of training' not in log_of(runner)


def test_the_default_figures_are_those_of_the_metric():
    assert list(GainHook().figures) == FIGURES
