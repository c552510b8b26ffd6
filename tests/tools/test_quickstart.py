"""The steps of the quick start, and what its report says."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRINT = "print('11/22 10:00:00 - mmengine - INFO - Epoch(train) [1][2/3]  x: 1  loss: 2')"


@pytest.fixture
def quickstart(load_tool):
    return load_tool('quickstart')


@pytest.fixture
def report(load_tool):
    return load_tool('quickstart_report')


@pytest.mark.parametrize('fast', [False, True])
def test_commands_name_files_that_exist(quickstart, fast):
    planned = quickstart.plan(Path('work'), 3, 'data', fast)
    planned += quickstart.plan_pictures(Path('work'), 'data', fast)
    assert len({step.name for step in planned}) == len(planned) == 13
    for step in planned:
        assert (ROOT / step.command[0]).is_file()
        for argument in step.command[1:]:
            assert not argument.startswith('configs/') or (ROOT / argument).is_file()
    trained = [step for step in planned if step.command[0] == 'tools/train.py']
    assert all('randomness.seed=3' in step.command for step in trained) and len(trained) == 5
    # Fine-tuning has the same budget whatever it starts from.
    kinds = ('train_cfg', 'param_scheduler', 'optim_wrapper', 'train_data')
    budgets = {
        tuple(option for option in step.command if option.startswith(kinds))
        for step in trained
        if step.name.endswith('tuned')
    }
    assert len(budgets) == 1


@pytest.fixture
def program(quickstart, tmp_path):
    """Write a program and return a step that runs it."""

    def write(text, *arguments):
        path = tmp_path / 'program.py'
        path.write_text(text)
        return quickstart.Step('say', 'Say something', (str(path), *arguments))

    return write


def test_a_step_is_run_once(quickstart, program, tmp_path, capfd):
    before, step = list(sys.argv), program(f'import sys; {PRINT}; print(sys.argv[1:])', 'a b')
    first = quickstart.run(step, tmp_path, '[1/2]')
    assert sys.argv == before
    assert 'Epoch(train) [1][2/3]  loss: 2\n' in capfd.readouterr().out
    log = (tmp_path / 'logs' / 'say.log').read_text()
    assert 'x: 1' in log and "['a b']" in log
    assert quickstart.run(step, tmp_path, '[1/2]') == first
    assert capfd.readouterr().out == '[1/2] Say something: done before\n'
    with pytest.raises(SystemExit, match='--work-dir'):
        quickstart.run(program(PRINT, 'x'), tmp_path, '')


@pytest.mark.parametrize('ending', ['SystemExit', 'ValueError'])
def test_failure_shows_the_end_of_the_log_and_is_tried_again(quickstart, program, tmp_path, ending):
    for _ in range(2):
        with pytest.raises(SystemExit, match=r'(?s)the reason.*Say something: failed'):
            quickstart.run(program(f"raise {ending}('the reason')"), tmp_path, '')


def test_interrupted_training_goes_on(quickstart, tmp_path, monkeypatch):
    called, step = [], quickstart.plan(tmp_path, 0, 'data', True)[0]
    monkeypatch.setattr(quickstart, 'call', lambda command: called.append(command) or True)
    for _ in range(2):
        with pytest.raises(SystemExit):
            quickstart.run(step, tmp_path, '')
    assert called == [step.command, (*step.command, '--resume')]


@pytest.mark.parametrize(
    ('line', 'shown'),
    [
        (
            'mmengine - INFO - Epoch(val) [2][5/5]    reid/mAP: 23.5  reid/R5: 62.5  time: 0.3\n',
            'Epoch(val) [2][5/5]  reid/mAP: 23.5',
        ),
        ('mmengine - INFO - Saving checkpoint at 1 epochs\n', ''),
        ('mmengine - WARNING - Beware\n', 'mmengine - WARNING - Beware'),
    ],
)
def test_progress_is_shown_in_short(quickstart, line, shown, capfd, tmp_path):
    with (tmp_path / 'log').open('w') as file:
        progress = quickstart.Progress(file)
        # Lines come in pieces.
        for piece in (line[:20], line[20:], 'rest'):
            progress.write(piece)
    progress.flush()
    assert capfd.readouterr().out.strip() == shown
    assert (tmp_path / 'log').read_text() == f'{line}rest'


def test_report_says_what_the_figures_show(report, tmp_path):
    values = dict.fromkeys((name for _, name in report.ROWS), [10.0, 10.0, 10.0])
    values |= {'pass-tuned': [60, 62, 64], 'scratch-tuned': [50, 51, 52], 'cls-tuned': [59, 62, 68]}
    for name, of_seeds in values.items():
        for seed, value in enumerate(of_seeds):
            folder = tmp_path / f'seed-{seed}' / name / 'result'
            folder.mkdir(parents=True)
            figures = dict.fromkeys((*report.FIGURES, 'R5'), value)
            (folder / 'metrics.json').write_text(json.dumps(figures))
    names = ('fine-tuning', 'pre-training', 'ranking', 'attention-frozen', 'attention-tuned')
    for name in names:
        (tmp_path / 'seed-0' / f'{name}.png').write_bytes(b'\x89PNG')
    command = [('a.py', 'b c')]
    path, text = report.write_report(tmp_path, [0, 1, 2], command, 90.0, False)
    document = path.read_text()
    assert document.count('data:image/png;base64,') == len(names)
    assert 'python a.py &#39;b c&#39;' in document and '1.5 minutes' in document
    assert 'fine-tuned from PASS' in text and '62.0 ± 2.0' in text
    assert '+11.0 points of mAP on average over 3 seeds, more than twice the spread (2.0' in text
    # A loss is called a loss, and a small one unclear.
    assert '-1.0 points' in text and 'NOT more than twice the spread (4.6' in text
    assert json.loads((tmp_path / 'results.json').read_text())['pass-tuned']['mAP'] == [60, 62, 64]
    _, text = report.write_report(tmp_path, [0], command, 90.0, True)
    assert '+10.0 points of mAP (one seed' in text and '--fast' in path.read_text()


@pytest.mark.slow
def test_fast_run_makes_a_report(run, quickstart, tmp_path, monkeypatch):
    """All steps with fewer pictures and iterations still than ``--fast`` has."""
    monkeypatch.setattr(quickstart, 'FAST_EPOCHS', 2)
    sizes = 'unlabelled_ids=22', 'train_ids=25', 'test_ids=10'
    monkeypatch.setattr(quickstart, 'FAST_DATA', [f'settings.{size}' for size in sizes])
    work = tmp_path / 'work'
    text = run('quickstart', '--fast', '--work-dir', work, '--data-root', tmp_path / 'data')
    assert 'The report is' in text
    results = json.loads((work / 'results.json').read_text())
    assert len(results) == 6 and all(0 < row['mAP'][0] <= 100 for row in results.values())
    document = (work / 'report.html').read_text()
    assert document.count('data:image/png;base64,') == 5 and '--fast' in document
