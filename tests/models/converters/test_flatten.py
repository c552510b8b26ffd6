import pytest
import torch
from plain_vits import below

from passreid.models.converters import flatten

ONE = torch.ones(1)
NAMES = ('backbone.cls_token', 'backbone.ln1.weight', 'neck.norms.0.weight', 'head.fc.bias')
WEIGHTS = {name: torch.full((1,), float(i)) for i, name in enumerate(NAMES)}


@pytest.mark.parametrize(
    'content',
    [
        WEIGHTS,
        {'state_dict': WEIGHTS, 'epoch': 3},
        {'model': WEIGHTS, 'optimizer': {'state': {0: {'exp_avg': ONE}}}},
        # Lightning keeps the settings of the model beside.
        {'model': {'name': 'vit_small'}, 'state_dict': below('model.', WEIGHTS)},
        {'model': below('x.', WEIGHTS), 'model_ema': WEIGHTS},
        {'model': {'state_dict': below('module.', WEIGHTS)}},
        below('_orig_mod.module.', WEIGHTS),
        {name.replace('backbone.', 'backbone._orig_mod.'): v for name, v in WEIGHTS.items()},
        {name.replace('.', '.module.', 1): value for name, value in WEIGHTS.items()},
        below('net.reid.', WEIGHTS) | {'criterion.weight': ONE},
        {'student': below('module.', WEIGHTS)},
        {'teacher': WEIGHTS},
        below('student.', WEIGHTS),
        below('teacher.', WEIGHTS),
    ],
)
def test_the_same_names_whatever_is_around(content):
    found = {k: v for k, v in flatten(content).items() if k != 'criterion.weight'}
    assert found == WEIGHTS


def test_bare_student_and_teacher_are_backbones():
    weights = {'cls_token': ONE, 'blocks.0.norm1.weight': ONE}
    names = {*below('teacher.backbone.', weights), *below('backbone.', weights)}
    assert set(flatten({'teacher': weights, 'student': weights})) == names


@pytest.mark.parametrize('prefix', ['', 'encoder.', 'model.', 'module.model.encoder.'])
def test_what_a_vit_shares_with_nobody_goes(prefix):
    weights = {'cls_token': ONE, 'blocks.0.norm1.weight': ONE, 'bottleneck.weight': ONE}
    assert set(flatten(below(prefix, weights))) == set(weights)


def test_a_model_without_vit():
    weights = {'conv.weight': ONE, 'fc.bias': ONE}
    assert flatten({'state_dict': below('model.', weights)}) == weights
    assert flatten(below('first.', weights)) == below('first.', weights)


def test_several_vits_keep_their_names():
    names = {f'{owner}.cls_token': ONE for owner in ('first', 'second')}
    assert flatten(names) == names
