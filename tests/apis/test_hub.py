"""Models in folders, in files, on a hub that answers on this machine, and in timm."""

import base64
import hashlib
import json
import shutil
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import huggingface_hub
import numpy as np
import pytest
import timm
import torch
from mmengine.config import Config
from plain_vits import jittered
from safetensors.torch import load_file, save_file
from tiny_models import CONFIGS, PREPROCESSOR

from passreid import ReIDInferencer, from_pretrained, get_model, push_to_hub, save_pretrained
from passreid.apis import load_weights, save_timm
from passreid.utils.checkpoint_loading import read_checkpoint

FILES = {'README.md', 'config.json', 'model.safetensors'}
CARD = dict(license='mit', data='rendered people', recipe='30 epochs', figures={'mAP': 70.9})
PEOPLE = np.random.default_rng(0).integers(0, 256, (3, 64, 32, 3), dtype=np.uint8)


CLIP = dict(
    pre_norm=True,
    norm_cfg=dict(type='LN', eps=1e-5),
    layer_cfgs=dict(act_cfg=dict(type='QuickGELU')),
)


def model(kind='reid', **changes):
    """Build a model of a kind as `get_model` does, with weights far from where they start."""
    settings = {part: dict(CONFIGS[kind][part], **changes.get(part, {})) for part in changes}
    config = dict(CONFIGS[kind], data_preprocessor=PREPROCESSOR, **settings)
    return jittered(get_model(Config(dict(model=config))))


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    """A model and its folder."""
    one = model()
    return one, save_pretrained(one, tmp_path_factory.mktemp('hub') / 'model', name='tiny', **CARD)


def features(one):
    return ReIDInferencer(one).extract(list(PEOPLE))


@pytest.mark.parametrize(
    ('kind', 'change'), [*((kind, {}) for kind in CONFIGS), ('without parts', CLIP)]
)
def test_round_trip(kind, change, tmp_path):
    one = model(kind, backbone=change)
    opened = from_pretrained(save_pretrained(one, tmp_path))
    assert type(opened) is type(one) and not opened.training
    np.testing.assert_array_equal(features(opened), features(one))
    assert len(np.unique(features(one).round(3), axis=0)) == 3


def test_pixels_of_the_weights_are_kept(tmp_path):
    config = dict(CONFIGS['reid'], data_preprocessor=dict(PREPROCESSOR, pixels_of_weights=True))
    one = jittered(get_model(Config(dict(model=config))))
    one.data_preprocessor.take_pixels([1.0, 2.0, 123.6751234], [40.0, 50.0, 60.0])
    opened = from_pretrained(save_pretrained(one, tmp_path))
    assert opened.data_preprocessor.std.flatten().tolist() == [40, 50, 60]
    np.testing.assert_array_equal(features(opened), features(one))


def test_files(saved):
    one, folder = saved
    assert {path.name for path in folder.iterdir()} == FILES
    content = json.loads((folder / 'config.json').read_text())
    assert content['model']['type'] == 'ImageClassifier'
    card = (folder / 'README.md').read_text()
    for text in ('license: mit', 'rendered people', '30 epochs', '| mAP | 70.9 |', '# tiny'):
        assert text in card
    alone = from_pretrained(folder / 'model.safetensors')
    np.testing.assert_array_equal(features(alone), features(one))


@pytest.mark.parametrize('name', ['config.json', 'model.safetensors'])
def test_missing_files(saved, tmp_path, name):
    folder = shutil.copytree(saved[1], tmp_path / 'copy')
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=str(folder / name)):
        from_pretrained(folder)


EVIL = dict(type='hacking')  # A module in the current folder.


@pytest.mark.parametrize(
    'change',
    [
        dict(model=dict(type='os.system', command='touch hacked')),
        *(dict(model=dict(type='ImageClassifier', backbone=dict(type=kind))) for kind in (
            'hacking', ['hacking'], dict(type='hacking'), 'TIMMBackbone', 'HuggingFaceClassifier'
        )),
        dict(model=dict(type='ImageClassifier', head=dict(type='ReIDHead', norm_cfg=[EVIL]))),
        *(dict(model=dict(type='ImageClassifier', backbone=dict(
            type='VisionTransformer', img_size=(32, 16), patch_size=8,
            patch_cfg=dict(conv_type=kind)
        ))) for kind in ('hacking', 'hacking.Conv2d')),
        dict(model=dict(type='ImageClassifier', _scope_='hacking')),
        dict(model=dict(type='ImageClassifier', _scope_=['hacking'])),
        dict(model=dict(type='ImageClassifier', pretrained='http://127.0.0.1:9/x.pth')),
        dict(model=dict(type='ImageClassifier', unheard_of=1)),
        *(dict(model=value) for value in (None, {}, 'text', [1])),
        *(dict(test_pipeline=value) for value in ([EVIL], [], 'text', [1], None)),
        *(dict(test_pipeline=[value]) for value in (dict(type='PASS'), dict(type='PackInputs'))),
    ],
    ids=str,
)  # fmt: skip
def test_configs_that_are_none_of_a_model(saved, tmp_path, change, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path('hacking.py').write_text("open('hacked', 'w')")
    folder = shutil.copytree(saved[1], tmp_path / 'copy')
    content = json.loads((folder / 'config.json').read_text()) | change
    (folder / 'config.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f'{folder / "config.json"} is no config of a model'):
        from_pretrained(folder)
    assert not Path('hacked').exists() and 'hacking' not in sys.modules


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-16'])
@pytest.mark.parametrize('text', ['no json', '[' * 100_000, '{}', '[]'])
def test_damaged_configs(saved, tmp_path, text, encoding):
    folder = shutil.copytree(saved[1], tmp_path / 'copy')
    (folder / 'config.json').write_text(text, encoding)
    with pytest.raises(ValueError, match=f'{folder / "config.json"} is no config of a model'):
        from_pretrained(folder)


def test_models_with_other_parts_are_not_saved(tmp_path):
    one = model(backbone=dict(init_cfg=dict(type='Caffe2Xavier', layer='Linear')))
    with pytest.raises(ValueError, match='Caffe2Xavier'):
        save_pretrained(one, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_license_stays_in_its_place(saved, tmp_path):
    save_pretrained(saved[0], tmp_path, license='mit\ntags: [x]')
    card = huggingface_hub.ModelCard.load(tmp_path / 'README.md')
    assert card.data.license == 'mit\ntags: [x]' and 'x' not in card.data.tags


def test_weights_of_another_model(saved, tmp_path):
    folder = shutil.copytree(saved[1], tmp_path / 'copy')
    weights = load_file(folder / 'model.safetensors')
    weights.pop('backbone.cls_token')
    save_file(weights, folder / 'model.safetensors')
    with pytest.raises(RuntimeError, match=r'backbone.cls_token'):
        from_pretrained(folder)
    with pytest.raises(ValueError, match='model.safetensors is no config of a model'):
        from_pretrained(folder / 'model.safetensors')


@pytest.mark.parametrize('change', [{}, CLIP, dict(num_registers=2, final_norm=False)])
def test_timm_opens_it(change, tmp_path):
    one = model('without parts', backbone=change)
    save_timm(one, tmp_path, **CARD)
    assert {path.name for path in tmp_path.iterdir()} == FILES
    theirs = timm.create_model(f'local-dir:{tmp_path}', pretrained=True).eval()
    images = torch.randn(2, 3, *one.backbone.img_size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(theirs(images), one.backbone(images)[0][:, 0])
    data = timm.data.resolve_model_data_config(theirs)
    assert data['mean'] == pytest.approx([v / 255 for v in PREPROCESSOR['mean']], abs=1e-6)


def test_what_timm_cannot_say(tmp_path):
    others = [model(), model('ics')]
    for act_cfg, eps in ((dict(type='GELU'), 0.01), (dict(type='ReLU'), 1e-6)):
        change = dict(norm_cfg=dict(type='LN', eps=eps), layer_cfgs=dict(act_cfg=act_cfg))
        others.append(model('without parts', backbone=change))
    for other in others:
        with pytest.raises(ValueError, match='num_parts=0|timm knows|as timm has one'):
            save_timm(other, tmp_path)


def test_names_of_timm(monkeypatch):
    create, asked = timm.create_model, []

    def untrained(name, pretrained, **options):
        asked.append((name, pretrained))
        torch.manual_seed(0)
        return create(name, **options)

    monkeypatch.setattr(timm, 'create_model', untrained)
    weights = read_checkpoint('timm://vit_tiny_patch16_224.augreg_in21k')
    assert asked == [('vit_tiny_patch16_224.augreg_in21k', True)]
    arch = dict(embed_dims=192, num_layers=12, num_heads=3, feedforward_channels=768)
    init = dict(type='Pretrained', checkpoint='timm://vit_tiny_patch16_224.augreg_in21k')
    backbone = dict(type='PartViT', arch=arch, img_size=224, num_parts=0, init_cfg=init)
    head = dict(type='ReIDHead', in_channels=192, num_parts=0)
    whole = dict(type='ImageClassifier', backbone=backbone, head=head)
    built = get_model(Config(dict(model=whole)))
    report = load_weights(built, init['checkpoint'])
    assert report.share == 1
    qkv = built.backbone.layers[3].attn.qkv.weight
    assert torch.equal(qkv, weights['blocks.3.attn.qkv.weight'])


class Hub(BaseHTTPRequestHandler):
    """As much of the hub's interface as an upload and a download need."""

    repositories: dict[str, dict[str, bytes]] = {}

    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        parts = self.path.strip('/').split('/')
        if self.path == '/api/repos/create':
            given = json.loads(body)
            name = f'{given["organization"]}/{given["name"]}'
            self.repositories.setdefault(name, {})
            self.answer(dict(url=f'{huggingface_hub.constants.ENDPOINT}/{name}'))
        elif self.path == '/api/validate-yaml':
            self.answer(dict(errors=[], warnings=[]))
        elif parts[4] == 'preupload':
            files = json.loads(body)['files']
            modes = [dict(path=f['path'], uploadMode='regular', shouldIgnore=False) for f in files]
            self.answer(dict(files=modes))
        else:
            for line in body.splitlines():
                entry = json.loads(line)
                if entry['key'] == 'file':
                    content = base64.b64decode(entry['value']['content'])
                    self.repositories['/'.join(parts[2:4])][entry['value']['path']] = content
            url = f'{huggingface_hub.constants.ENDPOINT}/{"/".join(parts[2:4])}/commit/{"0" * 40}'
            self.answer(dict(success=True, commitOid='0' * 40, commitUrl=url))

    def do_GET(self):
        parts = self.path.strip('/').split('?')[0].split('/')
        if parts[0] == 'api':
            files = self.repositories.get('/'.join(parts[2:4]))
            if files is None:
                return self.answer(dict(error='Repository not found'), 404, 'RepoNotFound')
            return self.answer(dict(id='/'.join(parts[2:4]), sha='0' * 40, siblings=[]))
        files = self.repositories.get('/'.join(parts[:2]))
        if files is None:
            return self.answer(dict(error='Repository not found'), 404, 'RepoNotFound')
        content = files.get(parts[-1])
        if content is None:
            return self.answer(dict(error='Entry not found'), 404, 'EntryNotFound')
        self.send_response(200)
        self.send_header('ETag', hashlib.sha1(content).hexdigest())
        self.send_header('X-Repo-Commit', '0' * 40)
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        if self.command == 'GET':
            self.wfile.write(content)

    do_HEAD = do_GET  # noqa: N815

    def answer(self, content, code=200, error=None):
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        if error:
            self.send_header('X-Error-Code', error)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub on the loopback; its repositories."""
    server = ThreadingHTTPServer(('127.0.0.1', 0), Hub)
    Thread(target=server.serve_forever, daemon=True).start()
    address = f'http://127.0.0.1:{server.server_port}'
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, 'ENDPOINT', address)
    template = address + '/{repo_id}/resolve/{revision}/{filename}'
    monkeypatch.setattr(constants, 'HUGGINGFACE_CO_URL_TEMPLATE', template)
    monkeypatch.setattr(constants, 'HF_HUB_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setenv('HF_TOKEN', 'hf_test')
    Hub.repositories.clear()
    yield Hub.repositories
    server.shutdown()
    server.server_close()


def test_hub(saved, hub):
    one, folder = saved
    assert push_to_hub(folder, 'somebody/tiny') == 'hf://somebody/tiny'
    assert set(hub['somebody/tiny']) >= FILES
    opened = from_pretrained('hf://somebody/tiny')
    np.testing.assert_array_equal(features(opened), features(one))
    weights = read_checkpoint('hf://somebody/tiny')
    assert torch.equal(weights['backbone.cls_token'], one.backbone.cls_token)
    del hub['somebody/tiny']['config.json']
    hub['somebody/other'] = hub.pop('somebody/tiny')
    with pytest.raises(FileNotFoundError, match='^hf://somebody/other gave no config.json'):
        from_pretrained('hf://somebody/other')
    with pytest.raises(FileNotFoundError, match='^hf://somebody/nothing gave no'):
        from_pretrained('hf://somebody/nothing')


def test_upload_of_half_a_folder(saved, tmp_path):
    folder = shutil.copytree(saved[1], tmp_path / 'copy')
    (folder / 'README.md').unlink()
    with pytest.raises(FileNotFoundError, match='README.md'):
        push_to_hub(folder, 'somebody/tiny')
