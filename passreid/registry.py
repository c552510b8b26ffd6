"""Registry nodes of passreid, each a child of mmpretrain's node of that name.

Unprefixed mmpretrain and mmengine types resolve from configs with
``default_scope='passreid'`` because look-ups climb from here to mmpretrain and
from there to mmengine. Parents never import lazily, so each sub-package of
passreid imports its counterpart in mmpretrain.
"""

import inspect
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.config.lazy import LazyAttr, LazyObject
from mmengine.registry import DefaultScope, Registry
from mmengine.utils import get_object_from_string
from mmpretrain import registry as parents


def _child_of(parent: Registry, location: str) -> Registry:
    """Create the passreid node below ``parent``; its types live in ``passreid.<location>``."""
    return Registry(
        parent.name, parent=parent, scope='passreid', locations=[f'passreid.{location}']
    )


RUNNERS = _child_of(parents.RUNNERS, 'engine')
RUNNER_CONSTRUCTORS = _child_of(parents.RUNNER_CONSTRUCTORS, 'engine')
LOOPS = _child_of(parents.LOOPS, 'engine')
HOOKS = _child_of(parents.HOOKS, 'engine')
LOG_PROCESSORS = _child_of(parents.LOG_PROCESSORS, 'engine')
OPTIMIZERS = _child_of(parents.OPTIMIZERS, 'engine')
OPTIM_WRAPPERS = _child_of(parents.OPTIM_WRAPPERS, 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child_of(parents.OPTIM_WRAPPER_CONSTRUCTORS, 'engine')
PARAM_SCHEDULERS = _child_of(parents.PARAM_SCHEDULERS, 'engine')
DATASETS = _child_of(parents.DATASETS, 'datasets')
DATA_SAMPLERS = _child_of(parents.DATA_SAMPLERS, 'datasets')
TRANSFORMS = _child_of(parents.TRANSFORMS, 'datasets')
MODELS = _child_of(parents.MODELS, 'models')
MODEL_WRAPPERS = _child_of(parents.MODEL_WRAPPERS, 'models')
WEIGHT_INITIALIZERS = _child_of(parents.WEIGHT_INITIALIZERS, 'models')
BATCH_AUGMENTS = _child_of(parents.BATCH_AUGMENTS, 'models')
TASK_UTILS = _child_of(parents.TASK_UTILS, 'models')
METRICS = _child_of(parents.METRICS, 'evaluation')
EVALUATORS = _child_of(parents.EVALUATORS, 'evaluation')
VISUALIZERS = _child_of(parents.VISUALIZERS, 'visualization')
VISBACKENDS = _child_of(parents.VISBACKENDS, 'visualization')

SCOPE = 'passreid'
REGISTRIES = tuple(node for node in vars().values() if isinstance(node, Registry))
# Entries of a config that name a class or a function.
_TYPE_KEYS = ('type', 'constructor', 'runner_type')


def register_all_modules(init_default_scope: bool = True) -> None:
    """Fill the registries of passreid and, for a notebook, make it the default scope.

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
    for node in REGISTRIES:
        node.import_from_location()
    current = DefaultScope.get_current_instance()
    if init_default_scope and (current is None or current.scope_name != SCOPE):
        DefaultScope.get_instance(f'{SCOPE}-{datetime.now()}', scope_name=SCOPE)


def type_of(entry: Any, *registries: Registry, key: str = 'type') -> type:
    """Return the class that an entry of a config names, by whatever name.

    Args:
        entry (Any): The entry, such as ``dict(type='ReIDHead')`` or ``dict(type=ReIDHead)``.
        *registries (Registry): Where to look for it.
        key (str): Which part of the entry names it. Defaults to 'type'.

    Returns:
        type: The class; ``object`` when it names none.

    Examples:
        >>> from passreid.registry import MODELS, type_of
        >>> type_of(dict(type='passreid.PartViT'), MODELS) is type_of(dict(type='PartViT'), MODELS)
        True
    """
    kind = entry.get(key) if isinstance(entry, Mapping | Config) else None
    if isinstance(kind, str):
        kind = next(filter(None, (node.get(kind) for node in registries)), None)
    return kind if inspect.isclass(kind) else object


def find_entries(node: Any, kind: type, registry: Registry) -> Iterator[ConfigDict]:
    """Yield the entries of a config that name a class or one derived from it, at any depth.

    Args:
        node (Any): A config, or a part of one.
        kind (type): The class.
        registry (Registry): Where to look for it.
    """
    if isinstance(node, dict):
        if issubclass(type_of(node, registry), kind):
            yield node
        node = list(node.values())
    for child in node if isinstance(node, list | tuple) else ():
        yield from find_entries(child, kind, registry)


def name_types(node: Any, scope: str = SCOPE) -> None:
    """Put names in the place of classes and functions that a config has as types, in place.

    So configs in Python's own style (``type=ReIDHead``) equal those with strings, can be written to
    a file and be compared by name, as parts of mmengine and mmpretrain do.

    Args:
        node (Any): A config, or a part of one. It is changed.
        scope (str): The default scope of the config. Defaults to 'passreid'.
    """
    # As it stands there: ConfigDict itself would import what was not asked for.
    children = dict.items(node) if isinstance(node, dict) else enumerate(node)
    for key, value in list(children):
        if isinstance(value, dict | list | tuple):
            name_types(value, scope)
        elif key in _TYPE_KEYS:
            kind = value.build() if isinstance(value, LazyAttr | LazyObject) else value
            if callable(kind):
                node[key] = _name_of(kind, scope)


def _name_of(kind: Any, scope: str) -> Any:
    """Return the name a class is registered by, else its import path, else the class."""
    for node in REGISTRIES:
        owner: Registry | None = node
        while owner is not None:
            for name, found in owner.module_dict.items():
                if found is kind:
                    with node.switch_scope_and_registry(scope) as seen:
                        return name if seen.get(name) is kind else f'{owner.scope}.{name}'
            owner = owner.parent
    path = f'{kind.__module__}.{getattr(kind, "__qualname__", "")}'
    return path if get_object_from_string(path) is kind else kind
