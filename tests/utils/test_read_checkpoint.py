import http.server
import threading

import pytest
import torch
from safetensors.torch import save_file

from passreid.utils import UnsafeCheckpointError
from passreid.utils.checkpoint_loading import read_checkpoint

WEIGHTS = {'weight': torch.arange(100.0)}


class Harmful:
    """Would run a function when unpickled."""

    def __reduce__(self):
        return print, ('this must not run',)


@pytest.mark.parametrize('as_text', [True, False])
def test_local_file(tmp_path, as_text):
    path = tmp_path / 'a.pth'
    torch.save({'state_dict': WEIGHTS, 'epoch': 3}, path)
    content = read_checkpoint(str(path) if as_text else path)
    assert content['epoch'] == 3
    assert torch.equal(content['state_dict']['weight'], WEIGHTS['weight'])


def test_safetensors(tmp_path):
    path = tmp_path / 'model.safetensors'
    save_file(WEIGHTS, path)
    assert torch.equal(read_checkpoint(path)['weight'], WEIGHTS['weight'])


@pytest.mark.parametrize('length', [10, 300, 1000, -200])
@pytest.mark.parametrize('name', ['a.pth', 'a.safetensors'])
def test_truncated_file(tmp_path, name, length):
    path = tmp_path / name
    weights = {'weight': torch.arange(2000.0)}
    save_file(weights, path) if name.endswith('safetensors') else torch.save(weights, path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(RuntimeError, match=f'{name} cannot be read, it is damaged'):
        read_checkpoint(path)


def test_code_is_refused(tmp_path, capsys):
    torch.save({'state_dict': WEIGHTS, 'x': Harmful()}, tmp_path / 'a.pth')
    with pytest.raises(UnsafeCheckpointError, match=r'a\.pth was refused'):
        read_checkpoint(tmp_path / 'a.pth')
    assert 'must not run' not in capsys.readouterr().out


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no checkpoint .*none\.pth'):
        read_checkpoint(tmp_path / 'none.pth')


def test_something_else_than_weights(tmp_path):
    torch.save(WEIGHTS['weight'], tmp_path / 'a.pth')
    with pytest.raises(TypeError, match=r'a\.pth holds a Tensor.*state_dict'):
        read_checkpoint(tmp_path / 'a.pth')


def test_an_address_is_read_as_safely(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    torch.save(WEIGHTS, tmp_path / 'good.pth')
    torch.save({'x': Harmful()}, tmp_path / 'bad.pth')

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f'http://127.0.0.1:{server.server_port}'
        content = read_checkpoint(f'{address}/good.pth')
        with pytest.raises(UnsafeCheckpointError):
            read_checkpoint(f'{address}/bad.pth')
        server.shutdown()
    assert torch.equal(content['weight'], WEIGHTS['weight'])
    assert 'must not run' not in capsys.readouterr().out
