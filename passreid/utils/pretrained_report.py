"""A report of what pre-trained weights gave a module."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.logging import print_log
from torch import nn

_MAX_NAMES = 5


@contextmanager
def report_pretrained(module: nn.Module, checkpoint: str) -> Iterator[None]:
    """Say which tensors of a module the block filled, and fail when it filled none.

    Args:
        module (nn.Module): The module that the block loads ``checkpoint`` into.
        checkpoint (str): Path or address of the weights, for the report.

    Raises:
        FileNotFoundError: When ``checkpoint`` is a local path and not there.
        RuntimeError: When no tensor of the module was written to.
    """
    if '://' not in checkpoint and not Path(checkpoint).is_file():
        raise FileNotFoundError(
            f'The pre-trained weights {checkpoint} are not there. Name yours with '
            'model.backbone.init_cfg.checkpoint=FILE, or train from scratch with '
            'model.backbone.init_cfg=None'
        )
    tensors = module.state_dict(keep_vars=True)
    before: dict[str, int] = {}

    def remember(*args) -> None:
        # Just before the weights arrive: what was drawn until then does not count as loaded.
        before.update({name: tensor._version for name, tensor in tensors.items()})

    handle = module._register_load_state_dict_pre_hook(remember)
    try:
        yield
    finally:
        handle.remove()
    others = [
        name
        for name, tensor in tensors.items()
        if tensor._version == before.get(name, tensor._version)
    ]
    loaded = len(tensors) - len(others)
    kind = type(module).__name__
    if not loaded:
        raise RuntimeError(
            f'Nothing in {checkpoint} fits {kind}: its keys or shapes are those of another '
            'model. A whole checkpoint of pre-training needs prefix="teacher.backbone." in '
            'init_cfg, one of fine-tuning prefix="backbone."'
        )
    text = f'{loaded} of {len(tensors)} tensors of {kind} loaded from {checkpoint}'
    if others:
        more = f', and {len(others) - _MAX_NAMES} more' if len(others) > _MAX_NAMES else ''
        text += f'; NOT loaded: {", ".join(others[:_MAX_NAMES])}{more}'
    print_log(text, logger='current', level=30 if others else 20)
