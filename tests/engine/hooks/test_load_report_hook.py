import logging
from types import SimpleNamespace

import pytest
import torch
from foreign_vits import part_vit, timm_vit
from mmengine.runner.checkpoint import _load_checkpoint_to_model

from passreid.engine import LoadReportHook
from passreid.models.converters import part_vit_key


@pytest.fixture
def runner(caplog):
    caplog.set_level(logging.INFO)
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.LayerNorm(3))
    model.register_buffer('center', torch.zeros(3))
    return SimpleNamespace(model=model, logger=logging.getLogger('report'))


def _load(runner, weights, hook=None):
    hook = hook or LoadReportHook()
    checkpoint = {'state_dict': weights}
    hook.after_load_checkpoint(runner, checkpoint)
    _load_checkpoint_to_model(runner.model, checkpoint, logger=logging.getLogger('mmengine'))
    hook.before_train(runner)
    return hook


def _records(caplog):
    return [record for record in caplog.records if record.name == 'report']


def test_full_match_is_one_line_of_information(runner, caplog):
    _load(runner, runner.model.state_dict())
    (record,) = _records(caplog)
    assert record.levelname == 'INFO'
    assert record.getMessage() == 'Checkpoint: 5 of 5 tensors of the model loaded'


def test_prefix_of_distributed_training_is_ignored(runner, caplog):
    weights = {f'module.{name}': value for name, value in runner.model.state_dict().items()}
    _load(runner, weights)
    assert _records(caplog)[0].levelname == 'INFO'


def test_every_kind_of_mismatch_is_named(runner, caplog):
    weights = {
        '0.weight': torch.ones(3, 2),
        '0.bias': torch.ones(5),
        'head.weight': torch.ones(1),
    }
    _load(runner, weights)
    (record,) = _records(caplog)
    assert record.levelname == 'WARNING'
    first, *rows = record.getMessage().splitlines()
    assert first == 'Checkpoint: 1 of 5 tensors of the model loaded'
    assert [row.split(':', 1)[1].strip() for row in rows] == [
        'center, 1.weight, 1.bias',
        '0.bias file (5,) model (3,)',
        'head.weight',
    ]


def test_long_lists_are_cut(runner, caplog):
    _load(runner, {'0.weight': torch.ones(3, 2)}, LoadReportHook(max_names=2))
    assert '4: center, 0.bias, and 2 more' in _records(caplog)[0].getMessage()


@pytest.mark.parametrize(
    'weights',
    [{'backbone.0.weight': torch.ones(3, 2)}, {'center': torch.ones(3)}, {}],
)
def test_no_parameter_loaded_is_an_error(runner, weights):
    with pytest.raises(RuntimeError, match='No parameter of the model was loaded'):
        _load(runner, weights)


def test_tensor_resized_by_the_model_counts_as_loaded(runner, caplog):
    def resize(state_dict, prefix, *_):
        state_dict['0.bias'] = state_dict['0.bias'][:3]

    runner.model._register_load_state_dict_pre_hook(resize)
    weights = runner.model.state_dict() | {'0.bias': torch.ones(5)}
    _load(runner, weights)
    assert _records(caplog)[0].getMessage().endswith('5 of 5 tensors of the model loaded')


def test_one_report_a_load(runner, caplog):
    hook = _load(runner, runner.model.state_dict())
    hook.before_val(runner)
    hook.before_test(runner)
    assert len(_records(caplog)) == 1


def test_what_a_module_does_without_is_no_mismatch(runner, caplog):
    runner.model[1].unneeded_keys = ('classifier.weight',)
    runner.model[0].unneeded_keys = ('bias',)
    weights = runner.model.state_dict() | {'1.classifier.weight': torch.ones(2)}
    del weights['0.bias']
    _load(runner, weights)
    assert _records(caplog)[0].levelname == 'INFO'


def test_counters_of_batch_normalisation_are_not_counted(runner, caplog):
    runner.model.append(torch.nn.BatchNorm1d(3))
    _load(runner, {'0.weight': torch.ones(3, 2)})
    message = _records(caplog)[0].getMessage()
    assert message.startswith('Checkpoint: 1 of 9 tensors') and 'num_batches' not in message


class TestBackbones:
    @pytest.fixture
    def with_backbone(self, runner):
        runner.model = torch.nn.ModuleDict(
            {'backbone': torch.nn.Linear(3, 4), 'head': torch.nn.Linear(4, 9)}
        )
        # Where mmengine's models have it.
        runner.model.backbone = runner.model['backbone']
        return runner

    def test_a_head_may_start_fresh(self, with_backbone, caplog):
        weights = {'backbone.weight': torch.ones(4, 3), 'backbone.bias': torch.ones(4)}
        _load(with_backbone, weights)
        (record,) = _records(caplog)
        assert '2 of 4 tensors' in record.getMessage() and record.levelname == 'WARNING'

    def test_half_a_backbone_is_an_error(self, with_backbone):
        head = {f'head.{n}': v for n, v in with_backbone.model['head'].state_dict().items()}
        weights = head | {'backbone.bias': torch.ones(4)}
        with pytest.raises(RuntimeError, match=r'Only 25.0% of the backbone(.|\n)*min_share'):
            _load(with_backbone, weights)
        _load(with_backbone, weights, LoadReportHook(min_share=0.25))


def test_what_a_vit_did_with_its_weights_is_told(runner, caplog):
    """A model of persons starts from a square ViT of timm."""
    runner.model = torch.nn.Module()
    runner.model.backbone = part_vit(num_parts=3, img_size=(64, 32))
    weights = {
        f'backbone.{part_vit_key(name)}': value
        for name, value in timm_vit(num_classes=0).state_dict().items()
    }
    _load(runner, weights)
    (record,) = _records(caplog)
    first, resized, parts = record.getMessage().splitlines()
    assert first == 'Checkpoint: 31 of 37 tensors of the model loaded'
    assert resized.endswith('1: backbone.pos_embed (1, 16, 32) -> (1, 8, 32)')
    assert parts.strip().startswith('started from [CLS] (initialised)    6: backbone.part_tokens.0')
    assert record.levelname == 'INFO'
