from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from passreid.apis import build_runner
from passreid.engine.checkpoint_content import restore_histories, to_plain


def test_round_trip_through_a_file_of_plain_values(tmp_path):
    history = HistoryBuffer([0.5, 0.25], [1, 2], max_length=7)
    content = {
        'meta': {'epoch': 3, 'dataset_meta': {'ids': np.array(['a', 'b'])}},
        'message_hub': {
            'log_scalars': OrderedDict({'train/loss': history}),
            'runtime_info': {'best_score': np.float64(0.75), 'counts': np.arange(2)},
        },
        'param_schedulers': [{'base_values': (0.1, np.float32(0.5))}],
    }
    torch.save(to_plain(content), tmp_path / 'a.pth')
    saved = torch.load(tmp_path / 'a.pth', weights_only=True)
    info = saved['message_hub']['runtime_info']
    assert type(info['best_score']) is float
    assert torch.equal(info['counts'], torch.arange(2))
    assert saved['meta']['dataset_meta']['ids'] == ['a', 'b']
    assert saved['param_schedulers'][0]['base_values'] == (0.1, 0.5)
    restore_histories(saved)
    restored = saved['message_hub']['log_scalars']['train/loss']
    for before, after in zip(history.data, restored.data, strict=True):
        np.testing.assert_array_equal(before, after)
    assert (restored.mean(), restored.max_length) == (history.mean(), 7)


def test_checkpoint_of_a_run_loads_in_any_program_and_is_resumed(toy_config, tmp_path):
    """The milestones are a Counter, which is not made from pairs of key and value as a dict is."""
    steps = [{'type': 'MultiStepLR', 'milestones': [1, 2], 'by_epoch': True}]
    cfg = toy_config(epochs=3, param_scheduler=steps)
    build_runner(cfg).train()
    path = tmp_path / 'run' / 'epoch_1.pth'
    parts = {'meta', 'state_dict', 'message_hub', 'optimizer', 'param_schedulers'}
    assert set(torch.load(path, weights_only=True)) == parts
    resumed = build_runner(cfg | {'resume': True, 'load_from': str(path)})
    resumed.train()
    assert resumed.param_schedulers[0].milestones == {1: 1, 2: 1}
    assert resumed.optim_wrapper.get_lr()['lr'] == [pytest.approx(0.0005)]
