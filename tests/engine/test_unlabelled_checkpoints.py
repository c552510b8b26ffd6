"""Checkpoints of training without labels, ours and the authors', in models of each kind."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_runs import ARCH, cluster_config, quick_start, reid_config, write_people

from passreid.apis import build_runner, prepare_test
from passreid.models.converters import part_vit_key

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module', autouse=True)
def quick():
    with quick_start():
        yield


@pytest.fixture(scope='module')
def people(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp('people'))


def drawn(cfg, **changes):
    """Build a model whose weights, those of the necks included, are no default."""
    cfg.merge_from_dict(changes)
    model = build_runner(cfg).model
    model.init_weights()
    generator = torch.Generator().manual_seed(5)
    for name, value in model.state_dict().items():
        if value.is_floating_point() and not name.endswith('bias'):
            value.add_(torch.rand(value.shape, generator=generator) / 4)
    return model


@pytest.fixture(scope='module')
def usl(people, tmp_path_factory):
    """A model of USL with one neck, and its checkpoint."""
    folder = tmp_path_factory.mktemp('usl')
    model = drawn(cluster_config(ROOT, people, folder))
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, folder / 'epoch_50.pth')
    return model.state_dict(), folder / 'epoch_50.pth'


@pytest.fixture(scope='module')
def supervised(people, tmp_path_factory):
    """The checkpoint of a model fine-tuned with labels."""
    folder = tmp_path_factory.mktemp('supervised')
    model = drawn(reid_config(ROOT, people, folder), **{'model.head.num_classes': 8})
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, folder / 'epoch_120.pth')
    return folder / 'epoch_120.pth'


def authors_names():
    """Names of the weights of a backbone in the authors' code."""
    parts = [name for k in (1, 2, 3) for name in (f'part_token{k}', f'part{k}_pos')]
    layers = [
        f'blocks.{number}.{layer}'
        for number in range(ARCH['num_layers'])
        for layer in ('norm1', 'attn.qkv', 'attn.proj', 'norm2', 'mlp.fc1', 'mlp.fc2')
    ]
    with_bias = [
        f'{layer}.{kind}'
        for layer in ('patch_embed.proj', *layers, 'norm')
        for kind in ('weight', 'bias')
    ]
    return ['cls_token', 'cls_pos', 'pos_embed', *parts, *with_bias]


def as_authors_write(weights, best_map):
    """Give our weights the form of the authors' ``model_best.pth.tar``."""
    theirs = {name: weights[f'backbone.{part_vit_key(name)}'] for name in authors_names()}
    for name, value in weights.items():
        if name.startswith('neck.'):
            _, _, token, rest = name.split('.')
            theirs[f'bottleneck{f"_pt{token}" if int(token) else ""}.{rest}'] = value
    assert len(theirs) == len(weights)
    state_dict = {f'module.{name}': value for name, value in theirs.items()}
    return {'state_dict': state_dict, 'epoch': 50, 'best_mAP': best_map}


def run_test(cfg, checkpoint, folder):
    """Test a checkpoint as tools/test.py does; give the features and the log."""
    cfg.work_dir = str(folder / 'test')
    prepare_test(cfg, checkpoint, out=folder / 'out')
    runner = build_runner(cfg)
    runner.test()
    with np.load(folder / 'out' / 'result.npz') as data:
        features = data['features']
    return features, (Path(runner.log_dir) / f'{runner.timestamp}.log').read_text()


def report(text):
    """Read the report of the load: loaded, wanted and the lines of mismatches."""
    start = re.search(r'\d+ of \d+ tensors of', text).start()
    first, *rows = text[start:].splitlines()
    rows = [row.strip() for row in rows[:4] if re.match(r'  [\w ()]+\d:', row)]
    return first.partition(' of the')[0].partition(' tensors')[0], rows


def test_ours(people, usl, tmp_path):
    weights, path = usl
    features, text = run_test(cluster_config(ROOT, people, tmp_path), path, tmp_path)
    assert features.shape == (25, 32)
    number = sum('num_batches' not in name for name in weights)
    assert report(text) == (f'{number} of {number}', [])
    # One neck: features are of unit length.
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize('number', [float, np.float64, np.float32])
def test_authors_file_as_it_is(people, usl, tmp_path, number):
    """Their script saves the best mAP as a number of numpy."""
    weights, path = usl
    file = tmp_path / 'model_best.pth.tar'
    torch.save(as_authors_write(weights, number(0.887)), file)
    features, text = run_test(cluster_config(ROOT, people, tmp_path), file, tmp_path)
    assert "Recognised a USL or UDA checkpoint of the authors' code." in text
    assert report(text)[1] == []
    expected, _ = run_test(cluster_config(ROOT, people, tmp_path), path, tmp_path / 'ours')
    assert np.array_equal(features, expected)


def test_authors_file_of_another_neck(people, usl, tmp_path):
    """One neck in the file, four in the config."""
    file = tmp_path / 'model_best.pth.tar'
    torch.save(as_authors_write(usl[0], 0.9), file)
    cfg = cluster_config(ROOT, people, tmp_path, model__neck__multi_neck=True)
    _, text = run_test(cfg, file, tmp_path)
    _, rows = report(text)
    assert rows[0].startswith('missing in the file') and 'neck.norms.1.weight' in rows[0]
    assert rows[1].startswith('shape mismatch')
    assert 'neck.norms.0.weight file (32,) model (16,)' in rows[1]


def test_fine_tuned_in_a_model_of_clusters(people, supervised, tmp_path):
    """Its backbone is used, and the report names the necks: they are as they were drawn."""
    _, text = run_test(cluster_config(ROOT, people, tmp_path), supervised, tmp_path)
    loaded, (missing, unused) = report(text)
    weights = torch.load(supervised, weights_only=True)['state_dict']
    backbone = sum(name.startswith('backbone.') for name in weights)
    assert loaded == f'{backbone} of {backbone + 4}'
    assert missing.startswith('missing in the file') and 'neck.norms.0.weight' in missing
    assert unused.startswith('unused of the file') and 'head.neck.norms.0.weight' in unused


@pytest.mark.parametrize('by_authors', [False, True])
def test_clusters_in_a_model_of_fine_tuning(people, usl, tmp_path, by_authors):
    """What the head does without is no mismatch; the neck of the file, which it lacks, is."""
    weights, path = usl
    if by_authors:
        path = tmp_path / 'model_best.pth.tar'
        torch.save(as_authors_write(weights, 0.9), path)
    _, text = run_test(reid_config(ROOT, people, tmp_path), path, tmp_path)
    loaded, (unused,) = report(text)
    assert loaded.startswith(f'{sum(name.startswith("backbone.") for name in weights)} of')
    assert unused.startswith('unused of the file') and 'neck.norms.0.weight' in unused
