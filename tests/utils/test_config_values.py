import pytest
from mmengine.config import Config

from passreid.utils.config_error import ConfigError
from passreid.utils.config_values import check_values

GOOD = {'dataset': {'type': 'X'}, 'batch_size': 4, 'num_workers': 0}


def test_good_values():
    check_values(Config({}))
    check_values(Config({'train_dataloader': GOOD, 'val_dataloader': None, 'train_cfg': None}))
    several = [GOOD, GOOD]
    check_values(Config({'test_dataloader': several, 'train_cfg': {'max_epochs': 3}}))


@pytest.mark.parametrize(
    ('entries', 'problem'),
    [
        ({'train_dataloader': []}, r'train_dataloader is \[\], but must be a dict'),
        ({'test_dataloader': [GOOD, 'x']}, "test_dataloader.1 is 'x', but must be a dict"),
        ({'val_dataloader': {}}, 'val_dataloader has no dataset'),
        ({'val_dataloader': {'dataset': 'Market1501'}}, "val_dataloader.dataset is 'Market1501'"),
        (
            {'train_dataloader': GOOD | {'batch_size': 'three'}},
            "train_dataloader.batch_size is 'three', but must be a whole number from 1",
        ),
        ({'train_dataloader': GOOD | {'batch_size': 0}}, 'train_dataloader.batch_size is 0'),
        ({'test_dataloader': [GOOD | {'num_workers': -1}]}, 'test_dataloader.0.num_workers is -1'),
        ({'train_cfg': {'max_epochs': -1}}, 'train_cfg.max_epochs is -1'),
        ({'train_cfg': {'max_iters': '9'}}, "train_cfg.max_iters is '9'"),
    ],
)
def test_problem_is_named(entries, problem):
    with pytest.raises(ConfigError, match=f'^the config: {problem}'):
        check_values(Config(entries))
