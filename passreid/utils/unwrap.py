"""Access to a model inside a distributed wrapper."""

from typing import Any

from mmengine.model import is_model_wrapper
from torch import nn


def unwrap_model(model: nn.Module) -> Any:
    """Return the model inside a distributed wrapper, or the model itself.

    Hooks call its methods by name, hence no narrower type.
    """
    return model.module if is_model_wrapper(model) else model
