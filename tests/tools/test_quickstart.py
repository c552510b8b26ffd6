"""The steps of the quick start, and what its report says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'tools'))

import quickstart  # noqa: E402
import quickstart_report  # noqa: E402
import quickstart_steps  # noqa: E402

PRINT = "print('11/22 10:00:00 - mmengine - INFO - Epoch(train) [1][2/3]  x: 1  loss: 2')"


def values(**rows):
    """Return results in which each row has the given values of every figure."""
    names = [name for _, name in quickstart_report.ROWS]
    return {
        name: {figure: rows.get(name.replace('-', '_'), [10.0, 10.0, 10.0]) for figure in FIGURES}
        for name in names
    }


FIGURES = quickstart_report.FIGURES


@pytest.mark.parametrize('fast', [False, True])
def test_commands_name_files_that_exist(fast):
    folder = Path('work')
    steps = quickstart_steps.plan(folder, 3, 'data', fast) + quickstart_steps.plan_pictures(
        folder, 'data', fast
    )
    assert len({step.name for step in steps}) == len(steps) == 13
    for step in steps:
        assert (ROOT / step.command[0]).is_file()
        for argument in step.command[1:]:
            assert not argument.startswith('configs/') or (ROOT / argument).is_file()
    trained = [step for step in steps if step.command[0] == 'tools/train.py']
    assert all('randomness.seed=3' in step.command for step in trained) and len(trained) == 5


def test_budgets_are_equal():
    steps = {step.name: step for step in quickstart_steps.plan(Path('work'), 0, 'data', False)}
    budgets = [
        {
            option
            for option in steps[f'{name}-tuned'].command
            if option.startswith(('train_cfg', 'param_scheduler', 'optim_wrapper', 'train_data'))
        }
        for name in ('scratch', 'cls', 'pass')
    ]
    assert budgets[0] == budgets[1] == budgets[2]


@pytest.fixture
def program(tmp_path):
    """Write a program and return a step that runs it."""

    def write(text, *arguments):
        path = tmp_path / 'program.py'
        path.write_text(text)
        return quickstart_steps.Step('say', 'Say something', (str(path), *arguments))

    return write


def test_a_step_is_run_once(program, tmp_path, capfd):
    step = program(PRINT)
    first = quickstart.run(step, tmp_path, '[1/2]')
    assert 'Epoch(train) [1][2/3]  loss: 2\n' in capfd.readouterr().out
    assert 'x: 1' in (tmp_path / 'logs' / 'say.log').read_text()
    assert quickstart.run(step, tmp_path, '[1/2]') == first
    assert capfd.readouterr().out == '[1/2] Say something: done before\n'


def test_a_program_gets_its_arguments_and_leaves_ours_alone(program, tmp_path):
    before = list(sys.argv)
    quickstart.run(program('import sys; print(sys.argv[1:])', 'a b', '-c'), tmp_path, '')
    assert sys.argv == before
    assert (tmp_path / 'logs' / 'say.log').read_text() == "['a b', '-c']\n"


def test_results_of_other_settings_are_not_mixed(program, tmp_path):
    quickstart.run(program(PRINT), tmp_path, '')
    with pytest.raises(SystemExit, match='results of other settings'):
        quickstart.run(program(PRINT, 'x'), tmp_path, '')


@pytest.mark.parametrize('ending', ['SystemExit', 'ValueError'])
def test_failure_shows_the_end_of_the_log_and_is_tried_again(program, tmp_path, ending):
    for _ in range(2):
        with pytest.raises(SystemExit, match=r'(?s)the reason.*Say something: failed'):
            quickstart.run(program(f"raise {ending}('the reason')"), tmp_path, '')


def test_lines_come_in_pieces(capfd, tmp_path):
    with (tmp_path / 'log').open('w') as file:
        progress = quickstart.Progress(file)
        for piece in ('x - mmengine - INFO - Epoch(val) [1]', '[2/3]  loss: 1', '\nrest'):
            progress.write(piece)
        progress.flush()
    progress.flush()
    assert capfd.readouterr().out == '    Epoch(val) [1][2/3]  loss: 1\n'
    assert (tmp_path / 'log').read_text().endswith('loss: 1\nrest')


def test_interrupted_training_goes_on(tmp_path):
    step = quickstart_steps.Step(
        'pass', '', quickstart_steps._train('configs/pass/x.py', tmp_path / 'pass', 'data')
    )
    assert quickstart._resume(step) == ()
    (tmp_path / 'pass').mkdir()
    (tmp_path / 'pass' / 'last_checkpoint').touch()
    assert quickstart._resume(step) == ('--resume',)


@pytest.mark.parametrize(
    ('line', 'shown'),
    [
        (
            '11/22 16:54:10 - mmengine - INFO - Epoch(train)  [1][3/3]  lr: 3e-05  eta: 0:00:15  '
            'time: 0.5  loss: 7.6  loss_id: 3.2\n',
            'Epoch(train)  [1][3/3]  eta: 0:00:15  loss: 7.6',
        ),
        (
            '11/22 16:54:10 - mmengine - INFO - Epoch(val) [2][5/5]    reid/mAP: 23.5  '
            'reid/R1: 35.0  reid/R5: 62.5  time: 0.3\n',
            'Epoch(val) [2][5/5]  reid/mAP: 23.5  reid/R1: 35.0',
        ),
        ('11/22 16:54:10 - mmengine - INFO - Saving checkpoint at 1 epochs\n', ''),
        ('11/22 16:54:10 - mmengine - WARNING - Beware\n', None),
    ],
)
def test_progress_is_shown_in_short(line, shown):
    assert quickstart._worth_showing(line).replace('    ', '  ') == (
        line.strip() if shown is None else shown
    )


def test_verdict_says_whether_the_gain_is_clear():
    results = values(
        pass_tuned=[60.0, 62.0, 64.0], scratch_tuned=[50.0, 51.0, 52.0], cls_tuned=[59, 62, 62]
    )
    clear, unclear = quickstart_report.verdicts(results)
    assert '+11.0 points of mAP on average over 3 seeds, more than twice the spread (2.0' in clear
    assert '+1.0 points' in unclear and 'NOT more than twice the spread (2.0' in unclear


def test_a_loss_is_called_a_loss():
    results = values(pass_tuned=[40.0], scratch_tuned=[50.0], cls_tuned=[45.0])
    scratch, control = quickstart_report.verdicts(results)
    assert '-10.0 points of mAP (one seed' in scratch and '-5.0' in control


def test_report_holds_everything(tmp_path):
    for number, (_, name) in enumerate(quickstart_report.ROWS):
        for seed in (0, 1):
            folder = tmp_path / f'seed-{seed}' / name / 'result'
            folder.mkdir(parents=True)
            value = 10.0 * number + seed
            (folder / 'metrics.json').write_text(json.dumps(dict.fromkeys((*FIGURES, 'R5'), value)))
    names = ('fine-tuning', 'pre-training', 'ranking', 'attention-frozen', 'attention-tuned')
    for name in names:
        (tmp_path / 'seed-0' / f'{name}.png').write_bytes(b'\x89PNG')
    report, text = quickstart_report.write_report(tmp_path, [0, 1], [('a.py', 'b c')], 90.0, False)
    document = report.read_text()
    assert document.count('data:image/png;base64,') == len(names)
    assert 'python a.py &#x27;b c&#x27;' in document and '1.5 minutes' in document
    assert 'fine-tuned from PASS' in text and '50.5 ± 0.7' in text
    assert json.loads((tmp_path / 'results.json').read_text())['pass-tuned']['mAP'] == [50.0, 51.0]


@pytest.mark.slow
def test_fast_run_makes_a_report(tmp_path):
    command = [sys.executable, str(ROOT / 'tools' / 'quickstart.py'), '--fast']
    command += ['--work-dir', str(tmp_path / 'work'), '--data-root', str(tmp_path / 'data')]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((tmp_path / 'work' / 'results.json').read_text())
    # Little training; what a fresh network and the pre-trained ones reach is still far apart.
    assert results['pass-tuned']['mAP'][0] > results['scratch-tuned']['mAP'][0] + 5
    assert results['pass-tuned']['mAP'][0] > results['pass-frozen']['mAP'][0]
    assert (tmp_path / 'work' / 'report.html').stat().st_size > 500_000
