"""Every command, config and piece of Python of the documentation is run, on small data."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from documentation import (
    PAGES,
    ROOT,
    load_program,
    make_small,
    marked_block,
    provide_checkpoint,
    provide_run,
    read_blocks,
    read_steps,
    write_documented_files,
)
from mmengine.config import Config
from tiny_runs import quick_start

from passreid.apis import build_runner, load_config

# Started by other tests, in processes of their own.
ELSEWHERE = {'quickstart.py', 'gradio_demo.py', 'rendered_scene.py', 'verify_dataset.py'}
_MODULES = ('passreid.apis.build_runner', 'passreid.apis.get_model', 'passreid.apis')
CONFIGS = [
    pytest.param(block.marker.removeprefix('config: '), block.text, id=f'{page.stem}-{number}')
    for page in PAGES
    for number, block in enumerate(read_blocks(page))
    if block.marker.startswith('config: ')
]


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    return write_documented_files(tmp_path_factory.mktemp('world'))


@pytest.fixture
def place(world, tmp_path, monkeypatch):
    """A folder with data and configs."""
    shutil.copytree(world, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(('folder', 'text'), CONFIGS)
def test_config_trains(folder, text, place):
    path = place / 'configs' / folder / 'own.py'
    path.write_text(text)
    config = Config.fromfile(path)
    for step in config.train_dataloader.dataset.pipeline:
        if step.type == 'Resize':
            assert tuple(step.scale[::-1]) == tuple(config.model.backbone.img_size)
    with quick_start():
        runner = build_runner(make_small(config))
        runner.train()
    assert runner.iter >= 2
    written = {file.name.rstrip('.0123456789pth') for file in (place / 'work_dirs/own').iterdir()}
    if folder == 'pass':
        assert 'teacher_backbone' in written
    else:
        assert 0 < runner.message_hub.get_scalar('val/reid/mAP').current() <= 100
        assert ('best_reid_mAP_epoch_' in written) == ('save_best' in text)


def test_config_in_the_style_of_python(place):
    path = place / 'configs' / 'supervised' / 'mine.py'
    path.write_text(marked_block(ROOT / 'docs' / 'index.md', 'python-style'))
    own, expected = load_config(path), load_config('configs/supervised/vit-t8_synthetic.py')
    expected.model.head.fusion = 'mean'
    del expected.model.head.similarity_weight
    assert own.model == expected.model
    assert own.train_dataloader == expected.train_dataloader


def run_command(words, place, monkeypatch):
    """Run one of our programs as a command line would."""
    words = [re.sub(r'(^|=)/data/', r'\1data/', word) for word in words]
    # A query of Market-1501, and one of ours.
    words = [re.sub(r'0003_c1s6_015971_00', '0101_c1s1_000001_00', word) for word in words]
    program, *arguments = [word for word in words if not re.match(r'[A-Z_]+=', word)][1:]
    if Path(program).name in ELSEWHERE or program.endswith('.sh'):
        return
    provide_what_is_named(arguments, place)
    with quick_start():
        load_program(program, arguments, monkeypatch).main()


def config_of(checkpoint, place):
    """Find the config that a checkpoint in a work directory comes from."""
    (config,) = (place / 'configs').glob(f'*/{Path(checkpoint).parent.name}.py')
    return config


def provide_what_is_named(arguments, place):
    """Write the checkpoints and runs that a command takes for granted."""
    configs = [word for word in arguments if word.startswith('configs/')]
    for word in arguments:
        path = place / word
        if re.match(r'[^=]+\.pth$', word) and (configs or word.startswith('work_dirs/')):
            provide_checkpoint(path, place / configs[0] if configs else config_of(word, place))
        elif re.fullmatch(r'work_dirs/\S+', word) and configs == [] and not path.exists():
            provide_run(path)


@pytest.mark.slow
@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.stem)
def test_page_runs(page, place, monkeypatch):
    for name in _MODULES:
        monkeypatch.setattr(
            sys.modules[name], 'load_config', lambda cfg: make_small(load_config(cfg))
        )
    for step in read_steps(page):
        try:
            if step.language == 'python':
                provide_what_is_named(re.findall(r"'([^']+\.pth)'", step.text), place)
                exec(compile(step.text, page.name, 'exec'), {'__name__': '__main__'})
            else:
                run_command(shlex.split(step.text), place, monkeypatch)
        except SystemExit as leave:
            assert not leave.code, step.text
        except Exception as error:
            raise AssertionError(f'{page.name}: {step.text}') from error


@pytest.mark.slow
def test_site_builds_without_a_warning(tmp_path):
    pytest.importorskip('mkdocs', reason="needs pip install -e '.[docs]'")
    command = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--site-dir', str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    assert (tmp_path / 'pretrain' / 'index.html').is_file()
