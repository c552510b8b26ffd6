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
import torch
from documentation import PAGES, ROOT, anchors, commands, links, marked_block, read_blocks
from mmengine.config import Config
from mmpretrain.structures import DataSample
from tiny_runs import ARCH, quick_start, write_people

from passreid.apis import build_runner, load_config
from passreid.registry import DATASETS, MODELS
from passreid.utils import config_path, register_all_modules
from passreid.utils.config_options import merge_options

README = ROOT / 'README.md'
FINETUNE = ROOT / 'docs' / 'finetune.md'
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
            if isinstance(node, ast.ImportFrom) and not node.level:
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names)


def test_commands_are_found():
    assert len(COMMANDS) > 20
    assert ['python', 'tools/train.py', 'configs/pass/pass_vit-s16_lup.py'] in commands(README)


@pytest.mark.parametrize('words', COMMANDS)
def test_command_is_accepted(words, monkeypatch):
    words = [word for word in words if not re.match(r'[A-Z_]+=', word)]
    program, *arguments = words[1:]
    assert (ROOT / program).is_file()
    if program.endswith('.sh'):
        # Of what precedes the options, config and checkpoint are for the program.
        option = next((n for n, a in enumerate(arguments) if a.startswith('--')), len(arguments))
        files = [a for a in arguments[:option] if a.endswith(('.py', '.pth'))]
        arguments = files + arguments[option:]
        program = 'tools/test.py' if 'test' in program else 'tools/train.py'
    monkeypatch.syspath_prepend((ROOT / program).parent)
    monkeypatch.setattr(sys, 'argv', [program, *arguments])
    spec = importlib.util.spec_from_file_location('program', ROOT / program)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    args = module.parse_args()
    if 'cfg_options' in args and args.config != 'CONFIG':
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


def test_config_in_the_style_of_python(tmp_path):
    shutil.copytree(config_path(), tmp_path / 'configs')
    path = tmp_path / 'configs' / 'supervised' / 'mine.py'
    path.write_text(marked_block(ROOT / 'docs' / 'get_started.md', 'python-style'))
    own, expected = load_config(path), load_config(config_path('supervised/vit-t8_synthetic.py'))
    expected.model.head.fusion = 'mean'
    assert own.model == expected.model
    assert own.train_dataloader == expected.train_dataloader


def test_own_data_set_of_the_readme(tmp_path):
    for path in ('train/0007_c2_000123.jpg', 'query/0008_c1_1.jpg', 'gallery/0008_c2_1.jpg'):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    folder = config_path('_base_/datasets')
    text = marked_block(README, 'own-data-set').replace("'./", f"'{folder}/")
    (tmp_path / 'my_crops.py').write_text(text.replace('data/my_crops', str(tmp_path)))
    config = Config.fromfile(tmp_path / 'my_crops.py')
    for loader in (config.train_dataloader, config.test_dataloader):
        loader.dataset.pipeline = []
    found = [
        [(sample['gt_label'], sample['cam_id']) for sample in DATASETS.build(loader.dataset)]
        for loader in (config.train_dataloader, config.test_dataloader)
    ]
    assert len(found[0]) == 1 and found[0][0][0] == 0
    (query, gallery) = found[1]
    assert query[0] == gallery[0] and query[1] != gallery[1]


def test_published_figures_are_those_of_the_configs():
    rows = re.findall(r'^\| `(\S+\.py)` \|.*\| ([^|]+) \|$', FINETUNE.read_text(), re.MULTILINE)
    folder = ROOT / 'configs' / 'supervised'
    assert sorted(name for name, _ in rows) == sorted(path.name for path in folder.glob('*.py'))
    for name, shown in rows:
        comment = (folder / name).read_text().splitlines()[0]
        figures = {kind: value for value, kind in re.findall(r'(\d+\.\d) (mAP|Rank-1)', comment)}
        expected = ' / '.join(figures.get(kind, '-') for kind in ('mAP', 'Rank-1'))
        assert not figures or shown.removesuffix(' *') == expected
        assert bool(figures) == bool(re.match(r'[-\d]', shown)), name
        assert ('by others' in comment) == shown.endswith('*')


def test_ways_to_name_weights_are_accepted():
    pattern = r'^\| .* \| `(model\.backbone\.init_cfg.*)` \|$'
    rows = re.findall(pattern, FINETUNE.read_text(), re.MULTILINE)
    assert len(rows) == 7
    for row in rows:
        config = load_config(ROOT / 'configs' / 'supervised' / 'vit-s16_market1501-256x128.py')
        options = dict(option.split('=', 1) for option in row.split())
        merge_options(
            config, {key: None if text == 'None' else text for key, text in options.items()}
        )
        init_cfg = config.model.backbone.init_cfg
        assert init_cfg is None or {'type', 'checkpoint'} <= set(init_cfg) <= {
            'type',
            'checkpoint',
            'prefix',
        }


LOSSES = re.findall(r'^\| .* \| `((?:id|metric)_loss=.*)` \|$', FINETUNE.read_text(), re.MULTILINE)


@pytest.mark.parametrize('entry', LOSSES)
def test_loss_of_the_table_trains(entry):
    register_all_modules()
    losses = eval(f'dict({entry})')
    head = MODELS.build(dict(type='ReIDHead', in_channels=8, num_classes=3, **losses))
    tokens = torch.randn(6, 4, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    samples = [DataSample().set_gt_label(image // 2) for image in range(6)]
    figures = head.loss((tokens,), samples)
    sum(value for name, value in figures.items() if 'loss' in name).backward()
    assert tokens.grad.isfinite().all() and tokens.grad.norm() > 0
    ((name, loss),) = losses.items()
    built = getattr(head, name)
    assert (built and type(built).__name__) == (loss and loss['type'])


def test_losses_are_found():
    assert len(LOSSES) == 8


@pytest.mark.parametrize(
    'text', [block.text for block in read_blocks(FINETUNE) if block.marker == 'config']
)
def test_config_of_fine_tuning_trains(text, tmp_path, monkeypatch):
    shutil.copytree(config_path(), tmp_path / 'configs')
    path = tmp_path / 'configs' / 'supervised' / 'own.py'
    path.write_text(text)
    monkeypatch.chdir(tmp_path)
    people = write_people(tmp_path / 'data' / 'market1501')
    for file in sorted((people / 'bounding_box_train').iterdir()):
        folder = tmp_path / 'data' / 'my_crops' / file.name.split('_')[0]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder)
    config = Config.fromfile(path)
    # Small enough for a moment: what the block sets is left alone, but for the batch.
    config.model.backbone.arch = ARCH
    merge_options(
        config,
        {
            'model.backbone.init_cfg': None,
            'model.head.in_channels': ARCH['embed_dims'],
            'train_cfg.max_epochs': 1,
            'train_dataloader.batch_size': 8,
            'train_dataloader.num_workers': 0,
            'val_dataloader.num_workers': 0,
        },
    )
    with quick_start():
        runner = build_runner(config)
        runner.train()
    assert runner.iter >= 2
    assert 0 < runner.message_hub.get_scalar('val/reid/mAP').current() <= 100
    best = (tmp_path / 'work_dirs' / 'own').glob('best_reid_mAP_*.pth')
    assert bool(list(best)) == ('save_best' in text)


@pytest.mark.slow
def test_site_builds_without_a_warning(tmp_path):
    pytest.importorskip('mkdocs', reason="needs pip install -e '.[docs]'")
    command = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--site-dir', str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    assert (tmp_path / 'pretrain' / 'index.html').is_file()
