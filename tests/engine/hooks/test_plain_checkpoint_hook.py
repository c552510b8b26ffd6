from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner

from passreid.apis import build_runner
from passreid.engine import PlainCheckpointHook
from passreid.utils import register_all_modules


def _checkpoint():
    history = HistoryBuffer([0.5, 0.25], [1, 2], max_length=7)
    return {
        'state_dict': OrderedDict(weight=torch.ones(1)),
        'meta': {'epoch': 3, 'dataset_meta': {'ids': np.array(['a', 'b'])}},
        'message_hub': {
            'log_scalars': OrderedDict({'train/loss': history}),
            'runtime_info': {'best_score': np.float64(0.75), 'counts': np.arange(2)},
        },
        'param_schedulers': [{'base_values': (0.1, np.float32(0.5))}],
    }


def test_everything_becomes_plain_and_weights_are_kept():
    checkpoint = _checkpoint()
    weights = checkpoint['state_dict']
    PlainCheckpointHook().before_save_checkpoint(None, checkpoint)
    assert checkpoint['state_dict'] is weights
    info = checkpoint['message_hub']['runtime_info']
    assert type(info['best_score']) is float
    assert torch.equal(info['counts'], torch.arange(2))
    assert checkpoint['meta']['dataset_meta']['ids'] == ['a', 'b']
    assert checkpoint['param_schedulers'][0]['base_values'] == (0.1, 0.5)


def test_history_survives_the_round_trip():
    hook, checkpoint = PlainCheckpointHook(), _checkpoint()
    original = checkpoint['message_hub']['log_scalars']['train/loss']
    hook.before_save_checkpoint(None, checkpoint)
    hook.after_load_checkpoint(None, checkpoint)
    restored = checkpoint['message_hub']['log_scalars']['train/loss']
    for saved, loaded in zip(original.data, restored.data, strict=True):
        np.testing.assert_array_equal(saved, loaded)
    assert restored.mean() == original.mean() == pytest.approx(1 / 4)
    assert restored.max_length == 7


def test_milestones_survive_a_resumed_run(toy_config, tmp_path):
    """They are a Counter, which is not made from pairs of key and value as a dict is."""
    steps = [{'type': 'MultiStepLR', 'milestones': [1, 2], 'by_epoch': True}]
    cfg = toy_config(epochs=3, param_scheduler=steps)
    build_runner(cfg).train()
    path = tmp_path / 'run' / 'epoch_1.pth'
    resumed = build_runner(cfg | {'resume': True, 'load_from': str(path)})
    resumed.train()
    assert resumed.param_schedulers[0].milestones == {1: 1, 2: 1}
    assert resumed.optim_wrapper.get_lr()['lr'] == [pytest.approx(0.0005)]


def test_bare_weights_have_nothing_to_restore():
    checkpoint = {'weight': torch.ones(1)}
    PlainCheckpointHook().after_load_checkpoint(None, checkpoint)
    assert checkpoint == {'weight': torch.ones(1)}


def test_checkpoints_of_a_run_load_in_any_program(toy_config, tmp_path):
    build_runner(toy_config(epochs=1)).train()
    loaded = torch.load(tmp_path / 'run' / 'epoch_1.pth', weights_only=True)
    assert set(loaded) == {
        'meta',
        'state_dict',
        'message_hub',
        'optimizer',
        'param_schedulers',
    }


def test_without_the_hook_they_do_not(toy_config, tmp_path):
    register_all_modules()
    Runner.from_cfg(Config(toy_config(epochs=1))).train()
    with pytest.raises(Exception, match='HistoryBuffer'):
        torch.load(tmp_path / 'run' / 'epoch_1.pth', weights_only=True)
