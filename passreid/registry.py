"""Registry nodes of passreid, each a child of mmpretrain's node of that name.

Unprefixed mmpretrain and mmengine types resolve from configs with
``default_scope='passreid'`` because look-ups climb from here to mmpretrain and
from there to mmengine. Parents never import lazily, so each sub-package of
passreid imports its counterpart in mmpretrain.
"""

from mmengine.registry import Registry
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
