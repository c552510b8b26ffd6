import pytest
from mmengine.config import Config
from mmengine.optim import AmpOptimWrapper, OptimWrapper

from passreid.registry import OPTIM_WRAPPERS
from passreid.utils.mixed_precision import disable_mixed_precision, enable_mixed_precision


@OPTIM_WRAPPERS.register_module()
class SwitchedWrapper(OptimWrapper):
    def __init__(self, *args, amp=False, **kwargs):
        super().__init__(*args, **kwargs)


@OPTIM_WRAPPERS.register_module()
class PlainWrapper(OptimWrapper):
    pass


def _config(**wrapper):
    return Config({'optim_wrapper': wrapper})


@pytest.mark.parametrize('kind', ['OptimWrapper', 'mmengine.OptimWrapper', OptimWrapper])
def test_wrapper_of_mmengine_is_exchanged(kind):
    cfg = _config(type=kind, clip_grad={'max_norm': 3.0})
    enable_mixed_precision(cfg)
    assert cfg.optim_wrapper == {
        'type': 'AmpOptimWrapper',
        'loss_scale': 'dynamic',
        'clip_grad': {'max_norm': 3.0},
    }


@pytest.mark.parametrize(('before', 'after'), [(False, True), ('bfloat16', 'bfloat16')])
def test_wrapper_with_a_switch_is_switched(before, after):
    cfg = _config(type='SwitchedWrapper', amp=before)
    enable_mixed_precision(cfg)
    assert cfg.optim_wrapper == {'type': 'SwitchedWrapper', 'amp': after}


@pytest.mark.parametrize('kind', ['PlainWrapper', 'NoSuchWrapper'])
def test_wrapper_without_mixed_precision_is_an_error(kind):
    with pytest.raises(ValueError, match=f'--amp: optim_wrapper.type={kind}'):
        enable_mixed_precision(_config(type=kind))


@pytest.mark.parametrize(
    'kind', ['AmpOptimWrapper', 'mmengine.optim.AmpOptimWrapper', AmpOptimWrapper]
)
def test_fp32_form_drops_the_options_of_amp(kind):
    cfg = _config(type=kind, dtype='bfloat16', loss_scale='dynamic', accumulative_counts=2)
    assert disable_mixed_precision(cfg)
    assert cfg.optim_wrapper == {'type': 'OptimWrapper', 'accumulative_counts': 2}


def test_each_of_several_wrappers_is_replaced():
    cfg = _config(
        constructor='Several',
        generator={'type': 'AmpOptimWrapper', 'optimizer': {'type': 'SGD'}},
        critic={'type': 'OptimWrapper', 'dtype': 'kept'},
    )
    assert disable_mixed_precision(cfg)
    assert cfg.optim_wrapper.generator.type == 'OptimWrapper'
    assert cfg.optim_wrapper.critic.dtype == 'kept'


@pytest.mark.parametrize('cfg', [Config({}), _config(type='OptimWrapper')])
def test_fp32_is_left_alone(cfg):
    assert not disable_mixed_precision(cfg)
