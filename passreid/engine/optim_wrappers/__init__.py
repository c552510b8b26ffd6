"""Optimiser wrappers."""

from .grouped_constructor import GroupedOptimWrapperConstructor
from .pass_optim_wrapper import PASSOptimWrapper
from .per_parameter_step import AmpPerParameterOptimWrapper, PerParameterOptimWrapper

__all__ = [
    'AmpPerParameterOptimWrapper',
    'GroupedOptimWrapperConstructor',
    'PASSOptimWrapper',
    'PerParameterOptimWrapper',
]
