"""Checkpoints that are damaged, of other models, or programs."""

import io
import os
import pickle
import re
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from hostile_checkpoints import REFUSALS, in_archive, saved, zipped_again
from hostile_payload import PICKLES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from passreid.apis import load_weights
from passreid.models import PartViT

AREA = 'hostile input'
ROOT = Path(__file__).parents[2]
ARCH = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)


def backbone(num_parts=3, **changes):
    return PartViT(ARCH | changes, img_size=(32, 16), patch_size=8, num_parts=num_parts)


@pytest.fixture(scope='module')
def weights():
    model = backbone()
    model.init_weights()
    return model.state_dict()


@pytest.fixture
def load(tmp_path):
    """Load bytes into a backbone; returns the report."""

    def run(data, model=None, name='strange.pth'):
        path = tmp_path / name
        path.write_bytes(data)
        return load_weights(model or backbone(), path)

    return run


@pytest.fixture
def refuse(load, tmp_path):
    """Assert that bytes are refused by a message that names the file."""

    def run(data, model=None, name='strange.pth'):
        with pytest.raises(REFUSALS) as caught:
            load(data, model, name)
        assert str(tmp_path / name) in str(caught.value)
        return str(caught.value)

    return run


@pytest.mark.parametrize('legacy', [False, True])
def test_files_that_end_anywhere(refuse, weights, tried, full, legacy):
    data = saved(weights, _use_new_zipfile_serialization=not legacy)
    lengths = {*range(0, 12), *range(0, len(data), len(data) // (1000 if full else 60))}
    lengths |= {len(data) - number for number in (1, 2, 8, 22, 64)}
    for length in lengths:
        refuse(data[:length])
    tried(AREA, 'checkpoints truncated anywhere', 'refused: named the file', len(lengths))


@pytest.mark.parametrize('part', ['anywhere', 'pickle', 'legacy'])
def test_changed_bytes(load, weights, tried, full, tmp_path, part):
    data = saved(weights, _use_new_zipfile_serialization=part != 'legacy')
    size = 1500 if part != 'anywhere' else len(data)
    seen = []

    @settings(
        max_examples=2000 if full else 60,
        deadline=None,
        database=None,
        derandomize=not full,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.lists(st.tuples(st.integers(0, size - 1), st.integers(0, 255)), min_size=1, max_size=4)
    )
    @pytest.mark.filterwarnings('ignore')
    def run(changes):
        seen.append(1)

        def change(name, content):
            if part == 'pickle' and not name.endswith('data.pkl'):
                return content
            content = bytearray(content)
            for index, value in changes:
                content[index % len(content)] = value
            return bytes(content)

        changed = zipped_again(data, change) if part == 'pickle' else change('', data)
        try:
            report = load(changed)
        except REFUSALS as error:
            assert str(tmp_path) in str(error)
            return
        assert report.share >= 0.75

    run()
    outcome = 'refused: named the file, or loaded and reported'
    tried(AREA, 'checkpoints with changed bytes', outcome, len(seen))


@pytest.mark.parametrize(
    'data',
    [
        b'',
        b'x',
        b'hello',
        b'<html>' * 50,
        bytes(5000),
        b'PK\x03\x04',
        b'\x80\x02.',
        b'\xc3\x28' * 999,
    ],
    ids=['empty', 'one byte', 'text', 'HTML', 'zeros', 'zip header', 'pickle of nothing', 'noise'],
)
@pytest.mark.parametrize('name', ['strange.pth', 'strange.safetensors'])
def test_files_that_are_no_checkpoint(refuse, tried, data, name):
    refuse(data, name=name)
    tried(AREA, 'checkpoints: empty, text, other files', 'refused: named the file')


@pytest.mark.parametrize('lacking', ['data.pkl', 'data/0', 'data/3', 'version', 'byteorder'])
@pytest.mark.parametrize('how', ['gone', 'empty', 'short'])
def test_archives_that_lack_something(load, weights, tried, lacking, how):
    cut = {'gone': lambda content: None, 'empty': lambda content: b''}.get(how, lambda c: c[:8])
    data = zipped_again(saved(weights), lambda n, c: cut(c) if n.endswith(lacking) else c)
    try:
        # What says how the file was written is not needed.
        assert load(data).clean
        outcome = 'loaded whole'
    except REFUSALS as error:
        assert 'strange.pth' in str(error)
        outcome = 'refused: named the file'
    assert outcome == 'refused: named the file' or 'data' not in lacking
    tried(AREA, 'checkpoints: archives without pickle, storages, version', outcome)


@pytest.mark.parametrize(
    'name',
    ['../../trap', '/tmp/trap', '..\\trap', 'archive/../../trap', 'archive/data/../../../trap'],
)
def test_names_in_archives_lead_nowhere(load, weights, tried, tmp_path, name):
    file = io.BytesIO(saved(weights))
    with zipfile.ZipFile(file, 'a') as archive:
        archive.writestr(name, 'text')
    before = sorted(tmp_path.parent.rglob('*'))
    try:
        load(file.getvalue())
    except REFUSALS as error:
        assert 'strange.pth' in str(error)
    after = sorted(tmp_path.parent.rglob('*'))
    assert [path for path in after if path not in before] == [tmp_path / 'strange.pth']
    assert not Path('/tmp/trap').exists()
    tried(AREA, 'checkpoints: path traversal in archives', 'nothing written')


@pytest.mark.parametrize(
    'content',
    [
        [1, 2],
        torch.ones(3),
        None,
        'text',
        {},
        {1: torch.ones(2)},
        {(1, 2): torch.ones(2)},
        {'state_dict': 'text'},
        {'state_dict': [1]},
        {'state_dict': {}},
        {'state_dict': {'a': 'b'}},
        {'model': {'state_dict': {'teacher': {}}}},
        {'optimizer': {'state': {}}},
    ],
    ids=lambda content: str(content)[:24],
)
def test_content_that_is_no_weights(refuse, tried, content):
    refuse(saved(content))
    tried(AREA, 'checkpoints: content that is no weights', 'refused: named the file')


@pytest.mark.parametrize(
    'change',
    [
        lambda value: torch.full_like(value, float('nan')),
        lambda value: torch.full_like(value, float('inf')),
        lambda value: value.to(torch.int8),
        lambda value: value.to(torch.int64),
        lambda value: value.bool(),
        lambda value: value.to(torch.complex64),
        lambda value: value.to_sparse(),
        lambda value: value.to('meta'),
        lambda value: torch.ones(1).expand(1 << 42),
        lambda value: value.flatten()[:1],
        lambda value: torch.zeros(0),
    ],
    ids=['nan', 'inf', 'int8', 'int64', 'bool', 'complex', 'sparse', 'meta', '4 TB', 'one', 'none'],
)
def test_values_that_are_no_weights(refuse, weights, tried, change):
    refuse(saved({name: change(value) for name, value in weights.items()}))
    tried(AREA, 'checkpoints: NaN, other types, huge declared sizes', 'refused: named the file')


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_loaded(load, weights, tried, dtype):
    model = backbone()
    assert load(saved({k: v.to(dtype) for k, v in weights.items()}), model).clean
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, weights[name].to(dtype).float())
    tried(AREA, 'checkpoints: fp16, bf16, fp64', 'loaded, values right')


@pytest.mark.parametrize('name', ['cls_token', 'pos_embed', 'cls_position', 'part_tokens.0'])
@pytest.mark.parametrize('shape', [(), (0,), (5,), (1, 1, 1, 1, 1), (2, 9, 16), (1, 0, 16)])
def test_shapes_of_other_models(load, weights, tried, name, shape):
    try:
        report = load(saved(weights | {name: torch.ones(shape)}))
    except REFUSALS as error:
        assert 'strange.pth' in str(error)
        tried(AREA, 'checkpoints: tensors of other shapes', 'refused: named the file')
        return
    assert not report.clean
    assert name in report.initialised
    tried(AREA, 'checkpoints: tensors of other shapes', 'reported: named the tensor')


@pytest.mark.parametrize(
    ('other', 'problem'),
    [
        (lambda: backbone(2), '2 part tokens, the model has num_parts=3'),
        (lambda: backbone(5), '5 part tokens, the model has num_parts=3'),
        (lambda: backbone(embed_dims=32), 'Only .* of the backbone'),
        (lambda: backbone(num_layers=1), 'Only .* of the backbone'),
        (lambda: torch.nn.Linear(3, 3), 'No parameter of PartViT was loaded'),
        (lambda: torch.nn.BatchNorm2d(3), 'No parameter of PartViT was loaded'),
    ],
    ids=['2 parts', '5 parts', 'wider', 'shallower', 'linear', 'batch norm'],
)
def test_other_architectures(refuse, tried, other, problem):
    assert re.search(problem, refuse(saved(other().state_dict())))
    tried(AREA, 'checkpoints: another architecture, number of parts', 'refused: said what')


@pytest.mark.parametrize('change', ['header', 'size', 'offset', 'type', 'json', 'shape'])
def test_damaged_safetensors(refuse, tried, change):
    header = {
        'header': b'{}',
        'size': b'{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}',
        'offset': b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[8,24]}}',
        'type': b'{"a":{"dtype":"X9","shape":[4],"data_offsets":[0,16]}}',
        'json': b'[' * 10_000,
        'shape': b'{"a":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}}',
    }[change]
    length = 1 << 60 if change == 'header' else len(header)
    refuse(struct.pack('<Q', length) + header + bytes(16), name='strange.safetensors')
    tried(AREA, 'checkpoints: damaged safetensors', 'refused: named the file')


@pytest.mark.parametrize('form', ['bare', 'archive'])
@pytest.mark.parametrize('name', PICKLES)
def test_no_program_is_run(refuse, tried, tmp_path, name, form):
    trap = tmp_path / 'trap'
    data = PICKLES[name](trap)
    refuse(data if form == 'bare' else in_archive(data))
    assert not os.path.lexists(trap)
    tried(AREA, 'checkpoints: pickles with code', 'refused, nothing run')


def test_whole_module_is_refused(refuse, tried):
    assert 'PartViT' in refuse(saved(backbone()))
    tried(AREA, 'checkpoints: whole pickled modules', 'refused: named the class')


def test_traps_work(tmp_path):
    """What the tests above refuse would run."""
    for name, make in PICKLES.items():
        trap = tmp_path / name
        if name not in ('getattr', 'partial'):
            pickle.loads(make(trap))
            assert trap.exists(), name
