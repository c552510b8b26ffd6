import json

import numpy as np
import pytest
from toy_models import toy_config

from passreid.apis import build_runner
from passreid.visualization import RunLog, read_run_log


def training(iteration, epoch=None, loss=None):
    record = {'loss': iteration / 10 if loss is None else loss, 'time': 0.5, 'iter': iteration}
    return record | ({'epoch': epoch} if epoch else {}) | {'step': iteration}


def validation(step, value):
    return {'reid/mAP': value, 'time': 9.0, 'step': step}


def write(folder, records, config=None):
    path = folder / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text(''.join(f'{json.dumps(record)}\n' for record in records))
    if config is not None:
        (path.parent / 'config.py').write_text(config)
    return path


def epochs(first, last, length=10, interval=5, scale=1.0):
    """Records of the epochs from ``first`` to ``last``, each with a validation."""
    records = []
    for epoch in range(first, last + 1):
        start = (epoch - 1) * length
        steps = range(start + interval, start + length + 1, interval)
        records += [training(step, epoch, scale * step) for step in steps]
        records.append(validation(epoch, scale * epoch))
    return records


def assert_series(log, key, positions, values, by='iter'):
    x, y = log.series(key, by)
    np.testing.assert_allclose(x, positions)
    np.testing.assert_allclose(y, values)


def test_log_of_a_finished_run(tmp_path):
    runner = build_runner(toy_config(tmp_path, epochs=3))
    runner.train()
    log = read_run_log(tmp_path)
    assert log.epoch_length == 4
    x, y = log.series('loss')
    np.testing.assert_array_equal(x, np.arange(1, 13))
    assert y[-1] < y[0]
    np.testing.assert_allclose(log.series('lr', by='epoch')[0], np.arange(1, 13) / 4)


def test_validations_lie_at_the_ends_of_their_epochs():
    log = RunLog(epochs(1, 3), 'run')
    assert_series(log, 'reid/mAP', [10, 20, 30], [1, 2, 3])
    assert_series(log, 'reid/mAP', [1, 2, 3], [1, 2, 3], by='epoch')
    assert_series(log, 'loss', [0.5, 1, 1.5, 2, 2.5, 3], [5, 10, 15, 20, 25, 30], by='epoch')
    # The times of validation are none of training.
    assert_series(log, 'time', [5, 10, 15, 20, 25, 30], [0.5] * 6)


def test_epoch_length_when_the_ends_of_epochs_are_not_logged():
    records = [training(step, epoch) for step, epoch in ((5, 1), (10, 1), (18, 2), (23, 2))]
    log = RunLog([*records, validation(2, 7.0)], 'run')
    assert log.epoch_length == 13
    assert_series(log, 'reid/mAP', [26], [7])


def test_training_without_epochs():
    log = RunLog([training(5), validation(5, 1.0), training(10), validation(10, 2.0)], 'run')
    assert_series(log, 'reid/mAP', [5, 10], [1, 2])
    with pytest.raises(ValueError, match='run counts no epochs'):
        log.series('loss', by='epoch')


def test_validation_that_is_logged_by_iteration():
    log = RunLog([training(5, 1), validation(10, 1.0), training(15, 2), validation(20, 2.0)], 'run')
    assert_series(log, 'reid/mAP', [10, 20], [1, 2])


@pytest.mark.parametrize('config', ['resume = True\n', None])
def test_resumed_runs_are_joined_without_doubling(tmp_path, config):
    write(tmp_path / '20260101_000000', epochs(1, 1, scale=9), 'resume = False\n')
    write(tmp_path / '20260102_000000', [*epochs(1, 2), training(25, 3, loss=99)], config and '')
    write(tmp_path / '20260103_000000', epochs(2, 3, scale=2), config)
    log = read_run_log(tmp_path)
    assert_series(log, 'loss', [5, 10, 15, 20, 25, 30], [5, 10, 30, 40, 50, 60])
    assert_series(log, 'reid/mAP', [10, 20, 30], [1, 4, 6])


def test_validation_that_both_runs_made_counts_once(tmp_path):
    write(tmp_path / '1', [training(5, 1), validation(1, 1.0)])
    write(tmp_path / '2', [training(10, 1), validation(1, 2.0)])
    assert_series(read_run_log(tmp_path), 'reid/mAP', [10], [2])


def test_fresh_run_is_not_joined_whatever_its_interval(tmp_path):
    write(tmp_path / '1', epochs(1, 2))
    write(tmp_path / '2', epochs(1, 2, interval=10, scale=3), 'resume = False\n')
    assert_series(read_run_log(tmp_path), 'loss', [10, 20], [30, 60])


def test_config_beside_the_log_is_not_run(tmp_path):
    write(tmp_path / '1', epochs(1, 1))
    write(tmp_path / '2', epochs(2, 2), 'raise SystemExit("run")\nresume = True\n')
    assert len(read_run_log(tmp_path).series('loss')[0]) == 4


@pytest.mark.parametrize('part', ['', 'vis_data', 'vis_data/scalars.json'])
def test_one_start_of_a_run_by_folder_or_file(tmp_path, part):
    write(tmp_path / '1', epochs(1, 1))
    write(tmp_path / '2', epochs(2, 2))
    assert_series(read_run_log(tmp_path / '2' / part), 'loss', [15, 20], [15, 20])


def test_line_that_a_killed_run_left_unfinished(tmp_path):
    path = write(tmp_path, epochs(1, 1))
    with path.open('a') as file:
        file.write('{"loss": 1.0, "it')
    assert_series(read_run_log(path), 'loss', [5, 10], [5, 10])


def test_nan_is_a_value_and_words_are_none(tmp_path):
    records = [training(5, loss=float('nan')), training(10) | {'note': 'words'}]
    log = read_run_log(write(tmp_path, records))
    assert_series(log, 'loss', [5, 10], [np.nan, 1])
    assert log.keys == ['loss', 'time']


def test_unknown_figures_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="run has no 'lss'; it has loss, reid/mAP, time"):
        RunLog(epochs(1, 1), 'run').series('lss')


def test_bad_logs(tmp_path):
    with pytest.raises(FileNotFoundError, match='is no log'):
        read_run_log(tmp_path)
    path = tmp_path / 'scalars.json'
    path.write_text('')
    with pytest.raises(ValueError, match='no records yet'):
        read_run_log(path)
    path.write_text('{"iter": 1, "step": 1}\nnot JSON\n')
    with pytest.raises(ValueError, match='scalars.json, line 2'):
        read_run_log(path)
    path.write_text('[1, 2]\n')
    with pytest.raises(ValueError, match='line 1, is no record'):
        read_run_log(path)
