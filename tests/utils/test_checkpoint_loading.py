import argparse
import http.server
import operator
import os
import pickle
import threading
from functools import partial

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader
from mmengine.runner.checkpoint import load_checkpoint as load_into_model
from safetensors.torch import save_file

from passreid.utils import UnsafeCheckpointError, load_checkpoint_file, secure_checkpoint_loading
from passreid.utils.checkpoint_loading import read_checkpoint

WEIGHTS = {'weight': torch.arange(2000.0)}


class Call:
    """Pickles as the call of a function."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.fixture
def saved(tmp_path):
    def save(content):
        path = tmp_path / 'file.pth'
        torch.save(content, path)
        return path

    return save


@pytest.fixture
def served(tmp_path, monkeypatch):
    """The address of a folder."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'hub'))
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


def test_files_of_mmengine_and_dino_load(saved):
    arrays = {code: np.array(['1', '0']).astype(code) for code in '?bhilfdFDSU'}
    content = {
        'history': HistoryBuffer([0.5, 0.25], [1, 1]),
        'args': argparse.Namespace(arch='vit_small'),
        'weight': torch.ones(2),
        'arrays': arrays,
        'scalars': [array[0] for array in arrays.values()],
    }
    loaded = load_checkpoint_file(saved(content))
    assert loaded['history'].mean() == 0.375
    assert loaded['args'].arch == 'vit_small'
    assert loaded['weight'].tolist() == [1, 1]
    assert loaded['scalars'] == content['scalars']
    for code, array in arrays.items():
        assert loaded['arrays'][code].dtype == array.dtype
        assert loaded['arrays'][code].tolist() == array.tolist()


@pytest.mark.parametrize(
    ('content', 'named'),
    [
        (np.array([{}, None], object), 'numpy.dtypes'),
        (torch.nn.Linear(1, 1), 'Linear'),
        (Call(os.getcwd), 'getcwd'),
        (Call(getattr, HistoryBuffer, '__subclasses__'), 'attribute .* not allowed'),
        (Call(getattr, np.ndarray, 'mean'), 'attribute .* not allowed'),
        (Call(getattr, torch.nn.Linear, 'forward'), 'Linear'),
        (Call(operator.attrgetter, 'forward'), 'attrgetter'),
    ],
)
def test_what_is_refused(saved, content, named):
    path = saved(content)
    before = set(torch.serialization.get_safe_globals())
    # A fork of mmengine allows the real getattr.
    with torch.serialization.safe_globals([getattr, operator.attrgetter]):
        with pytest.raises(UnsafeCheckpointError, match=f'{path} was refused.*{named}') as caught:
            load_checkpoint_file(path)
        assert getattr in torch.serialization.get_safe_globals()
    assert set(torch.serialization.get_safe_globals()) == before
    assert 'add_safe_globals' not in str(caught.value) and 'weights_only' not in str(caught.value)


@pytest.mark.parametrize('way', ['file', 'mmengine', 'address'])
def test_commands_are_not_run(saved, served, monkeypatch, tmp_path, way):
    """Neither the environment nor torch.hub, which asks for it, can switch the safeguard off."""
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    secure_checkpoint_loading()
    marker = tmp_path / 'executed'
    path = str(saved({'weight': Call(os.system, f'touch {marker}')}))
    with pytest.raises(UnsafeCheckpointError, match=r'file.pth was refused.*system'):
        if way == 'mmengine':
            load_into_model(torch.nn.Linear(1, 1), path)
        else:
            read_checkpoint(path if way == 'file' else f'{served}/file.pth')
    assert not marker.exists()
    assert os.environ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'] == '1'


@pytest.mark.filterwarnings('ignore:Detected pickle protocol')
def test_other_files(saved, tmp_path):
    save_file(WEIGHTS, tmp_path / 'model.safetensors')
    content = read_checkpoint(tmp_path / 'model.safetensors')
    assert torch.equal(content['weight'], WEIGHTS['weight'])
    with pytest.raises(FileNotFoundError, match='none.pth'):
        read_checkpoint(tmp_path / 'none.pth')
    with pytest.raises(TypeError, match=r'file\.pth holds a Tensor'):
        read_checkpoint(saved(torch.ones(1)))
    (tmp_path / 'bare.pth').write_bytes(pickle.dumps(Call(os.system, 'true')))
    with pytest.raises(UnsafeCheckpointError, match='bare.pth was refused'):
        read_checkpoint(tmp_path / 'bare.pth')


def test_an_address_is_read(saved, served, tmp_path):
    path = saved(WEIGHTS)
    assert torch.equal(read_checkpoint(f'{served}/file.pth')['weight'], WEIGHTS['weight'])
    # Another file of that name.
    (tmp_path / 'other').mkdir()
    torch.save({'weight': torch.ones(1)}, tmp_path / 'other' / path.name)
    assert read_checkpoint(f'{served}/other/file.pth')['weight'].tolist() == [1]


@pytest.mark.parametrize('length', [0, 300, -200])
@pytest.mark.parametrize('save', [torch.save, save_file])
def test_truncated_file_is_named(tmp_path, save, length):
    path = tmp_path / f'a.{"pth" if save is torch.save else "safetensors"}'
    save(WEIGHTS, path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(RuntimeError, match=f'{path} cannot be read'):
        read_checkpoint(path)


def test_every_scheme_of_mmengine_is_secured_once():
    secure_checkpoint_loading()
    before = dict(CheckpointLoader._schemes)
    secure_checkpoint_loading()
    assert before == CheckpointLoader._schemes
    modules = {loader.__module__ for loader in before.values()}
    assert modules == {'passreid.utils.checkpoint_loading'}
