from pathlib import Path

import pytest
import toy_models  # noqa: F401  (registers the data set)
from mmengine.config import Config
from tiny_runs import NUM_TRAIN_IDS, reid_config, write_people

from passreid.apis.num_classes import fill_num_classes, find_heads
from passreid.models import ReIDHead
from passreid.utils import register_all_modules

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def people(tmp_path_factory):
    register_all_modules(init_default_scope=False)
    return write_people(tmp_path_factory.mktemp('people'))


@pytest.fixture
def config(people, tmp_path):
    return reid_config(ROOT, people, tmp_path)


def test_number_is_that_of_the_ids_of_the_train_set(config):
    assert fill_num_classes(config) == ['The classifier has 8 classes, the ids of the train set.']
    assert config.model.head.num_classes == NUM_TRAIN_IDS == 8


@pytest.mark.parametrize('number', [751, None])
def test_what_the_config_says_stays(config, number):
    config.model.head.num_classes = number
    # Not even looked at.
    config.train_dataloader.dataset.data_root = 'nowhere'
    assert fill_num_classes(config) == []
    assert config.model.head.num_classes == number


def test_a_subset_counts_its_own_ids(config):
    # Four images of each of the first two ids, and one of the third.
    config.train_dataloader.dataset['indices'] = 9
    fill_num_classes(config)
    assert config.model.head.num_classes == 3


def test_joint_sets_count_together(config):
    dataset = config.train_dataloader.dataset
    config.train_dataloader.dataset = dict(type='ReIDConcatDataset', datasets=[dataset, dataset])
    fill_num_classes(config)
    assert config.model.head.num_classes == 2 * NUM_TRAIN_IDS


def test_data_set_that_does_not_know_its_ids(config):
    config.train_dataloader.dataset = dict(type='ToyPeople')
    with pytest.raises(TypeError, match=r'ToyPeople has no `num_ids`.*model\.head\.num_classes'):
        fill_num_classes(config)


def test_without_training_there_is_nothing_to_count(config):
    config.train_dataloader = None
    assert fill_num_classes(config) == []
    assert 'num_classes' not in config.model.head


class OwnHead(ReIDHead):
    """One that a user made of ours."""


@pytest.mark.parametrize(
    'kind', [ReIDHead, OwnHead, 'passreid.ReIDHead', 'passreid.models.heads.ReIDHead']
)
def test_heads_by_any_name(config, kind):
    config.model.head.type = kind
    fill_num_classes(config)
    assert config.model.head.num_classes == NUM_TRAIN_IDS


def test_other_heads_are_left_alone():
    cfg = Config(dict(model=dict(head=dict(type='LinearClsHead')), train_dataloader={}))
    assert list(find_heads(cfg.model)) == [] == fill_num_classes(cfg)
