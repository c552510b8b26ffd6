from collections import OrderedDict

import mmengine.runner.runner
import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from passreid.apis import build_runner
from passreid.engine.atomic_checkpoints import atomic_checkpoints, restore_histories


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


def _saved(content, path):
    with atomic_checkpoints():
        mmengine.runner.runner.save_checkpoint(content, str(path))
    return torch.load(path, weights_only=True)


def test_everything_becomes_plain_and_weights_are_kept(tmp_path):
    saved = _saved(_checkpoint(), tmp_path / 'a.pth')
    assert saved['state_dict'] == {'weight': torch.ones(1)}
    info = saved['message_hub']['runtime_info']
    assert type(info['best_score']) is float
    assert torch.equal(info['counts'], torch.arange(2))
    assert saved['meta']['dataset_meta']['ids'] == ['a', 'b']
    assert saved['param_schedulers'][0]['base_values'] == (0.1, 0.5)


def test_history_survives_the_round_trip(tmp_path):
    original = _checkpoint()['message_hub']['log_scalars']['train/loss']
    saved = _saved(_checkpoint(), tmp_path / 'a.pth')
    restore_histories(saved)
    restored = saved['message_hub']['log_scalars']['train/loss']
    for before, after in zip(original.data, restored.data, strict=True):
        np.testing.assert_array_equal(before, after)
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
    restore_histories(checkpoint)
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
