import json
import re
from pathlib import Path

import pytest
import torch
from tiny_runs import reid_config, train

from passreid.apis import build_runner
from passreid.models import FlipTTAModel

ROOT = Path(__file__).parents[3]


def config(people, folder, *hooks, **changes):
    """A run of two epochs with a validation before and after, without seeds for iterations."""
    cfg = reid_config(ROOT, people, folder, **changes)
    cfg.custom_hooks = [*cfg.custom_hooks, *hooks]
    del cfg.default_hooks.random_state
    return cfg


GAIN = dict(type='EvaluationGainHook')


@pytest.fixture(scope='module')
def measured(people, tmp_path_factory):
    return train(config(people, tmp_path_factory.mktemp('measured'), GAIN))


def table_in(runner):
    """Read the rows of the table: figure, before, after, gain."""
    row = r'^(reid/\w+) +(-?[\d.]+) +(-?[\d.]+) +([+-][\d.]+)$'
    text = (Path(runner.log_dir) / f'{runner.timestamp}.log').read_text()
    return {name: tuple(map(float, row)) for name, *row in re.findall(row, text, re.MULTILINE)}


def history(runner, name):
    return runner.message_hub.log_scalars[f'val/{name}'].data[0].tolist()


def test_first_validation_is_compared_with_the_last(measured):
    rows = table_in(measured)
    assert list(rows) == ['reid/mAP', 'reid/R1', 'reid/mINP']
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
    for name, value in train(config(people, tmp_path)).model.state_dict().items():
        assert torch.equal(measured.model.state_dict()[name], value), name


def test_resumed_run_keeps_the_figures(measured, people, tmp_path):
    path = str(Path(measured.work_dir) / 'epoch_1.pth')
    resumed = train(config(people, tmp_path, GAIN, resume=True, load_from=path))
    assert history(resumed, 'reid/mAP')[0] == history(measured, 'reid/mAP')[0]
    assert table_in(resumed)['reid/mAP'][0] == table_in(measured)['reid/mAP'][0]


def test_unknown_figure_is_named_before_training(people, tmp_path):
    runner = build_runner(config(people, tmp_path, GAIN | dict(figures=['reid/mAP', 'reid/R2'])))
    with pytest.raises(ValueError, match='reid/R2'):
        runner.train()
    assert runner.iter == 0


def test_weights_are_loaded_before_the_model_is_wrapped(people, tmp_path):
    cfg = config(people, tmp_path, dict(type='FlipTTAHook'), model__head__num_classes=8)
    cfg.load_from = str(tmp_path / 'weights.pth')
    runner = build_runner(cfg)
    weights = {name: value + 1 for name, value in runner.model.state_dict().items()}
    torch.save({'state_dict': weights}, cfg.load_from)
    for _ in range(2):
        runner.test()
        assert isinstance(runner.model, FlipTTAModel)
    for name, value in runner.model.module.state_dict().items():
        assert torch.equal(value, weights[name]), name
