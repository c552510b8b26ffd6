"""What the documentation shows must work."""

import ast
import importlib
import importlib.util
import re
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
from documentation import PAGES, ROOT, anchors, commands, links, marked_block, read_blocks
from mmengine.config import Config

from passreid.apis import build_runner, load_config
from passreid.utils import config_path
from passreid.utils.config_options import merge_options

README = ROOT / 'README.md'
COMMANDS = [
    pytest.param(words, id=f'{page.stem}-{number}')
    for page in PAGES
    for number, words in enumerate(commands(page))
]
pages = pytest.mark.parametrize('page', PAGES, ids=lambda page: page.stem)


@pages
def test_links_lead_somewhere(page):
    for target in links(page):
        path, _, anchor = target.partition('#')
        goal = page.parent / path if path else page
        assert goal.exists(), f'{page.name} links to {target}'
        assert not anchor or anchor in anchors(goal), f'{page.name} links to {target}'


def test_every_page_is_linked_from_the_readme_or_the_index():
    reached = {(ROOT / target).resolve() for target in links(README)}
    reached |= {(ROOT / 'docs' / target).resolve() for target in links(ROOT / 'docs' / 'index.md')}
    pages = {page.resolve() for page in PAGES} - {README, ROOT / 'docs' / 'index.md'}
    assert pages <= reached


@pages
def test_python_is_valid_and_its_imports_exist(page):
    for block in read_blocks(page):
        if block.language != 'python':
            continue
        for node in ast.walk(ast.parse(block.text)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names)


def test_commands_are_found():
    assert len(COMMANDS) > 20
    assert ['python', 'tools/train.py', 'configs/pass/pass_vit-s16_lup.py'] in commands(README)


@pytest.mark.parametrize('words', COMMANDS)
def test_command_is_accepted(words, monkeypatch):
    words = [word for word in words if not re.fullmatch(r'[A-Z]+=\S+', word)]
    program, *arguments = words[1:]
    assert (ROOT / program).is_file()
    if program.endswith('.sh'):
        # What precedes the options is for the launcher; only its config is of interest here.
        option = next((n for n, a in enumerate(arguments) if a.startswith('--')), len(arguments))
        arguments = [a for a in arguments[:option] if a.endswith('.py')] + arguments[option:]
        program = 'tools/train.py'
    monkeypatch.syspath_prepend((ROOT / program).parent)
    monkeypatch.setattr(sys, 'argv', [program, *arguments])
    spec = importlib.util.spec_from_file_location('program', ROOT / program)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    args = module.parse_args()
    if 'config' in args and args.config != 'CONFIG':
        merge_options(load_config(ROOT / args.config), args.cfg_options)


def test_accumulation_keeps_the_published_batch():
    text = (ROOT / 'docs' / 'pretrain.md').read_text()
    rows = re.findall(r'^\| (ViT-./16) \|((?: \d+ \|){4}) `(.+)` \|$', text, re.MULTILINE)
    assert len(rows) == 8
    for model, numbers, command in rows:
        gpus, batch, accumulated, total = map(int, numbers.split('|')[:4])
        assert gpus * batch * accumulated == total == {'ViT-S/16': 1024, 'ViT-B/16': 512}[model]
        config = load_config(ROOT / re.search(r'configs/\S+', command)[0])
        assert config.train_dataloader.batch_size == batch
        assert (
            config.model.backbone.arch == {'ViT-S/16': 'deit-small', 'ViT-B/16': 'deit-base'}[model]
        )
        option = re.search(r'accumulative_counts=(\d+)', command)
        assert int(option[1] if option else 1) == accumulated
        launched = re.search(r'dist_train.sh \S+ (\d+)', command)
        assert int(launched[1] if launched else 1) == gpus


def write_crops(folder, number=4):
    """Write small random images, one of them in a folder of its own."""
    (folder / 'more').mkdir(parents=True)
    generator = np.random.default_rng(0)
    for image in range(number):
        pixels = generator.integers(0, 256, (48, 24, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / ('more' if image == 0 else '') / f'{image}.jpg'), pixels)


def test_config_of_own_crops_trains(tmp_path, monkeypatch):
    block = marked_block(README, 'own-crops')
    assert len(block.splitlines()) <= 10
    shutil.copytree(config_path(), tmp_path / 'configs')
    path = tmp_path / 'configs' / 'pass' / 'own.py'
    path.write_text(block)
    monkeypatch.chdir(tmp_path)
    config = Config.fromfile(path)
    write_crops(tmp_path / config.train_dataloader.dataset.data_root)
    # Small enough for a moment: what the block sets is left alone, but for the batch.
    config.model.backbone.arch = dict(
        embed_dims=16, num_layers=1, num_heads=1, feedforward_channels=16
    )
    merge_options(
        config,
        {
            'model.neck.hidden_channels': 8,
            'model.neck.out_channels': 16,
            'train_cfg.max_epochs': 1,
            'train_dataloader.batch_size': 4,
            'train_dataloader.num_workers': 0,
        },
    )
    runner = build_runner(config)
    runner.train()
    assert runner.iter == 1
    assert (tmp_path / 'work_dirs' / 'own' / 'teacher_backbone.pth').is_file()


def test_own_labelled_data_set_is_read(tmp_path):
    for name in ('0001_2_77.jpg', '0005_1_78.jpg'):
        path = tmp_path / 'train' / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    names = {}
    exec(marked_block(ROOT / 'docs' / 'datasets.md', 'own-data-set'), names)
    try:
        samples = names['Gate'](str(tmp_path)).load_data_list()
    finally:
        names['DATASETS'].module_dict.pop('Gate')
    assert [(sample['gt_label'], sample['cam_id']) for sample in samples] == [(0, 1), (1, 0)]


@pytest.mark.slow
def test_site_builds_without_a_warning(tmp_path):
    pytest.importorskip('mkdocs', reason="needs pip install -e '.[docs]'")
    command = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--site-dir', str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    assert (tmp_path / 'pretrain' / 'index.html').is_file()
