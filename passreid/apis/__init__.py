"""Entry points for programs and notebooks."""

from .build_runner import build_runner, load_config
from .prepare_test import prepare_test

__all__ = ['build_runner', 'load_config', 'prepare_test']
