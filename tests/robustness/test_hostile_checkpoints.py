"""Checkpoints that are damaged, of other models, or programs: refused by name, nothing run."""

import io
import struct
import zipfile

import pytest
import torch
from tiny_runs import quick_start

from passreid import ReIDInferencer
from passreid.apis import build_runner, load_weights
from passreid.models import PartViT

ARCH = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)


def backbone(num_parts=3, **changes):
    torch.manual_seed(0)
    return PartViT(ARCH | changes, img_size=(32, 16), patch_size=8, num_parts=num_parts)


def saved(content, **options):
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def with_pickle(data):
    """Return a torch archive whose pickle is another."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(GOOD)) as old, zipfile.ZipFile(file, 'w') as new:
        for name in old.namelist():
            new.writestr(name, data if name.endswith('data.pkl') else old.read(name))
    return file.getvalue()


def changed(change):
    return saved({name: change(value) for name, value in WEIGHTS.items()})


WEIGHTS = backbone().state_dict()
GOOD = saved(WEIGHTS)
# A header that tells of four terabytes.
HUGE = b'{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,16]}}'
FILES = {
    'empty': b'',
    'HTML': b'<html>' * 50,
    'truncated': GOOD[:-500],
    'truncated, legacy': saved(WEIGHTS, _use_new_zipfile_serialization=False)[:-500],
    'list': saved([1, 2]),
    'no weights': saved({}),
    'text for weights': saved({'state_dict': 'text'}),
    'optimizer alone': saved({'optimizer': {'state': {}}}),
    'whole module': saved(backbone()),
    'NaN': changed(lambda value: value * torch.nan),
    'infinity': changed(lambda value: value + torch.inf),
    'other shapes': changed(lambda value: value.flatten()[:1]),
    '2 parts': saved(backbone(2).state_dict()),
    'wider': saved(backbone(embed_dims=32).state_dict()),
    'shallower': saved(backbone(num_layers=1).state_dict()),
    'another model': saved(torch.nn.Linear(3, 3).state_dict()),
    'short.safetensors': b'{}',
    'huge.safetensors': struct.pack('<Q', len(HUGE)) + HUGE + bytes(16),
}


@pytest.mark.parametrize('case', FILES)
def test_files(tmp_path, case):
    path = tmp_path / (case if '.' in case else 'strange.pth')
    path.write_bytes(FILES[case])
    with pytest.raises(Exception, match=str(path)):
        load_weights(backbone(), path)


@pytest.mark.parametrize('form', ['file', 'archive'])
def test_programs(tmp_path, program, form):
    path = tmp_path / 'strange.pth'
    path.write_bytes(program if form == 'file' else with_pickle(program))
    with pytest.raises(Exception, match=str(path)):
        load_weights(backbone(), path)


def train(run, path, **changes):
    cfg = run.cfg.copy()
    cfg.merge_from_dict(changes)
    build_runner(cfg).train()


WAYS_IN = {
    'load_from': lambda run, path: train(run, path, load_from=str(path)),
    'resume': lambda run, path: train(run, path, load_from=str(path), resume=True),
    'init_cfg': lambda run, path: train(
        run, path, **{'model.backbone.init_cfg': dict(type='Pretrained', checkpoint=str(path))}
    ),
    'ReIDInferencer': lambda run, path: ReIDInferencer(run.cfg, path),
}


@pytest.mark.parametrize('way', WAYS_IN)
@pytest.mark.parametrize('program', ['last protocol'], indirect=True)
def test_every_way_in(tiny_run, tmp_path, program, way):
    path = tmp_path / 'strange.pth'
    path.write_bytes(with_pickle(program))
    with quick_start(), pytest.raises(Exception, match=str(path)):
        WAYS_IN[way](tiny_run('fine-tuning'), path)
