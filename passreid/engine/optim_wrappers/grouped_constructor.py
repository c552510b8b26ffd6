"""Few parameter groups."""

from mmengine.logging import print_log
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from torch import nn

from passreid.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class GroupedOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Like mmengine's default, with one group for all parameters treated alike.

    The default makes one group for each parameter, which keeps foreach and
    fused optimisers from working on many parameters at once. Parameters
    without gradient are left out.
    """

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimiser wrapper of a model and log its groups."""
        wrapper = super().__call__(model)
        for group in wrapper.optimizer.param_groups:
            options = {key: group[key] for key in ('lr', 'weight_decay') if key in group}
            print_log(f'{len(group["params"])} parameters with {options}', logger='current')
        return wrapper

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
