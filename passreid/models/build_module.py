"""Modules from configs."""

from typing import Any

from torch import nn

from passreid.registry import MODELS


def build_module(module: dict | nn.Module, **defaults) -> Any:
    """Build a module from its config; one that is built already stays.

    Args:
        module (dict | nn.Module): The module or its config.
        **defaults: What the config may leave out.

    Returns:
        nn.Module: The module. Callers know its class, hence no narrower type.
    """
    return module if isinstance(module, nn.Module) else MODELS.build({**defaults, **module})
