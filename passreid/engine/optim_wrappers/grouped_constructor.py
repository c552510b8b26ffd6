"""Few parameter groups."""

from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from passreid.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class GroupedOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Like mmengine's default, with one group for all parameters treated alike.

    The default makes one group for each parameter, which keeps foreach and
    fused optimisers from working on many parameters at once. Parameters
    without gradient are left out.
    """

    def add_params(self, params: list[dict], module: nn.Module, *args, **kwargs) -> None:
        """Collect the groups of a module; see mmengine.

        Args:
            params (list[dict]): Groups so far; extended in place.
            module (nn.Module): The module.
            *args: Passed on.
            **kwargs: Passed on.
        """
        if not any(parameter.requires_grad for parameter in module.parameters()):
            return
        single: list[dict] = []
        super().add_params(single, module, *args, **kwargs)
        groups: dict[tuple, dict] = {}
        for group in params + single:
            options = {key: value for key, value in group.items() if key != 'params'}
            key = tuple(sorted(options.items()))
            groups.setdefault(key, {'params': [], **options})['params'] += group['params']
        params[:] = groups.values()
