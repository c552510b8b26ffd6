"""What the Markdown files of the project show, and small data and weights to run it on."""

import importlib.util
import json
import re
import shlex
import shutil
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from timm.models.vision_transformer import VisionTransformer
from tiny_runs import ARCH, shrink, shrink_model, write_people

from passreid.models.converters import to_pass_checkpoint
from passreid.registry import MODELS
from passreid.rendering import Scene, write_scene
from passreid.utils import config_path, register_all_modules

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob('*.md'), *(ROOT / 'docs').glob('*.md')])
TAKES_LONG = 'compiles', 'needs the trackers', 'takes a minute'
PEOPLE = dict(image_size=(64, 32), train_ids=6, test_ids=4, unlabelled_ids=6)
_FOLDERS = {'bounding_box_train': 'train', 'query': 'query', 'bounding_box_test': 'gallery'}


class Block(NamedTuple):
    """A fenced block and the marker, such as ``<!-- ci: test -->``, in the line before it."""

    language: str
    marker: str
    text: str


def read_blocks(page):
    """List the fenced blocks of a page."""
    pattern = r'(?:^<!-- (?P<marker>[^\n]*) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$'
    found = re.finditer(pattern, page.read_text(), re.MULTILINE | re.DOTALL)
    return [Block(match['language'], match['marker'] or '', match['text']) for match in found]


def marked_block(page, marker):
    """Return the text of the only block with this marker."""
    (block,) = [block for block in read_blocks(page) if block.marker == marker]
    return block.text


def strip_blocks(text):
    """Remove fenced blocks and inline code, in which brackets are no links."""
    return re.sub(r'`[^`\n]*`', '', re.sub(r'^```.*?^```$', '', text, flags=re.M | re.S))


def links(page):
    """List the targets of links and pictures that lead to files, without anchors."""
    targets = re.findall(r'\]\(([^)\s]+)\)', strip_blocks(page.read_text()))
    return [target for target in targets if not target.startswith(('http://', 'https://'))]


def anchors(page):
    """List the anchors of the headings of a page."""
    titles = re.findall(r'^#+ (.+)$', strip_blocks(page.read_text()), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', title.lower()).strip().replace(' ', '-') for title in titles}


def is_command(line):
    """Whether a line calls one of our programs, perhaps with variables of the environment."""
    return re.match(r'(\w+=("[^"]*"|\S+) )*(python|bash) tools/', line)


def commands(page):
    """List the calls of our programs in blocks and tables, split into words."""
    text = '\n'.join(block.text for block in read_blocks(page) if block.language == 'bash')
    tables = '\n'.join(line for line in page.read_text().splitlines() if line.startswith('| '))
    lines = [*text.splitlines(), *re.findall(r'`([^`]+)`', tables)]
    return [shlex.split(line) for line in lines if is_command(line)]


def load_program(program, arguments, monkeypatch):
    """Import a program as a module, with a command line for its ``main``."""
    monkeypatch.syspath_prepend((ROOT / program).parent)
    monkeypatch.setattr(sys, 'argv', [program, *arguments])
    spec = importlib.util.spec_from_file_location('program', ROOT / program)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_arguments(program, arguments, monkeypatch):
    """Return what a program reads from a command line; the rest of it is left out."""
    module, parsed = load_program(program, arguments, monkeypatch), Namespace()
    parse = ArgumentParser.parse_args
    monkeypatch.setattr(
        ArgumentParser, 'parse_args', lambda parser: sys.exit(parse(parser, None, parsed))
    )
    with pytest.raises(SystemExit) as ending:
        module.main()
    assert ending.value.code is parsed
    return parsed


def read_steps(page):
    """List what a reader would run, in its order, but for what a marker says takes long."""
    steps = []
    for block in read_blocks(page):
        if block.language == 'python' and not block.marker:
            steps.append(block)
        elif block.language == 'bash' and block.marker not in TAKES_LONG:
            lines = filter(is_command, block.text.splitlines())
            steps += [block._replace(text=line) for line in lines]
    return steps


def write_documented_files(root):
    """Write the configs and small data sets of the layouts that are shown below a folder."""
    shutil.copytree(config_path(), root / 'configs')
    data = root / 'data'
    market = write_people(data / 'market1501')
    images = {split: sorted((market / folder).iterdir()) for folder, split in _FOLDERS.items()}
    for folder, split in _FOLDERS.items():
        for number, file in enumerate(images[split]):
            pid, camera = file.name.split('_')[0], file.name.split('_c')[1][0]
            cuhk = data / 'cuhk03-np' / 'detected' / folder / f'{pid}_c{camera}_{number}.png'
            cuhk.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(cuhk), cv2.imread(str(file)))
            copy(file, data / 'my_test' / split / pid / file.name)
            if split == 'train':
                copy(file, data / 'my_people' / pid / file.name)
                copy(file, data / 'my_gate' / f'{pid}_{camera}_{number}.jpg')
                copy(file, data / 'LUPerson' / file.name)
                copy(file, data / 'my_crops' / file.name)
            elif split == 'gallery':
                copy(file, root / 'gallery' / file.name)
    write_msmt17(data / 'MSMT17', images)
    names = [file.name for file in images['train']]
    (data / 'my_crops' / 'train.txt').write_text('\n'.join(names))
    copy(images['query'][0], root / 'query.jpg')
    test_set = marked_block(ROOT / 'docs' / 'unlabelled.md', 'test-set')
    (root / 'my_test.py').write_text(test_set)
    features = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    np.save(root / 'features.npy', features / np.linalg.norm(features, axis=1, keepdims=True))
    write_weights_of_others(root)
    write_scene(root / 'scene', Scene(people=4, seconds=30, fps=2, size=(96, 160)))
    return root


def write_weights_of_others(root):
    """Write files as those of the authors of PASS and of DINOv2."""
    provide_checkpoint(root / 'ours.pth', root / 'configs/supervised/vit-s16_market1501-256x128.py')
    ours = torch.load(root / 'ours.pth')
    torch.save(to_pass_checkpoint(ours, 'supervised'), root / 'transformer_120.pth')
    torch.save(to_pass_checkpoint(ours, 'backbone'), root / 'pass_vit_small_full.pth')
    width, depth, heads, hidden = ARCH.values()
    sizes = dict(embed_dim=width, depth=depth, num_heads=heads, mlp_ratio=hidden / width)
    dinov2 = VisionTransformer(56, 14, num_classes=0, init_values=1e-5, **sizes)
    torch.save(dinov2.state_dict(), root / 'dinov2_vits14_pretrain.pth')


def copy(file, target):
    """Copy a file into a folder that need not be there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, target)


def write_msmt17(root, images):
    """Write folders and lists as those of MSMT17."""
    lists = {'train': [], 'val': [], 'query': [], 'gallery': []}
    for split, files in images.items():
        for number, file in enumerate(files):
            pid, camera = int(file.name.split('_')[0]), int(file.name.split('_c')[1][0])
            name = f'{pid:04d}/{pid:04d}_{number:03d}_{camera:02d}_0303morning_0000_0.jpg'
            copy(file, root / ('train' if split == 'train' else 'test') / name)
            part = 'val' if split == 'train' and number % 4 == 3 else split
            lists[part].append(f'{name} {pid}')
    for part, lines in lists.items():
        (root / f'list_{part}.txt').write_text('\n'.join(lines) + '\n')


def make_small(cfg):
    """Make any config of ours a matter of a second, in place, and write the weights it wants."""
    # A model that was exported has its own size.
    if 'backbone' in (cfg.get('model') or {}):
        shrink_model(cfg.model)
        backbone = cfg.model.backbone
        if backbone.get('stem') == 'ics':
            backbone.patch_size = 16
        if init_cfg := backbone.get('init_cfg'):
            provide_weights(Path(init_cfg.checkpoint), backbone, init_cfg.get('prefix', ''))
    for name in ('train', 'val', 'test'):
        loaders = cfg.get(f'{name}_dataloader') or ()
        for loader in loaders if isinstance(loaders, list | tuple) else [loaders]:
            _make_loader_small(loader)
    if hook := (cfg.get('default_hooks') or {}).get('pseudo_labels'):
        hook.update(k1=6, k2=2, min_samples=3)
        shrink(hook.pipeline)
    for key in {'max_epochs', 'val_interval'} & set(cfg.get('train_cfg') or ()):
        cfg.train_cfg[key] = 1
    return cfg


def _make_loader_small(loader):
    loader.update(batch_size=8, num_workers=0, persistent_workers=False, pin_memory=False)
    for key in {'images_per_id', 'iterations'} & set(loader.get('sampler') or ()):
        loader.sampler[key] = 2
    for dataset in loader.dataset.get('datasets') or [loader.dataset]:
        if dataset.get('type') == 'SyntheticReID':
            dataset.settings = PEOPLE
        dataset.pop('indices', None)
        shrink(dataset.pipeline)


def provide_weights(path, model, prefix=''):
    """Write weights of a model or backbone where there are none."""
    if not path.exists():
        register_all_modules()
        weights = MODELS.build(dict(model, init_cfg=None, _scope_='passreid')).state_dict()
        path.parent.mkdir(parents=True, exist_ok=True)
        weights = {f'{prefix}{name}': value for name, value in weights.items()}
        torch.save({'state_dict': weights}, path)


def provide_checkpoint(path, config):
    """Write a checkpoint of a config's model where there is none."""
    model = make_small(Config.fromfile(config)).model
    provide_weights(
        path, model.backbone if path.stem in ('teacher_backbone', 'vit_small') else model
    )


def provide_run(folder):
    """Write the figures of a run that was not made."""
    folder = folder / '20260101_000000' / 'vis_data'
    folder.mkdir(parents=True)
    figures = [dict(loss=1 / n, teacher_information=n, epoch=n, iter=2 * n) for n in range(1, 5)]
    figures.append({'reid/mAP': 50.0, 'step': 4})
    (folder / 'scalars.json').write_text(''.join(json.dumps(line) + '\n' for line in figures))
    (folder / 'config.py').write_text('randomness = dict(seed=0)\n')
