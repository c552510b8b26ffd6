import pytest

from passreid.deployment.files import import_optional, written_whole


def test_takes_its_place_at_the_end(tmp_path):
    path = tmp_path / 'new' / 'model.onnx'
    with written_whole(path, '.onnx') as partial:
        partial.write_text('content')
        assert partial.name == 'model.onnx'
        assert not path.exists()
    assert path.read_text() == 'content'
    assert list(path.parent.iterdir()) == [path]


def test_files_beside_it_come_along(tmp_path):
    with written_whole(tmp_path / 'model.onnx', '.onnx') as partial:
        partial.write_text('content')
        partial.with_name('model.onnx.data').write_text('weights')
    assert sorted(file.name for file in tmp_path.iterdir()) == ['model.onnx', 'model.onnx.data']


def test_failure_leaves_what_was_there(tmp_path):
    path = tmp_path / 'model.onnx'
    path.write_text('before')
    with pytest.raises(KeyError), written_whole(path, '.onnx') as partial:
        partial.write_text('half')
        raise KeyError
    assert path.read_text() == 'before'
    assert list(tmp_path.iterdir()) == [path]


def test_import_optional():
    assert import_optional('math').floor(1.5) == 1
    with pytest.raises(ImportError, match='needs the package nowhere: pip install'):
        import_optional('nowhere.part')
