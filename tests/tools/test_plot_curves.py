import json

import cv2
import pytest


@pytest.fixture
def plot(run):
    def call(*arguments):
        text = run('analysis_tools/plot_curves', *arguments, '--out', 'new/curves.png')
        return cv2.imread('new/curves.png'), text

    return call


@pytest.fixture
def log(tmp_path):
    def write(name, scale=1.0, validated=True):
        path = tmp_path / name / '20260101_000000' / 'vis_data' / 'scalars.json'
        path.parent.mkdir(parents=True)
        records = [
            {'loss': scale / n, 'epoch': (n + 1) // 2, 'iter': n, 'step': n} for n in range(1, 5)
        ]
        if validated:
            records.append({'reid/mAP': 40 * scale, 'step': 2})
        path.write_text(''.join(f'{json.dumps(record)}\n' for record in records))
        return path.parents[2]

    return write


def test_picture_of_several_runs(plot, log):
    one, _ = plot(log('a'), '--dpi', 50)
    runs = [log('b'), log('c', 2.0)]
    two, text = plot(
        *runs, '--keys', 'loss', 'reid/mAP', '--legend', 'first', 'second', '--dpi', 50
    )
    assert 'loss of first: last 0.25, from 0.25 to 1' in text
    assert 'reid/mAP of second: last 80, from 80 to 80' in text
    # A panel more to the side (matplotlib rounds half a pixel up or down), a legend below.
    assert two.shape[1] == pytest.approx(2 * one.shape[1], abs=1)
    assert two.shape[0] > one.shape[0]


def test_runs_without_a_figure_are_named(plot, log):
    _, text = plot(log('a/x', validated=False), log('b/x'), '--keys', 'reid/mAP', '--by', 'epoch')
    assert 'a/x has no reid/mAP' in text
    assert 'reid/mAP of b/x: last 40' in text


def test_what_is_wrong_is_named(plot, log, capsys):
    with pytest.raises(ValueError, match="no 'mAP'; it has loss, reid/mAP"):
        plot(log('a'), '--keys', 'mAP')
    with pytest.raises(SystemExit):
        plot('work_dirs/a', '--legend', 'x', 'y')
    assert '2 names in --legend for 1 logs' in capsys.readouterr().err
