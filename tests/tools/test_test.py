import json
import re
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from tiny_runs import pass_config, write_people

from passreid.apis import build_runner
from passreid.models.converters import to_pass_checkpoint

ROOT = Path(__file__).parents[2]
FIGURES = ['mAP', 'R1', 'R5', 'R10', 'R20', 'mINP']


@pytest.fixture
def call(run, small):
    def call(*arguments, config=small.config):
        return run('test', config, *arguments, '--work-dir', 'work')

    return call


def weights(path):
    return torch.load(path, weights_only=True)['state_dict']


def backbone_of(path):
    found = weights(path).items()
    return {k.removeprefix('backbone.'): v for k, v in found if k.startswith('backbone.')}


def figures_in(text, prefix='reid/'):
    """Read the figures of the last line that has them."""
    line = [line for line in text.splitlines() if f'{prefix}mAP' in line][-1]
    pairs = re.findall(r'(\S*reid/\S+): ([\d.]+)', line)
    return {name: float(value) for name, value in pairs if name.startswith(prefix)}


def features_in(folder):
    with np.load(Path(folder) / 'result.npz') as data:
        return data['features']


def test_everything_at_once(call, small):
    text = call(small.weights, '--out', 'plain')
    assert list(figures_in(text)) == [f'reid/{name}' for name in FIGURES]
    # The classifier takes no part, and nobody complains that it does not.
    assert re.search(r'(\d+) of \1 tensors of', text)
    assert 'not match exactly' not in text
    text = call(small.weights, '--rerank', '--tta', 'flip', '--out', 'both')
    figures = figures_in(text)
    assert list(figures) == [f'reid/{p}{name}' for p in ('', 'rerank_') for name in FIGURES]
    saved = json.loads(Path('both/metrics.json').read_text())
    assert saved == pytest.approx({key.split('/')[1]: v for key, v in figures.items()}, abs=1e-4)
    plain, both = features_in('plain'), features_in('both')
    assert plain.shape == both.shape == (25, 32)
    assert np.abs(plain - both).max() > 1e-3
    np.testing.assert_allclose(np.linalg.norm(both, axis=1), 1, atol=1e-5)
    with np.load('both/result.npz') as data:
        assert data['rerank_indices'].shape == data['indices'].shape
        assert not np.array_equal(data['rerank_distances'], data['distances'])


def test_several_test_sets(call, small, tmp_path):
    for seed, name in enumerate(['first', 'second'], start=1):
        write_people(tmp_path / name, seed)
        dataset = dict(type='Market1501', data_root=str(tmp_path / name), split='test')
        text = f'dataset = {dataset!r}\ntest_dataloader = dict(dataset=dataset)\n'
        (tmp_path / f'{name}.py').write_text(text)
    sets = ['--test-sets', 'first.py', 'second.py']
    text = call(small.weights, *sets, '--rerank', '--out', 'all')
    call(small.weights, *sets, '--tta', 'flip', '--out', 'flip')
    for name in ('first', 'second'):
        figures = figures_in(text, f'{name}/reid/')
        assert len(figures) == 12
        saved = json.loads(Path(f'all/{name}/metrics.json').read_text())
        expected = {key.removeprefix(f'{name}/reid/'): value for key, value in figures.items()}
        assert saved == pytest.approx(expected, abs=1e-4)
        flipped, plain = features_in(f'flip/{name}'), features_in(f'all/{name}')
        assert np.abs(flipped - plain).max() > 1e-3
    alone = call(small.weights, '--test-sets', 'second.py', '--out', 'alone')
    assert figures_in(alone, 'second/reid/').items() <= figures.items()
    assert np.array_equal(features_in('alone/second'), plain)


def test_occluded_queries_of_all_test_sets(call, small, tmp_path):
    dataset = dict(type='Market1501', data_root=str(small.people), split='test')
    for name in ('first', 'second'):
        text = f'dataset = {dataset!r}\ntest_dataloader = dict(dataset=dataset)\n'
        (tmp_path / f'{name}.py').write_text(text)
    switch = ['--cfg-options', 'test_dataloader.dataset.pipeline.0.occlude_queries=middle']
    call(small.weights, '--out', 'whole')
    call(small.weights, *switch, '--test-sets', 'first.py', 'second.py', '--out', 'occluded')
    # Six queries, then the gallery.
    changes = [
        np.abs(features_in(f'occluded/{name}') - features_in('whole')).max(1)
        for name in ('first', 'second')
    ]
    assert np.array_equal(*changes)
    assert (changes[0][:6] > 1e-3).all() and (changes[0][6:] == 0).all()


def test_weights_that_training_would_start_from(call, small):
    torch.save({'state_dict': backbone_of(small.weights)}, 'backbone.pth')
    call(small.weights, '--out', 'trained')
    init_cfg = "dict(type='Pretrained',checkpoint='backbone.pth')"
    text = small.config.read_text() + f'\nmodel["backbone"]["init_cfg"] = {init_cfg}\n'
    Path('pretrained.py').write_text(text)
    call('none', '--out', 'started', config='pretrained.py')
    call('none', '--out', 'drawn')
    # Features are those of the fused tokens: the head plays no part in them.
    assert np.array_equal(features_in('trained'), features_in('started'))
    assert np.abs(features_in('trained') - features_in('drawn')).max() > 1e-2


def test_teacher_that_pre_training_would_start_from(call, small, load_tool, tmp_path, monkeypatch):
    cfg = pass_config(ROOT, tmp_path, tmp_path / 'run')
    tested = Config.fromfile(small.config)
    cfg.update({name: tested[name] for name in tested if name.startswith(('val_', 'test_'))})
    cfg.dump('pass.py')
    runners = []
    monkeypatch.setattr(
        load_tool('test'),
        'build_runner',
        lambda cfg: runners.append(build_runner(cfg)) or runners[0],
    )
    call('none', config='pass.py')
    model = runners[0].model
    for name, value in model.backbone.state_dict().items():
        assert torch.equal(model.teacher['backbone'].state_dict()[name], value), name
    assert model.teacher['backbone'].pos_embed.abs().max() > 0


def in_file(form, path):
    """A checkpoint as another program would have written it."""
    backbone = backbone_of(path)
    if form == 'bare':
        return backbone
    if form == 'pre-training':
        ours = {f'teacher.backbone.{name}': value for name, value in backbone.items()}
        ours |= {f'backbone.{name}': torch.zeros_like(value) for name, value in backbone.items()}
        return {'state_dict': ours | {'neck.projectors.0.0.weight': torch.zeros(2, 2)}}
    authors = to_pass_checkpoint(weights(path), 'supervised')
    return {f'module.{name}': value for name, value in authors.items()}


@pytest.mark.parametrize(
    ('form', 'message'),
    [
        ('bare', 'a bare backbone'),
        ('pre-training', "a pre-training checkpoint; its teacher's backbone is used"),
        ("authors' in several processes", "a fine-tuning checkpoint of the authors' code"),
    ],
)
def test_files_of_other_programs(call, small, form, message):
    torch.save(in_file(form, small.weights), 'other.pth')
    call(small.weights, '--out', 'own')
    assert f'Recognised {message}' in call('other.pth', '--out', 'other')
    assert np.array_equal(features_in('own'), features_in('other'))


def test_what_cannot_be_tested_is_named(call, small):
    torch.save({'state_dict': {'encoder.weight': torch.ones(2)}}, 'other.pth')
    with pytest.raises(RuntimeError, match='No parameter of ImageClassifier was loaded'):
        call('other.pth')
    with pytest.raises(FileNotFoundError, match=r'gone\.pth'):
        call('gone.pth')
    with pytest.raises(ValueError, match='no test_dataloader'):
        call(small.weights, config=ROOT / 'configs' / 'pass' / 'pass_vit-s16_lup.py')


@pytest.mark.slow
def test_processes_give_the_figures_of_one(call, start, small, monkeypatch):
    arguments = ['--rerank', '--tta', 'flip', '--work-dir', 'work', '--out', 'two']
    # 25 images in batches of 4 in two processes: the last ones are 1 and a repeated image.
    options = ['--cfg-options', 'test_dataloader.batch_size=4']
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        monkeypatch.setenv('PORT', str(probe.getsockname()[1]))
    call(small.weights, '--rerank', '--tta', 'flip', '--out', 'one')
    script = ROOT / 'tools' / 'dist_test.sh'
    done = start('bash', script, small.config, small.weights, 2, *arguments, *options)
    assert done.returncode == 0, done.stderr
    assert 'warn' not in done.stderr.lower()
    one, two = (json.loads(Path(n, 'metrics.json').read_text()) for n in ('one', 'two'))
    assert len(one) == 12
    assert one == two
