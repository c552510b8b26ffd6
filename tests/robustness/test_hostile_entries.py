"""Every way in which a checkpoint comes in refuses what is none."""

import io
import os
import pickle
import runpy
import sys
from pathlib import Path

import pytest
import torch
from hostile_checkpoints import REFUSALS, in_archive, saved
from reid_run import quick_start, reid_config, write_people

from passreid import ReIDInferencer, get_model
from passreid.apis import build_runner, load_weights, prepare_test
from passreid.models import PartViT
from passreid.models.converters import to_pass_checkpoint
from passreid.utils.checkpoint_loading import read_checkpoint

AREA = 'hostile input'
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    """People, a config, and weights of its model."""
    folder = tmp_path_factory.mktemp('world')
    cfg = reid_config(ROOT, write_people(folder / 'people'), folder / 'run')
    cfg.dump(folder / 'reid.py')
    torch.save(get_model(cfg).state_dict(), folder / 'good.pth')
    return folder


def _tool(name, folder, arguments, monkeypatch):
    path = ROOT / 'tools' / folder / f'{name}.py'
    monkeypatch.syspath_prepend(str(path.parent))
    monkeypatch.setattr(sys, 'argv', [str(path), *map(str, arguments)])
    runpy.run_path(str(path), run_name='__main__')


def enter_load_from(world, path, monkeypatch):
    cfg = reid_config(ROOT, world / 'people', world / 'x', load_from=str(path))
    build_runner(cfg).train()


def enter_resume(world, path, monkeypatch):
    cfg = reid_config(ROOT, world / 'people', world / 'x', load_from=str(path), resume=True)
    build_runner(cfg).train()


def enter_pretrained(world, path, monkeypatch):
    build_runner(reid_config(ROOT, world / 'people', world / 'x', pretrained=path)).train()


def enter_test(world, path, monkeypatch):
    cfg = reid_config(ROOT, world / 'people', world / 'x')
    prepare_test(cfg, path)
    build_runner(cfg).test()


def tool(folder, name, *arguments):
    def enter(world, path, monkeypatch):
        places = dict(config=world / 'reid.py', checkpoint=path, people=world / 'people' / 'query')
        places['out'] = path.with_suffix('.out')
        _tool(name, folder, [str(word).format(**places) for word in arguments], monkeypatch)

    return enter


ENTRIES = {
    'load_from': enter_load_from,
    'resume': enter_resume,
    'init_cfg': enter_pretrained,
    'test': enter_test,
    'read_checkpoint': lambda world, path, _: read_checkpoint(path),
    'load_weights': lambda world, path, _: load_weights(PartViT('deit-tiny', img_size=32), path),
    'get_model': lambda world, path, _: get_model(world / 'reid.py', path),
    'ReIDInferencer': lambda world, path, _: ReIDInferencer(world / 'reid.py', path),
    'tools/test.py': tool('', 'test', '{config}', '{checkpoint}'),
    'tools/train.py --resume': tool('', 'train', '{config}', '--resume', '{checkpoint}'),
    'cluster_gallery': tool(
        '', 'cluster_gallery', '{config}', '{checkpoint}', '{people}', '--out', '{out}'
    ),
    'pass_to_passreid': tool('model_converters', 'pass_to_passreid', '{checkpoint}', '{out}'),
    'passreid_to_pass': tool(
        'model_converters', 'passreid_to_pass', '{checkpoint}', '{out}', '--kind', 'backbone'
    ),
    'passreid_to_timm': tool('model_converters', 'passreid_to_timm', '{checkpoint}', '{out}'),
    'vit_to_passreid': tool('model_converters', 'vit_to_passreid', '{checkpoint}', '{out}'),
    'export_onnx': tool('deployment', 'export_onnx', '{config}', '{checkpoint}', '--out', '{out}'),
}
# What takes other weights than those of the model of the config.
SOURCES = {
    'pass_to_passreid': lambda state: to_pass_checkpoint(state, 'supervised'),
    'passreid_to_timm': lambda state: {k: v for k, v in state.items() if 'part_token' not in k},
}
# To read is not to use: read_checkpoint gives what is there.
CASES = [
    (form, entry)
    for form in ('program', 'truncated', 'text', 'NaN')
    for entry in ENTRIES
    if (form, entry) != ('NaN', 'read_checkpoint')
]


@pytest.mark.parametrize('form, entry', CASES)
def test_every_way_in(world, tried, tmp_path, monkeypatch, form, entry):
    good, trap, path = (world / 'good.pth').read_bytes(), tmp_path / 'trap', tmp_path / 'bad.pth'
    if form == 'NaN':
        state = torch.load(io.BytesIO(good))
        state = {k: v + torch.nan if v.is_floating_point() else v for k, v in state.items()}
        good = saved(SOURCES.get(entry, dict)(state))
    data = {
        'program': in_archive(pickle.dumps({'state_dict': PickledCall(trap)}, protocol=2)),
        'truncated': good[:-500],
        'text': b'this is no checkpoint',
        'NaN': good,
    }[form]
    path.write_bytes(data)
    with quick_start(), pytest.raises(REFUSALS) as caught:
        ENTRIES[entry](world, path, monkeypatch)
    assert not trap.exists()
    assert not path.with_suffix('.out').exists()
    chain = [caught.value, caught.value.__cause__, caught.value.__context__]
    text = ' '.join(str(error) for error in chain)
    assert 'bad.pth' in text and (form != 'NaN' or 'not finite' in text)
    what = {'program': 'pickles with code', 'NaN': 'NaN'}.get(form, 'damaged files')
    tried(AREA, f'{what} by every way in: runs, tools, converters, exporters', 'refused')


class PickledCall:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)
