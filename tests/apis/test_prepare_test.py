from pathlib import Path

import pytest
from mmengine.config import Config

from passreid.apis import prepare_test
from passreid.evaluation import ReIDMetric

CONFIGS = Path(__file__).parents[2] / 'configs'
SETS = CONFIGS / '_base_' / 'datasets'


@pytest.fixture
def config():
    return Config.fromfile(CONFIGS / 'supervised' / 'vit-s16_market1501-256x128.py')


@pytest.fixture
def cross_domain():
    return Config.fromfile(CONFIGS / 'supervised' / 'vit-s16_market1501-256x128_cross-domain.py')


def test_checkpoint_is_loaded_and_nothing_resumed(config, tmp_path):
    path = tmp_path / 'weights.pth'
    path.touch()
    config.resume = True
    prepare_test(config, path)
    assert (config.load_from, config.resume) == (str(path), False)
    assert config.model.head.num_classes is None


def test_nothing_is_switched_on_by_itself(config):
    before = config.to_dict()
    prepare_test(config, None)
    for key in ('custom_hooks', 'test_dataloader', 'test_evaluator', 'test_cfg'):
        assert config.to_dict()[key] == before[key]


def test_options_reach_the_metric(config):
    prepare_test(config, None, out='results', rerank=True, flip=True)
    assert config.test_evaluator == dict(type='ReIDMetric', rerank=True, save_dir='results')
    assert config.custom_hooks[-1] == dict(type='FlipTTAHook')
    assert config.custom_hooks[0] == dict(type='NonFiniteHook')
    # A validation during training is no business of a test.
    assert config.val_evaluator == dict(type='ReIDMetric')


def test_several_sets_of_the_config(cross_domain):
    prepare_test(cross_domain, None, out='results', rerank=True)
    names = ['market1501', 'msmt17', 'cuhk03-np']
    assert [entry.save_dir for entry in cross_domain.test_evaluator] == [
        f'results/{name}' for name in names
    ]
    assert all(entry.rerank for entry in cross_domain.test_evaluator)


@pytest.mark.parametrize('name', ['config', 'cross_domain'])
def test_other_sets(name, request):
    config = request.getfixturevalue(name)
    own = config.test_dataloader
    pipeline = (own if isinstance(own, dict) else own[0]).dataset.pipeline
    prepare_test(
        config, None, out='all', test_sets=[SETS / 'msmt17.py', str(SETS / 'cuhk03_np.py')]
    )
    assert config.test_cfg == dict(type='MultiTestLoop', names=['msmt17', 'cuhk03_np'])
    kinds = [(entry.dataset.type, entry.dataset.split) for entry in config.test_dataloader]
    assert kinds == [('MSMT17', 'test'), ('CUHK03NP', 'test')]
    assert config.test_dataloader[1].dataset.variant == 'detected'
    assert [entry.save_dir for entry in config.test_evaluator] == ['all/msmt17', 'all/cuhk03_np']
    for entry in config.test_dataloader:
        assert entry.dataset.pipeline == pipeline
        assert entry.batch_size == 256


def test_what_cannot_be_tested(config, tmp_path):
    with pytest.raises(ValueError, match=r'luperson_views\.py has no test_dataloader'):
        prepare_test(config, None, test_sets=[SETS / 'luperson_views.py'])
    with pytest.raises(ValueError, match='no test_dataloader'):
        prepare_test(Config.fromfile(CONFIGS / 'pass' / 'pass_vit-s16_lup.py'), None)
    with pytest.raises(FileNotFoundError, match=r'There is no checkpoint .*gone\.pth'):
        prepare_test(config, tmp_path / 'gone.pth')
    with pytest.raises(FileNotFoundError, match=r'There is no config file .*gone\.py'):
        prepare_test(config, None, test_sets=[tmp_path / 'gone.py'])


class OwnMetric(ReIDMetric):
    pass


DUMP = dict(type='DumpResults', out_file_path='results.pkl')


@pytest.mark.parametrize(
    'kind', ['ReIDMetric', 'passreid.evaluation.ReIDMetric', ReIDMetric, OwnMetric]
)
@pytest.mark.parametrize('form', ['list', 'evaluator'])
def test_other_metrics_beside_ours(config, kind, form):
    metrics = [dict(type=kind), DUMP, dict(type=kind, rerank=dict(k1=10))]
    config.test_evaluator = metrics if form == 'list' else dict(type='Evaluator', metrics=metrics)
    prepare_test(config, None, rerank=True, out='results')
    found = config.test_evaluator if form == 'list' else config.test_evaluator.metrics
    assert found[1] == DUMP
    assert [entry.save_dir for entry in found[::2]] == ['results', 'results']
    # What the config says of re-ranking stays.
    assert [entry.rerank for entry in found[::2]] == [True, dict(k1=10)]
