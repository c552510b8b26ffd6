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
    without gradient are left out. One that several modules share enters once;
    where they have other options for it, ``bypass_duplicate`` chooses the first.
    """

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimiser wrapper of a model and log its groups."""
        wrapper = super().__call__(model)
        for group in wrapper.optimizer.param_groups:
            options = {key: group[key] for key in ('lr', 'weight_decay') if key in group}
            print_log(f'{len(group["params"])} parameters with {options}', logger='current')
        return wrapper

    def add_params(self, params: list[dict], module: nn.Module, prefix: str = '', **kwargs) -> None:
        """Collect the groups of a module and of those inside it; see mmengine.

        Args:
            params (list[dict]): Groups so far; extended in place.
            module (nn.Module): The module.
            prefix (str): Its name; that of the whole model is empty.
            **kwargs: Passed on.
        """
        if not any(parameter.requires_grad for parameter in module.parameters()):
            return
        super().add_params(params, module, prefix, **kwargs)
        if prefix:
            return
        groups: dict[str, dict] = {}
        for group in params:
            options = {key: value for key, value in group.items() if key != 'params'}
            alike = groups.setdefault(str(sorted(options.items())), {'params': [], **options})
            alike['params'] += group['params']
        for group in groups.values():
            # Of several modules with one parameter each has named it.
            group['params'] = list(dict.fromkeys(group['params']))
        params[:] = groups.values()
