import json

import numpy as np
import pytest

from passreid.visualization import Curve, RunLog, draw_curves, png_bytes, read_run_log


def curve(label, length=5, scale=1.0):
    return Curve(label, np.arange(length), scale * np.arange(length, dtype=float))


def test_each_figure_has_a_panel_and_runs_look_the_same_in_all():
    figure = draw_curves({'loss': [curve('a', scale=2), curve('b', 3)], 'mAP': [curve('b')]})
    first, second = figure.axes
    assert [axes.get_title(loc='left') for axes in (first, second)] == ['loss', 'mAP']
    one, other = first.get_lines()
    assert one.get_ydata().tolist() == [0, 2, 4, 6, 8] and other.get_xdata().tolist() == [0, 1, 2]
    (same,) = second.get_lines()
    assert other.get_color() == same.get_color() != one.get_color()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['a', 'b']
    # One run needs no legend, spare places stay blank.
    figure = draw_curves({name: [curve('a')] for name in 'uvw'})
    assert [axes.axison for axes in figure.axes] == [True] * 3 + [False] and not figure.legends


def test_legend_lies_within_the_picture_and_below_the_panels():
    labels = [f'work_dirs/a_long_name_{n}' for n in range(24)]
    figure = draw_curves({'loss': [curve(label) for label in labels]}, columns=1)
    png_bytes(figure)
    panel, legend = figure.axes[0], figure.legends[0].get_window_extent()
    lines = panel.get_lines()
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == len(labels)
    assert legend.x0 >= 0 and legend.x1 <= figure.bbox.x1
    assert legend.y1 <= panel.get_tightbbox().y0


def training(iteration, epoch=None, loss=1.0):
    record = {'loss': loss, 'time': 0.5, 'iter': iteration, 'step': iteration}
    return record | ({'epoch': epoch} if epoch else {})


def validation(step, value):
    return {'reid/mAP': value, 'time': 9.0, 'step': step}


def write(folder, records, config='resume = False\n'):
    (folder / 'vis_data').mkdir(parents=True)
    lines = [f'{json.dumps(record)}\n' for record in records]
    (folder / 'vis_data' / 'scalars.json').write_text(''.join(lines))
    (folder / 'vis_data' / 'config.py').write_text(config)


def epochs(first, last, scale=1.0):
    """Records of the epochs from ``first`` to ``last``, of ten iterations and a validation each."""
    records = []
    for epoch in range(first, last + 1):
        steps = (10 * epoch - 5, 10 * epoch)
        records += [training(step, epoch, scale * step) for step in steps]
        records.append(validation(epoch, scale * epoch))
    return records


def assert_series(log, key, positions, values, by='iter'):
    np.testing.assert_allclose(log.series(key, by), [positions, values])


# Training that ends epochs unlogged, counts no epochs, or is validated by iteration.
UNEVEN = [training(5, 1), training(10, 1), training(18, 2), training(23, 2), validation(2, 1)]
UNCOUNTED = [training(5), validation(5, 1), training(10), validation(10, 2)]


@pytest.mark.parametrize(
    ('records', 'positions'),
    [(epochs(1, 3), [10, 20, 30]), (UNEVEN, [26]), (UNCOUNTED, [5, 10])],
)
def test_validations_lie_where_they_were(records, positions):
    assert_series(RunLog(records, 'run'), 'reid/mAP', positions, range(1, 1 + len(positions)))


def test_counted_by_epoch():
    log = RunLog(epochs(1, 3), 'run')
    assert_series(log, 'reid/mAP', [1, 2, 3], [1, 2, 3], by='epoch')
    assert_series(log, 'loss', [0.5, 1, 1.5, 2, 2.5, 3], [5, 10, 15, 20, 25, 30], by='epoch')
    # The times of validation are none of training.
    assert_series(log, 'time', [5, 10, 15, 20, 25, 30], [0.5] * 6)
    with pytest.raises(ValueError, match='run counts no epochs'):
        RunLog(UNCOUNTED, 'run').series('reid/mAP', by='epoch')
    with pytest.raises(ValueError, match=r"'lss'.*loss, reid/mAP, time"):
        log.series('lss')


def test_resumed_runs_are_joined_without_doubling(tmp_path):
    write(tmp_path / '20260101_000000', epochs(1, 1, scale=9))
    write(tmp_path / '20260102_000000', [*epochs(1, 2), training(25, 3, loss=99)])
    # What is beside the log is not run.
    config = 'raise SystemExit("run")\nresume = True\n'
    write(tmp_path / '20260103_000000', epochs(2, 3, scale=2), config)
    log = read_run_log(tmp_path)
    assert_series(log, 'loss', [5, 10, 15, 20, 25, 30], [5, 10, 30, 40, 50, 60])
    assert_series(log, 'reid/mAP', [10, 20, 30], [1, 4, 6])


@pytest.mark.parametrize('part', ['', 'vis_data/scalars.json'])
def test_one_start_of_a_run_by_folder_or_file(tmp_path, part):
    write(tmp_path / '1', epochs(1, 1))
    write(tmp_path / '2', epochs(2, 2), 'resume = True\n')
    # A killed run leaves a line unfinished.
    with open(tmp_path / '2' / 'vis_data' / 'scalars.json', 'a') as file:
        file.write('{"loss": 1.0, "it')
    assert_series(read_run_log(tmp_path / '2' / part), 'loss', [15, 20], [15, 20])


def test_newest_test_counts_where_there_is_no_training(tmp_path):
    for day, value in ((1, 10), (2, 20)):
        folder = tmp_path / f'2026010{day}_000000'
        folder.mkdir()
        result = {'reid/mAP': value, 'time': 9.0, 'reid/cameras': [1]}
        (folder / f'{folder.name}.json').write_text(json.dumps(result))
        (folder / 'other.json').write_text('{}')
    for path in (tmp_path, folder):
        log = read_run_log(path)
        assert_series(log, 'reid/mAP', [0], [20])
        assert log.keys == ['reid/mAP']
    write(tmp_path / '20260101_120000', epochs(1, 1))
    assert_series(read_run_log(tmp_path), 'reid/mAP', [10], [1])


def test_bad_logs(tmp_path):
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        read_run_log(tmp_path)
    path = tmp_path / 'scalars.json'
    for content, message in (('', 'no records'), ('no JSON\n{}\n', 'scalars.json, line 1')):
        path.write_text(content)
        with pytest.raises(ValueError, match=message):
            read_run_log(path)
