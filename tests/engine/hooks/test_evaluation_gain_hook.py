import json
import re
from pathlib import Path

import pytest
import torch
from tiny_runs import quick_start, reid_config, train, write_people

from passreid.apis import build_runner

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
        cfg.custom_hooks = [*cfg.custom_hooks, dict(type='EvaluationGainHook')]
    return cfg


@pytest.fixture(scope='module')
def measured(people, tmp_path_factory):
    """A run of two epochs with a validation before and after, without seeds for iterations."""
    cfg = config(people, tmp_path_factory.mktemp('measured'))
    del cfg.default_hooks.random_state
    return train(cfg)


def log_of(runner):
    return (Path(runner.log_dir) / f'{runner.timestamp}.log').read_text()


def table_in(runner):
    """Read the rows of the table: figure, before, after, gain."""
    row = r'^(reid/\w+) +(-?[\d.]+) +(-?[\d.]+) +([+-][\d.]+)$'
    rows = re.findall(row, log_of(runner), re.MULTILINE)
    return {name: tuple(map(float, values)) for name, *values in rows}


def history(runner, name):
    return runner.message_hub.log_scalars[f'val/{name}'].data[0].tolist()


def test_first_validation_is_compared_with_the_last(measured):
    rows = table_in(measured)
    assert list(rows) == FIGURES
    for name, (before, after, gain) in rows.items():
        first, last = history(measured, name)
        assert (before, after) == (round(first, 1), round(last, 1))
        assert gain == pytest.approx(last - first, abs=0.051)
    assert any(gain for _, _, gain in rows.values())
    path = Path(measured.log_dir) / 'vis_data' / 'scalars.json'
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [record['step'] for record in records if 'reid/mAP' in record] == [0, 2]
    (gain,) = [record for record in records if 'gain/reid/mAP' in record]
    first, last = history(measured, 'reid/mAP')
    assert gain['gain/reid/mAP'] == last - first and gain['step'] == 2


def test_training_is_not_affected(measured, people, tmp_path):
    cfg = config(people, tmp_path, hook=False)
    del cfg.default_hooks.random_state
    for name, value in train(cfg).model.state_dict().items():
        assert torch.equal(measured.model.state_dict()[name], value), name


def test_resumed_run_keeps_the_figures(measured, people, tmp_path):
    path = str(Path(measured.work_dir) / 'epoch_1.pth')
    cfg = config(people, tmp_path, resume=True, load_from=path)
    del cfg.default_hooks.random_state
    resumed = train(cfg)
    assert history(resumed, 'reid/mAP')[0] == history(measured, 'reid/mAP')[0]
    assert table_in(resumed)['reid/mAP'][0] == table_in(measured)['reid/mAP'][0]


def test_without_validation_data(people, tmp_path):
    nothing = dict(val_dataloader=None, val_evaluator=None, val_cfg=None)
    runner = train(config(people, tmp_path, train_cfg__max_epochs=1, **nothing))
    assert 'no validation data' in log_of(runner)
    assert not table_in(runner)


def test_unknown_figure_is_named_before_training(people, tmp_path):
    cfg = config(people, tmp_path, hook=False)
    cfg.custom_hooks = [dict(type='EvaluationGainHook', figures=['reid/mAP', 'reid/R2'])]
    runner = build_runner(cfg)
    with pytest.raises(ValueError, match='reid/R2'):
        runner.train()
    assert runner.iter == 0
