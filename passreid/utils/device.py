"""What the machine offers."""

from mmengine.device import get_device


def has_accelerator() -> bool:
    """Return whether mixed precision, pinned memory and the configured process group can be used.

    Apple's ``mps`` counts as a processor: mmengine's AMP and NCCL know nothing of it.
    """
    return get_device() not in ('cpu', 'mps')


def array_device() -> str:
    """Where work on arrays of features is done: the accelerator, or else the processor."""
    return get_device() if has_accelerator() else 'cpu'
