import importlib.util
import json

import pytest
from mmengine.config import Config
from mmengine.visualization import LocalVisBackend, TensorboardVisBackend
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from passreid.apis import build_runner
from passreid.apis.tensorboard import add_tensorboard
from passreid.utils.config_options import merge_options

LISTED = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]


@pytest.mark.parametrize('form', ['switch', 'option', 'list'])
def test_losses_are_written(toy_config, tmp_path, form):
    cfg = Config(toy_config(epochs=1))
    if form == 'switch':
        cfg.tensorboard = True
    elif form == 'option':
        merge_options(cfg, {'tensorboard': True})
    else:
        cfg.visualizer = dict(type='Visualizer', vis_backends=LISTED)
    runner = build_runner(cfg)
    runner.train()
    (events,) = (tmp_path / 'run').rglob('events.out.tfevents.*')
    runner.visualizer.close()
    curves = EventAccumulator(str(events))
    curves.Reload()
    losses = [event.value for event in curves.Scalars('loss')]
    # Other programs of ours read what the local backend goes on writing.
    (scalars,) = (tmp_path / 'run').rglob('scalars.json')
    logged = [json.loads(line)['loss'] for line in scalars.read_text().splitlines()]
    assert len(losses) == 4
    assert losses == pytest.approx(logged, rel=1e-6)


@pytest.mark.parametrize('switch', [{}, {'tensorboard': False}])
def test_off_by_default(toy_config, tmp_path, switch):
    build_runner(toy_config(epochs=1, **switch)).train()
    assert not list((tmp_path / 'run').rglob('events.out.tfevents.*'))


@pytest.mark.parametrize(
    'entry', [dict(tensorboard=True), dict(visualizer=dict(vis_backends=LISTED))]
)
def test_missing_package(toy_config, monkeypatch, entry):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        'passreid.apis.tensorboard.find_spec',
        lambda name: None if name == 'tensorboard' else found(name),
    )
    with pytest.raises(ImportError, match='pip install tensorboard'):
        build_runner(toy_config(**entry))


def test_other_backends_stay(toy_config):
    cfg = Config(dict(visualizer=dict(type='Mine', vis_backends=[dict(type='WandbVisBackend')])))
    cfg.tensorboard = True
    add_tensorboard(cfg)
    kinds = [backend['type'] for backend in cfg.visualizer.vis_backends]
    assert (cfg.visualizer.type, kinds) == ('Mine', ['WandbVisBackend', 'TensorboardVisBackend'])


@pytest.mark.parametrize(
    'kind',
    [
        'TensorboardVisBackend',
        'mmengine.visualization.TensorboardVisBackend',
        TensorboardVisBackend,
    ],
)
def test_is_added_once(kind):
    listed = [dict(type=LocalVisBackend), dict(type=kind)]
    cfg = Config(dict(tensorboard=True, visualizer=dict(type='Visualizer', vis_backends=listed)))
    add_tensorboard(cfg)
    assert cfg.visualizer.vis_backends == listed
