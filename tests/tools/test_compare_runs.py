import sys
from pathlib import Path

import mmengine
import pytest
import torch
from mmengine.config import Config
from mmengine.visualization import LocalVisBackend
from tiny_runs import quick_start

from passreid.utils import config_path
from passreid.version import __version__

TOOL = 'analysis_tools/compare_runs'


@pytest.fixture
def compare(load_tool, monkeypatch, tmp_path, capsys):
    """Give the rows of the table, cell by cell, and what was said beside it."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, 'argv', ['compare_runs.py', *map(str, arguments)])
        load_tool(TOOL).main()
        printed = capsys.readouterr()
        rows = [line[2:-2].split(' | ') for line in printed.out.splitlines()]
        assert {*map(len, rows)} == {len(rows[0])} and {*rows[1]} == {'---'}
        return [rows[0], *rows[2:]], printed.err

    return call


def write(folder, seed, figures=(), start=1, **entries):
    """Write what a run leaves behind: of each epoch two iterations and, where given, a test."""
    backend = LocalVisBackend(f'{folder}/2026010{start}_000000/vis_data')
    own = dict(work_dir=folder, randomness=dict(seed=seed), train_cfg=dict(max_epochs=2))
    with quick_start():
        backend.add_config(Config(own | dict(resume=False, of_a_file=seed) | entries))
    for epoch in range(start, start + 2):
        for step in (2 * epoch - 1, 2 * epoch):
            backend.add_scalars(dict(loss=1 / step, epoch=epoch, iter=step), step=step)
        if figures:
            backend.add_scalars({'reid/mAP': figures[epoch - start]}, step=epoch)
    return folder


def loader(workers, split='test'):
    return dict(num_workers=workers, dataset=dict(type='Market1501', split=split))


def test_seeds_are_a_row_and_other_options_are_shown(compare):
    new = dict(experiment_name='new', model=dict(head=dict(fusion='mean', pattern='a|b')))
    folders = [
        write('b', 1, (30, 12), test_dataloader=loader(2), experiment_name='old'),
        write('new', 7, (50, 60.04), test_dataloader=[loader(2), loader(1, 'query')], **new),
        write('a', 0, (40, 10), test_dataloader=loader(0), experiment_name='old-2'),
        write('c', 2, (35, 14), test_dataloader=loader(2), experiment_name='old'),
    ]
    rows, said = compare(*folders, '--metrics', 'reid/mAP', 'loss')
    head = ['run', 'n', 'seeds', 'commit', 'versions', 'options']
    assert rows[0] == [*head, 'reid/mAP (last)', 'loss (last)']
    options = ["test_dataloader.dataset.split='test'", "test_dataloader.dataset.type='Market1501'"]
    cell = ', '.join(f'`{option}`' for option in options)
    assert rows[1] == ['old', '3', '1, 0, 2', '', '', cell, '12.0 ± 2.0', '0.2 ± 0.0']
    options = ["model.head.fusion='mean'", r"model.head.pattern='a\|b'"]
    for number, split in enumerate(['test', 'query']):
        key = f'test_dataloader.{number}.dataset'
        options += [f"{key}.split='{split}'", f"{key}.type='Market1501'"]
    cell = ', '.join(f'`{option}`' for option in options)
    assert rows[2] == ['new', '1', '7', '', '', cell, '60.0', '0.2'] and said == ''


@pytest.mark.parametrize(
    ('value', 'expected'),
    [('last', '11.00 ± 1.41'), ('max', '35.00 ± 7.07'), ('min', '11.00 ± 1.41')],
)
def test_value_that_counts(compare, value, expected):
    folders = write('a', 0, (40, 10)), write('b', 1, (30, 12))
    metrics = '--metrics', 'reid/mAP'
    rows, _ = compare(*folders, *metrics, '--value', value, '--digits', 2)
    assert [row[-1] for row in rows] == [f'reid/mAP ({value})', expected]


def test_weights_with_a_seed_of_their_own(compare):
    folders = [write(f'run{n}', n, (n, n), load_from=f'start{n}.pth') for n in (1, 3)]
    rows, _ = compare(*folders, folders[0], '--metrics', 'reid/mAP')
    assert [row[5:] for row in rows[1:]] == [
        ["`load_from='start1.pth'`", '1.0'],
        ["`load_from='start3.pth'`", '3.0'],
    ]
    rows, _ = compare(*folders, '--metrics', 'reid/mAP', '--ignore', 'load_from')
    # Without a name of the experiment, the folder's.
    assert rows[1:] == [['run1', '2', '1, 3', '', '', '', '2.0 ± 1.4']]


def test_missing_figures_are_named_and_not_averaged(compare):
    folders = write('a', 0, (40, 10)), write('b', 1)
    rows, said = compare(*folders, '--metrics', 'reid/mAP', 'loss')
    assert rows[1][-2:] == ['', '0.2 ± 0.0']
    assert said == 'b has no reid/mAP; it has loss\n'
    _, said = compare(write('c', 0, (1, 2), train_cfg=dict(max_epochs=9)))
    assert 'c ended in epoch 2 of 9' in said


def test_resumed_run_has_the_options_it_began_with(compare):
    own = dict(train_cfg=dict(max_epochs=3), optim_wrapper=dict(lr=1))
    write('a', 3, (10, 20), model=dict(init_cfg='start.pth'), **own)
    changed = own | dict(optim_wrapper=dict(lr=float('inf')))
    write('a', 3, (30, 40), start=2, resume=True, load_from='epoch_1.pth', **changed)
    for start in ('20260101_000000', '20260102_000000'):
        Path(f'a/{start}/{start}.log').write_text(f' - passreid 0.1, commit c{start[7]}\n')
    write('b', 3, (10, 20), model=dict(init_cfg=None), **own)
    rows, said = compare('a', 'b', './a/', '--metrics', 'reid/mAP')
    assert [[row[3], *row[5:]] for row in rows[1:]] == [
        ['c1, c2', "`model.init_cfg='start.pth'`", '40.0'],
        ['', '`model.init_cfg=None`', '20.0'],
    ]
    assert said == 'a was resumed with another optim_wrapper.lr\nb ended in epoch 2 of 3\n'


def test_folders_that_cannot_be_read_are_all_named(compare, tmp_path):
    write('good', 0, (1, 2))
    (tmp_path / 'empty').mkdir()
    configs = {
        n: f'{write(n, 0)}/20260101_000000/vis_data/config.py' for n in ('none', 'code', 'cut')
    }
    (tmp_path / configs['none']).unlink()
    (tmp_path / configs['code']).write_text('print(open("x", "w"))')
    (tmp_path / configs['cut']).write_text('model=dict(')
    with pytest.raises(SystemExit) as ending:
        compare('good', 'gone', 'empty', *configs)
    lines = str(ending.value.code).splitlines()
    assert [line.split()[0] for line in lines] == ['gone', 'empty', *configs]
    assert all('cannot be read' in line for line in lines)
    assert 'empty is no log' in lines[1] and not (tmp_path / 'x').exists()


@pytest.mark.parametrize(
    'name', ['supervised/vit-s16_joint-256x128', 'pass/pass_vit-s16_lup', 'usl/usl_vit-s16_folder']
)
def test_config_is_read_as_mmengine_reads_it(name, load_tool, tmp_path):
    config = Config.fromfile(config_path(f'{name}.py'))
    config.dump(tmp_path / 'config.py')
    assert load_tool(TOOL).read_dumped_config(tmp_path / 'config.py') == config.to_dict()


def test_code_and_figures_of_a_test(compare, run, small, monkeypatch):
    build = sys.modules['passreid.apis.build_runner']
    monkeypatch.setattr(build, 'git_commit', lambda: 'abc1234-dirty')
    options = ['--cfg-options', 'randomness.seed=None']
    log = run('test', small.config, small.weights, '--work-dir', 'work', *options)
    rows, _ = compare('work', '--metrics', 'reid/mAP', '--digits', 4)
    versions = (
        f'passreid {__version__}, PyTorch {torch.__version__}, MMEngine {mmengine.__version__}'
    )
    assert rows[1][3:6] == ['abc1234-dirty', versions, '']
    name, seed, value = rows[1][0], rows[1][2], rows[1][-1]
    assert name.startswith('reid') and f' seed: {seed}\n' in log and f'reid/mAP: {value} ' in log
