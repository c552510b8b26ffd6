"""Exported models that are damaged, or that somebody else has written."""

import io
import zipfile

import onnx
import pytest
from hostile_checkpoints import saved
from hostile_payload import PICKLES
from tiny_models import people_model

from passreid.deployment import (
    ExportableModel,
    export_onnx,
    export_program,
    export_torchscript,
    open_exported,
)

AREA = 'hostile input'
EXPORTERS = {'.onnx': export_onnx, '.pt': export_torchscript, '.pt2': export_program}
# What in an archive is read by an unpickler.
PICKLED = {'.pt': '.pkl', '.pt2': '.pt'}
INFOS = {
    'a list': '[]',
    'an object without entries': '{}',
    'no JSON': 'text',
    'deep': '[' * 100_000,
    'another entry': '{"input_size": [1, 1], "mean": [], "std": [], "newer": 1}',
    'a number': '{"input_size": 3, "mean": [], "std": []}',
}


@pytest.fixture(scope='module')
def good(tmp_path_factory):
    """Exported files of a model by their format."""
    folder, model = tmp_path_factory.mktemp('exports'), ExportableModel(people_model())
    files = {suffix: folder / f'model{suffix}' for suffix in EXPORTERS}
    for suffix, file in files.items():
        EXPORTERS[suffix](model, file)
    return {suffix: file.read_bytes() for suffix, file in files.items()}


def assert_refused(path, problem='is damaged'):
    with pytest.raises((RuntimeError, ValueError), match=f'^{path} .*{problem}'):
        open_exported(path)


def repacked(data, change):
    """Write an archive with the content of each member changed."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(packed, 'w') as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return packed.getvalue()


@pytest.mark.parametrize('suffix', EXPORTERS)
def test_truncated(good, tried, tmp_path, suffix):
    path, whole = tmp_path / f'model{suffix}', len(good[suffix])
    for length in (1, 100, whole // 2, whole - 200, whole - 1):
        path.write_bytes(good[suffix][:length])
        assert_refused(path)
    tried(AREA, 'exported models truncated', 'refused: named the file', 5)


@pytest.mark.parametrize('suffix', EXPORTERS)
@pytest.mark.parametrize('data', [b'', b'this is no model', bytes(4096), saved({'a': 1})])
def test_other_files(tried, tmp_path, suffix, data):
    path = tmp_path / f'model{suffix}'
    path.write_bytes(data)
    assert_refused(path, '')
    tried(AREA, 'exported models: other files', 'refused: named the file')


@pytest.mark.parametrize('suffix', EXPORTERS)
@pytest.mark.parametrize('kind', PICKLES)
def test_pickles_with_code(good, tried, tmp_path, suffix, kind):
    """As the file, and in place of the pickles and tensors within it."""
    path, trap = tmp_path / f'model{suffix}', tmp_path / 'trap'
    evil = PICKLES[kind](trap)
    files = [evil]
    if suffix in PICKLED:
        files.append(
            repacked(good[suffix], lambda n, old: evil if n.endswith(PICKLED[suffix]) else old)
        )
    for data in files:
        path.write_bytes(data)
        assert_refused(path)
        assert not trap.exists()
    tried(AREA, 'exported models: pickles with code', 'refused, nothing run', len(files))


@pytest.mark.parametrize('info', INFOS.values(), ids=INFOS)
def test_what_they_say_of_themselves(good, tried, tmp_path, info):
    graph = onnx.load_from_string(good['.onnx'])
    del graph.metadata_props[:]
    onnx.helper.set_model_props(graph, {'passreid': info})
    onnx.save(graph, tmp_path / 'model.onnx')
    assert_refused(tmp_path / 'model.onnx', 'does not say what it takes .*passreid')
    tried(AREA, 'exported models that say of themselves what is wrong', 'refused: named the file')


def test_weights_elsewhere(good, tried, tmp_path):
    """ONNX may name a file that holds its weights, which must lie beside it."""
    (tmp_path / 'secret').write_bytes(bytes(1 << 20))
    (tmp_path / 'model').mkdir()
    graph = onnx.load_from_string(good['.onnx'])
    weight = max(graph.graph.initializer, key=lambda weight: len(weight.raw_data))
    for location in ('../secret', str(tmp_path / 'secret')):
        weight.ClearField('raw_data')
        del weight.external_data[:]
        weight.data_location = onnx.TensorProto.EXTERNAL
        weight.external_data.add(key='location', value=location)
        path = tmp_path / 'model' / 'model.onnx'
        path.write_bytes(graph.SerializeToString())
        assert_refused(path)
        tried(AREA, 'exported models: path traversal to weights', 'refused: named the file')
