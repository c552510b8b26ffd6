import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from tiny_runs import pass_config, quick_start, reid_config, shrink, write_crops, write_people

from passreid.apis import build_runner

ROOT = Path(__file__).parents[2]
FIGURES = ['mAP', 'R1', 'R5', 'R10', 'R20', 'mINP']


@pytest.fixture(scope='module', autouse=True)
def quick():
    with quick_start():
        yield


@pytest.fixture(scope='module')
def base(tmp_path_factory):
    """A folder with people, a config and a checkpoint of an untrained, but not plain, model."""
    folder = tmp_path_factory.mktemp('base')
    people = write_people(folder / 'people')
    cfg = reid_config(ROOT, people, folder / 'run')
    # What the program is given does not name a number of classes.
    cfg.dump(folder / 'reid.py')
    cfg.model.head.num_classes = 8
    model = build_runner(cfg).model
    torch.manual_seed(3)
    model.init_weights()
    torch.save({'state_dict': model.state_dict()}, folder / 'reid.pth')
    return folder


@pytest.fixture(scope='module')
def program():
    spec = importlib.util.spec_from_file_location('test_program', ROOT / 'tools' / 'test.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(program, base, tmp_path, monkeypatch, capsys):
    """Call the program in this process; give what it printed."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments, config=base / 'reid.py'):
        words = ['test.py', config, *arguments, '--work-dir', tmp_path / 'work']
        monkeypatch.setattr(sys, 'argv', [str(word) for word in words])
        program.main()
        return capsys.readouterr().out

    return call


def weights(path):
    return torch.load(path, weights_only=True)['state_dict']


def figures_in(text, prefix='reid/'):
    """Read the figures of the last line that has them."""
    line = [line for line in text.splitlines() if f'{prefix}mAP' in line][-1]
    pairs = re.findall(r'(\S*reid/\S+): ([\d.]+)', line)
    return {name: float(value) for name, value in pairs if name.startswith(prefix)}


def assert_everything_loaded(text):
    """No weight that the features depend on is missing; nothing is said of those they do not."""
    ((loaded, wanted),) = re.findall(r'(\d+) of (\d+) tensors of', text)
    assert loaded == wanted
    assert 'not match exactly' not in text


def features_in(folder):
    with np.load(folder / 'result.npz') as data:
        return data['features']


def test_figures(run, base):
    text = run(base / 'reid.pth')
    assert list(figures_in(text)) == [f'reid/{name}' for name in FIGURES]
    # The classifier takes no part, and nobody complains that it does not.
    assert_everything_loaded(text)


def test_everything_at_once(run, base, tmp_path):
    run(base / 'reid.pth', '--out', 'plain')
    text = run(base / 'reid.pth', '--rerank', '--tta', 'flip', '--out', 'both')
    figures = figures_in(text)
    assert list(figures) == [f'reid/{p}{name}' for p in ('', 'rerank_') for name in FIGURES]
    saved = json.loads((tmp_path / 'both' / 'metrics.json').read_text())
    assert saved == pytest.approx({key.split('/')[1]: v for key, v in figures.items()}, abs=1e-4)
    plain, both = (features_in(tmp_path / name) for name in ('plain', 'both'))
    assert plain.shape == both.shape == (25, 32)
    assert np.abs(plain - both).max() > 1e-3
    np.testing.assert_allclose(np.linalg.norm(both, axis=1), 1, atol=1e-5)
    with np.load(tmp_path / 'both' / 'result.npz') as data:
        assert data['rerank_indices'].shape == data['indices'].shape
        assert not np.array_equal(data['rerank_distances'], data['distances'])


@pytest.fixture
def other_sets(tmp_path):
    """Config files of two more data sets, one of them as large again and of other people."""
    for seed, name in enumerate(['first', 'second'], start=1):
        write_people(tmp_path / name, seed)
        dataset = dict(type='Market1501', data_root=str(tmp_path / name), split='test')
        text = f'dataset = {dataset!r}\ntest_dataloader = dict(dataset=dataset)\n'
        (tmp_path / f'{name}.py').write_text(text)
    return ['first.py', 'second.py']


def test_several_test_sets(run, base, tmp_path, other_sets):
    text = run(base / 'reid.pth', '--test-sets', *other_sets, '--rerank', '--out', 'all')
    single = {}
    for name in ('first', 'second'):
        figures = figures_in(text, f'{name}/reid/')
        assert len(figures) == 12
        saved = json.loads((tmp_path / 'all' / name / 'metrics.json').read_text())
        assert saved == pytest.approx(
            {key.removeprefix(f'{name}/reid/'): value for key, value in figures.items()}, abs=1e-4
        )
        alone = run(base / 'reid.pth', '--test-sets', f'{name}.py', '--out', f'alone_{name}')
        single[name] = features_in(tmp_path / f'alone_{name}' / name)
        assert figures_in(alone, f'{name}/reid/').items() <= figures.items()
        assert np.array_equal(single[name], features_in(tmp_path / 'all' / name))
    assert not np.allclose(single['first'], single['second'])


def test_several_test_sets_with_mirror_images(run, base, tmp_path, other_sets):
    run(base / 'reid.pth', '--test-sets', *other_sets, '--tta', 'flip', '--out', 'flip')
    run(base / 'reid.pth', '--test-sets', *other_sets, '--out', 'plain')
    for name in ('first', 'second'):
        flipped, plain = (features_in(tmp_path / way / name) for way in ('flip', 'plain'))
        assert np.abs(flipped - plain).max() > 1e-3


def test_weights_that_training_would_start_from(run, base, tmp_path):
    backbone = {
        name.removeprefix('backbone.'): value
        for name, value in weights(base / 'reid.pth').items()
        if name.startswith('backbone.')
    }
    torch.save({'state_dict': backbone}, tmp_path / 'backbone.pth')
    run(base / 'reid.pth', '--out', 'trained')
    init_cfg = f"dict(type='Pretrained',checkpoint='{tmp_path / 'backbone.pth'}')"
    text = (base / 'reid.py').read_text() + f'\nmodel["backbone"]["init_cfg"] = {init_cfg}\n'
    (tmp_path / 'pretrained.py').write_text(text)
    run('none', '--out', 'started', config=tmp_path / 'pretrained.py')
    run('none', '--out', 'drawn')
    # Features are those of the fused tokens: the head plays no part in them.
    assert np.array_equal(features_in(tmp_path / 'trained'), features_in(tmp_path / 'started'))
    assert np.abs(features_in(tmp_path / 'trained') - features_in(tmp_path / 'drawn')).max() > 1e-2


def test_teacher_that_pre_training_would_start_from(run, program, base, tmp_path, monkeypatch):
    cfg = pass_config(ROOT, tmp_path, tmp_path / 'run')
    tested = Config.fromfile(base / 'reid.py')
    cfg.update({name: tested[name] for name in tested if name.startswith(('val_', 'test_'))})
    cfg.dump(tmp_path / 'pass.py')
    runners = []
    monkeypatch.setattr(
        program, 'build_runner', lambda cfg: runners.append(build_runner(cfg)) or runners[0]
    )
    run('none', config=tmp_path / 'pass.py')
    model = runners[0].model
    for name, value in model.backbone.state_dict().items():
        assert torch.equal(model.teacher['backbone'].state_dict()[name], value), name
    assert model.teacher['backbone'].pos_embed.abs().max() > 0


def in_file(form, state):
    """The backbone of a checkpoint as another program would have written it."""
    backbone = {
        name.removeprefix('backbone.'): value
        for name, value in state.items()
        if name.startswith('backbone.')
    }
    if form == 'bare':
        return backbone
    if form == 'bare in state_dict':
        return {'state_dict': backbone}
    if form == 'pre-training':
        ours = {f'teacher.backbone.{name}': value for name, value in backbone.items()}
        ours |= {f'backbone.{name}': torch.zeros_like(value) for name, value in backbone.items()}
        return {'state_dict': ours | {'neck.projectors.0.0.weight': torch.zeros(2, 2)}}
    authors = {f'base.{authors_key(name)}': value for name, value in backbone.items()}
    necks = {
        f'bottleneck{f"_{token}" if token else ""}.{rest}': state[f'head.neck.norms.{token}.{rest}']
        for token in range(4)
        for rest in ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')
    }
    classifiers = {
        'classifier.weight': state['head.classifier.weight'],
        'base.fc.weight': torch.zeros(1000, 16),
        'base.fc.bias': torch.zeros(1000),
    }
    everything = authors | necks | classifiers
    if form == "authors' in several processes":
        return {f'module.{name}': value for name, value in everything.items()}
    return everything


def authors_key(name):
    """Name of a weight of the backbone in the authors' code."""
    name = re.sub(r'^layers\.', 'blocks.', name)
    for ours, theirs in (
        ('patch_embed.projection', 'patch_embed.proj'),
        ('.ln1.', '.norm1.'),
        ('.ln2.', '.norm2.'),
        ('ffn.layers.0.0', 'mlp.fc1'),
        ('ffn.layers.1', 'mlp.fc2'),
    ):
        name = name.replace(ours, theirs)
    name = re.sub(r'^ln1\.', 'norm.', name).replace('cls_position', 'cls_pos')
    name = re.sub(r'^part_tokens\.(\d)$', lambda m: f'part_token{int(m[1]) + 1}', name)
    return re.sub(r'^part_positions\.(\d)$', lambda m: f'part{int(m[1]) + 1}_pos', name)


FORMS = {
    'bare': 'Recognised a bare backbone',
    'bare in state_dict': 'Recognised a bare backbone',
    'pre-training': "Recognised a pre-training checkpoint; its teacher's backbone is used",
    "authors'": "Recognised a fine-tuning checkpoint of the authors' code",
    "authors' in several processes": "Recognised a fine-tuning checkpoint of the authors' code",
}


@pytest.mark.parametrize('form', FORMS)
def test_files_of_other_programs(run, base, tmp_path, form):
    torch.save(in_file(form, weights(base / 'reid.pth')), tmp_path / 'other.pth')
    run(base / 'reid.pth', '--out', 'own')
    text = run(tmp_path / 'other.pth', '--out', 'other')
    assert FORMS[form] in text
    if 'authors' in form:
        assert_everything_loaded(text)
    assert np.array_equal(features_in(tmp_path / 'own'), features_in(tmp_path / 'other'))


def test_checkpoint_of_another_model(run, tmp_path):
    torch.save({'state_dict': {'encoder.weight': torch.ones(2)}}, tmp_path / 'other.pth')
    with pytest.raises(RuntimeError, match='No parameter of ImageClassifier was loaded'):
        run(tmp_path / 'other.pth')


def test_missing_checkpoint_is_named(run):
    with pytest.raises(FileNotFoundError, match=r'There is no checkpoint gone\.pth'):
        run('gone.pth')


def test_config_of_pre_training_has_no_test_data(run, base):
    config = ROOT / 'configs' / 'pass' / 'pass_vit-s16_lup.py'
    with pytest.raises(ValueError, match='no test_dataloader: it is one of pre-training'):
        run(base / 'reid.pth', config=config)


def test_watched_pre_training(run, base, tmp_path):
    """A config of pre-training with test data: the features are those of the teacher."""
    watched = Config.fromfile(ROOT / 'configs' / 'pass' / 'pass_vit-t8-watched_synthetic.py')
    loader = watched.test_dataloader
    shrink(loader.dataset.pipeline)
    people = dict(type='Market1501', data_root=str(base / 'people'), split='test')
    loader.dataset = dict(people, pipeline=loader.dataset.pipeline)
    loader.num_workers = 0
    cfg = pass_config(ROOT, write_crops(tmp_path / 'crops', 4), tmp_path / 'pretrain')
    cfg.update(test_dataloader=loader, test_evaluator=watched.test_evaluator, test_cfg={})
    # As in the config of fine-tuning, whose features are then the same.
    cfg.model.data_preprocessor.update(mean=[127.5] * 3, std=[127.5] * 3)
    cfg.model.backbone.interpolate_offset = 0.0
    cfg.dump(tmp_path / 'watched.py')
    state = build_runner(cfg).model.state_dict()
    for name, value in weights(base / 'reid.pth').items():
        if name.startswith('backbone.'):
            state[f'teacher.{name}'] = value
    torch.save({'state_dict': state}, tmp_path / 'pretrain.pth')
    text = run(
        tmp_path / 'pretrain.pth', '--tta', 'flip', '--out', 'a', config=tmp_path / 'watched.py'
    )
    assert len(figures_in(text)) == 6
    run(base / 'reid.pth', '--tta', 'flip', '--out', 'b')
    first, second = (features_in(tmp_path / name) for name in 'ab')
    np.testing.assert_allclose(first, second, atol=1e-6)


def start(*command):
    environment = os.environ | {
        'CUDA_VISIBLE_DEVICES': '',
        'OMP_NUM_THREADS': '1',
        'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}',
    }
    return subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
    )


@pytest.mark.slow
def test_processes_give_the_figures_of_one(run, base, tmp_path, monkeypatch):
    arguments = ['--rerank', '--tta', 'flip', '--work-dir', 'work', '--out', 'two']
    # 25 images in batches of 4 in two processes: the last ones are 1 and a repeated image.
    options = ['--cfg-options', 'test_dataloader.batch_size=4']
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        monkeypatch.setenv('PORT', str(probe.getsockname()[1]))
    monkeypatch.chdir(tmp_path)
    script = ROOT / 'tools' / 'dist_test.sh'
    done = start('bash', script, base / 'reid.py', base / 'reid.pth', 2, *arguments, *options)
    assert done.returncode == 0, done.stderr
    assert 'warn' not in done.stderr.lower()
    run(base / 'reid.pth', '--rerank', '--tta', 'flip', '--out', 'one')
    one, two = (json.loads((tmp_path / n / 'metrics.json').read_text()) for n in ('one', 'two'))
    assert len(one) == 12
    assert one == two


@pytest.mark.slow
def test_program(base, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = start(sys.executable, ROOT / 'tools' / 'test.py', base / 'reid.py', base / 'reid.pth')
    assert done.returncode == 0, done.stderr
    assert done.stderr == ''
    assert len(figures_in(done.stdout)) == 6
    done = start(sys.executable, ROOT / 'tools' / 'test.py', base / 'reid.py', 'gone.pth')
    assert done.returncode == 1
    assert 'There is no checkpoint gone.pth' in done.stderr


@pytest.mark.parametrize('script', ['dist_test.sh', 'slurm_test.sh'])
def test_scripts_explain_themselves(script):
    done = start('bash', ROOT / 'tools' / script, 'a.py', 'b.pth')
    assert done.returncode == 2
    assert f'tools/{script}' in done.stderr


def test_slurm_script_passes_everything_on(tmp_path, monkeypatch):
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    srun.chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path), prepend=':')
    monkeypatch.setenv('GPUS', '2')
    script = ROOT / 'tools' / 'slurm_test.sh'
    done = start('bash', script, 'gpu', 'my job', 'a.py', 'b.pth', '--cfg-options', 'x=1 2')
    words = done.stdout.splitlines()
    assert {'--partition=gpu', '--job-name=my job', '--gres=gpu:2', '--ntasks=2'} <= set(words)
    assert words[-7].endswith('tools/test.py')
    assert words[-6:] == ['a.py', 'b.pth', '--launcher', 'slurm', '--cfg-options', 'x=1 2']
