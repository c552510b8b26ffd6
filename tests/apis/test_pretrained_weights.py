import copy

import pytest
from mmengine.config import Config
from mmengine.model import PretrainedInit

from passreid.apis.pretrained_weights import skip_pretrained_weights

PRETRAINED = dict(type='Pretrained', checkpoint='gone.pth')
BY_CLASS = dict(type=PretrainedInit, checkpoint='gone.pth')
NORMAL = dict(type='Normal', layer='Linear', std=0.001)


def config(**entries):
    model = dict(
        backbone=dict(init_cfg=PRETRAINED), head=dict(init_cfg=NORMAL), init_cfg=[NORMAL, BY_CLASS]
    )
    return Config(copy.deepcopy(dict(model=model, **entries)))


def test_resumed_run_does_not_ask_for_them():
    cfg = config(resume=True, load_from='epoch_1.pth')
    skip_pretrained_weights(cfg)
    assert cfg.model.backbone.init_cfg is None
    assert cfg.model.head.init_cfg == NORMAL
    assert cfg.model.init_cfg == [NORMAL]


@pytest.mark.parametrize(
    'entries',
    [{}, dict(resume=False, load_from='weights.pth'), dict(resume=True, load_from=None)],
)
def test_any_other_run_does(entries):
    cfg = config(**entries)
    before = copy.deepcopy(cfg.to_dict())
    skip_pretrained_weights(cfg)
    assert cfg.to_dict() == before
