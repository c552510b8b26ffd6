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

from passreid.utils import UnsafeCheckpointError, load_checkpoint_file, secure_checkpoint_loading
from passreid.utils.checkpoint_loading import weights_only_loading


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


def _served(folder, name):
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    handler.log_message = lambda *_: None
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f'http://127.0.0.1:{server.server_port}/{name}'


def test_files_of_mmengine_and_dino_load(saved):
    history = HistoryBuffer([0.5, 0.25], [1, 1])
    content = {
        'history': history,
        'score': np.float64(0.5),
        'counts': np.arange(3),
        'args': argparse.Namespace(arch='vit_small'),
        'weight': torch.ones(2),
    }
    loaded = load_checkpoint_file(saved(content))
    assert loaded['history'].mean() == 0.375
    assert loaded['score'] == 0.5
    assert loaded['counts'].tolist() == [0, 1, 2]
    assert loaded['args'].arch == 'vit_small'
    assert loaded['weight'].tolist() == [1, 1]


@pytest.mark.parametrize('code', '?bBhHiIlLqQefdgFDGSU')
def test_plain_numbers_and_text_of_numpy_load(saved, code):
    array = np.array(['1', '0']).astype(code)
    loaded = load_checkpoint_file(saved({'array': array, 'scalar': array[0]}))
    assert loaded['array'].dtype == array.dtype and loaded['array'].tolist() == array.tolist()
    assert loaded['scalar'] == array[0]


def test_numpy_objects_are_refused(saved):
    with pytest.raises(UnsafeCheckpointError, match='numpy.dtype') as caught:
        load_checkpoint_file(saved(np.array([{}, None], object)))
    assert 'add_safe_globals' not in str(caught.value)


@pytest.mark.parametrize('protocol', [2, 4])
def test_a_bare_pickle_is_refused_by_name(tmp_path, protocol):
    (tmp_path / 'a.pth').write_bytes(pickle.dumps(Call(os.system, 'true'), protocol))
    with pytest.raises(UnsafeCheckpointError, match='a.pth.*system'):
        load_checkpoint_file(tmp_path / 'a.pth')


@pytest.mark.parametrize(
    'call', [Call(getattr, torch.nn.Linear, 'forward'), Call(operator.attrgetter, 'forward')]
)
def test_what_others_allow_is_refused(saved, call):
    """A fork of mmengine allows the real getattr."""
    path, allowed = saved(call), call.call[0]
    before = set(torch.serialization.get_safe_globals())
    with torch.serialization.safe_globals([allowed]):
        with pytest.raises(UnsafeCheckpointError, match=f'{path} was refused'):
            load_checkpoint_file(path)
        secure_checkpoint_loading()
        with pytest.raises(UnsafeCheckpointError, match=f'{path} was refused'):
            load_into_model(torch.nn.Linear(1, 1), str(path))
        assert allowed in torch.serialization.get_safe_globals()
    assert set(torch.serialization.get_safe_globals()) == before


def test_a_class_is_named(saved):
    for content, name in ((torch.nn.Linear(1, 1), 'Linear'), (Call(os.getcwd), 'getcwd')):
        with pytest.raises(UnsafeCheckpointError, match=name):
            load_checkpoint_file(saved(content))


def test_command_is_refused_and_not_run(saved, tmp_path):
    marker = tmp_path / 'executed'
    path = saved({'weight': Call(os.system, f'touch {marker}')})
    with pytest.raises(UnsafeCheckpointError, match=rf'{path} was refused.*system'):
        load_checkpoint_file(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    ('owner', 'name'),
    [(HistoryBuffer, '__init__'), (HistoryBuffer, '__subclasses__'), (np.ndarray, 'mean')],
)
def test_getattr_reaches_methods_of_histories_only(saved, owner, name):
    # With the real getattr among the allowed functions these would lead to any module.
    with pytest.raises(UnsafeCheckpointError, match='attribute .* is not allowed'):
        load_checkpoint_file(saved(Call(getattr, owner, name)))


def test_error_gives_no_dangerous_advice(saved):
    with pytest.raises(UnsafeCheckpointError) as caught:
        load_checkpoint_file(saved(Call(os.getcwd)))
    assert 'weights_only' not in str(caught.value)


def test_truncated_file_is_named(saved):
    path = saved({'weight': torch.ones(1000)})
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(RuntimeError, match=rf'{path} cannot be read, it is damaged'):
        load_checkpoint_file(path)


def test_very_short_file_is_named(saved):
    """In front of its beginning torch looks for the end of the archive."""
    path = saved({'weight': torch.ones(1000)})
    path.write_bytes(path.read_bytes()[:10])
    with pytest.raises(RuntimeError, match=rf'{path} cannot be read, it is damaged'):
        load_checkpoint_file(path)


def test_empty_file_is_named(tmp_path):
    path = tmp_path / 'empty.pth'
    path.touch()
    with pytest.raises(RuntimeError, match=rf'{path} cannot be read, it is damaged'):
        load_checkpoint_file(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='none.pth'):
        load_checkpoint_file(tmp_path / 'none.pth')


def test_every_scheme_of_mmengine_is_secured_once():
    secure_checkpoint_loading()
    before = dict(CheckpointLoader._schemes)
    secure_checkpoint_loading()
    assert before == CheckpointLoader._schemes
    modules = {loader.__module__ for loader in before.values()}
    assert modules == {'passreid.utils.checkpoint_loading'}


def test_storages_that_are_not_known_are_refused():
    secure_checkpoint_loading()
    with pytest.raises(ValueError, match='s3://bucket/a.pth'):
        CheckpointLoader.load_checkpoint('s3://bucket/a.pth')


def test_environment_cannot_switch_it_off(saved, monkeypatch, tmp_path):
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    marker = tmp_path / 'executed'
    path = saved(Call(os.system, f'touch {marker}'))
    secure_checkpoint_loading()
    with pytest.raises(UnsafeCheckpointError):
        load_into_model(torch.nn.Linear(1, 1), str(path))
    assert not marker.exists()
    assert os.environ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'] == '1'


def test_downloads_are_as_safe_as_files(saved, monkeypatch, tmp_path):
    # torch.hub asks for weights_only=False.
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'hub'))
    secure_checkpoint_loading()
    marker = tmp_path / 'executed'
    path = saved(Call(os.system, f'touch {marker}'))
    server, url = _served(tmp_path, path.name)
    try:
        with pytest.raises(UnsafeCheckpointError, match='file.pth was refused'):
            load_into_model(torch.nn.Linear(1, 1), url)
    finally:
        server.shutdown()
        server.server_close()
    assert not marker.exists()


def test_other_loads_are_not_affected_afterwards(saved):
    path = saved(argparse.Namespace(kept=1))
    with weights_only_loading():
        assert torch.load(path).kept == 1
    with pytest.raises(Exception, match='argparse.Namespace'):
        torch.load(path, weights_only=True)
    assert torch.load(path, weights_only=False).kept == 1
    assert 'TORCH_FORCE_WEIGHTS_ONLY_LOAD' not in os.environ


@pytest.mark.parametrize('legacy', [False, True])
def test_damage_of_any_kind_is_named(tmp_path, legacy):
    path = tmp_path / 'a.pth'
    torch.save({'weight': torch.arange(9.0)}, path, _use_new_zipfile_serialization=not legacy)
    data = path.read_bytes()
    place = data.index(b'weight')
    for damage in (b'\xff', b''):
        path.write_bytes(data[:place] + damage + data[place + 1 :] if damage else data[:-9])
        with pytest.raises(RuntimeError, match=f'{path} cannot be read, it is damaged'):
            load_checkpoint_file(path)
