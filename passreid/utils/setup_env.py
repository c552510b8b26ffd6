"""Registration of everything a config can name."""

from datetime import datetime

from mmengine.registry import DefaultScope, Registry

from passreid import registry

SCOPE = 'passreid'


def register_all_modules(init_default_scope: bool = True) -> None:
    """Fill the registries of passreid and, for a notebook, make it the default scope.

    Each node imports the sub-package that its types live in, so calling this twice
    costs nothing.

    Args:
        init_default_scope (bool): Whether unprefixed types resolve from passreid from now
            on, as with ``default_scope='passreid'`` in a config. A scope chosen earlier
            in the process is replaced. Defaults to True.

    Examples:
        >>> from passreid.registry import TRANSFORMS
        >>> from passreid.utils import register_all_modules
        >>> register_all_modules()
        >>> TRANSFORMS.get('PackInputs').__module__
        'mmpretrain.datasets.transforms.formatting'
    """
    for node in vars(registry).values():
        if isinstance(node, Registry) and node.scope == SCOPE:
            node.import_from_location()
    if not init_default_scope:
        return
    current = DefaultScope.get_current_instance()
    if current is None or current.scope_name != SCOPE:
        DefaultScope.get_instance(f'{SCOPE}-{datetime.now()}', scope_name=SCOPE)
