"""The comparison of a checkpoint with the run that is to be resumed from it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import Tensor

from passreid.utils.distributed import unwrap_model

# What parameter groups and schedules hold besides their settings: names, how fast an optimiser
# is, and where a schedule is.
_NO_SETTINGS = (
    *('param_names', 'foreach', 'fused', 'capturable', 'differentiable'),
    *('base_values', 'last_step', 'verbose', 'best', 'num_bad_epochs', 'cooldown_counter'),
)
# Adam has had it since torch 2.7.
_NEW = {'decoupled_weight_decay'}
_SHOWN = 8


class _Difference(NamedTuple):
    name: str
    saved: Any
    own: Any
    is_misfit: bool = True

    def __str__(self) -> str:
        return f'{self.name}: {self.saved} in the checkpoint, {self.own} by the config'


def check_resume(
    runner: Runner, filename: str, checkpoint: Any, optimizer: bool = True, schedules: bool = True
) -> str | None:
    """Check that a run can be resumed from a checkpoint.

    Args:
        runner (Runner): The runner, about to resume.
        filename (str): Name of the checkpoint.
        checkpoint: Its content; the shapes of the tensors are enough.
        optimizer (bool): Whether the optimiser will be resumed. Defaults to True.
        schedules (bool): Whether the parameter schedulers will be. Defaults to True.

    Returns:
        str | None: A warning of what the config has changed since, if anything.

    Raises:
        ValueError: When the checkpoint lacks a part, or has another model, optimiser, schedule or
            length of an epoch.
    """
    advice = (
        f"To start a new run from its weights, set load_from='{filename}' and resume=False "
        f'(tools/train.py: --cfg-options load_from={filename}, without --resume).'
    )
    schedules = schedules and bool(runner.param_schedulers)
    if missing := ', '.join(_missing_parts(checkpoint, optimizer, schedules)):
        raise ValueError(f'{filename} cannot be resumed, it has no {missing}. {advice}')
    # Groups of parameters often share a difference.
    found = {str(one): one for one in _differences(runner, checkpoint, optimizer, schedules)}
    if misfits := [text for text, one in found.items() if one.is_misfit]:
        raise ValueError(f'{filename} cannot be resumed:{_listed(misfits)}\n{advice}')
    if not found:
        return None
    return (
        f'The config has changed since {filename} was written. The values of the checkpoint are '
        f'kept, except for max_iters:{_listed(list(found))}\n{advice}'
    )


def _listed(lines: list[str]) -> str:
    if len(lines) > _SHOWN:
        lines = [*lines[:_SHOWN], f'and {len(lines) - _SHOWN} more']
    return ''.join(f'\n- {line}' for line in lines)


def _missing_parts(checkpoint: Any, optimizer: bool, schedules: bool) -> Iterator[str]:
    parts = checkpoint if isinstance(checkpoint, Mapping) else {}
    for name in ('state_dict', 'message_hub', *(['optimizer'] if optimizer else [])):
        if not isinstance(parts.get(name), Mapping):
            yield name
    if schedules and not parts.get('param_schedulers'):
        yield 'param_schedulers'
    meta = parts.get('meta')
    if not (isinstance(meta, Mapping) and {'epoch', 'iter'} <= meta.keys()):
        yield 'meta with epoch and iter'


def _differences(
    runner: Runner, checkpoint: Mapping, optimizer: bool, schedules: bool
) -> Iterator[_Difference]:
    planned = checkpoint['message_hub'].get('runtime_info', {})
    yield from _of_length(runner, planned, schedules, len(checkpoint.get('param_schedulers') or ()))
    wrapper, schedulers = runner.optim_wrapper, runner.param_schedulers
    # They are configs still when somebody resumes before the training begins.
    if optimizer and isinstance(wrapper, OptimWrapper):
        wrappers = dict(wrapper.items()) if isinstance(wrapper, OptimWrapperDict) else {'': wrapper}
        states = checkpoint['optimizer']
        states = {'': states} if 'param_groups' in states else states
        own = {name: one.optimizer for name, one in wrappers.items()}
        yield from _of_settings(
            'optimizer',
            'parameter groups',
            {name: [(type(one), group) for group in one.param_groups] for name, one in own.items()},
            {name: state.get('param_groups', ()) for name, state in states.items()},
        )
    if schedules and isinstance(wrapper, OptimWrapper):
        lists = schedulers if isinstance(schedulers, dict) else {'': schedulers}
        saved = checkpoint['param_schedulers']
        yield from _of_settings(
            'param_scheduler',
            'schedules',
            {name: [(type(one), one.state_dict()) for one in lists[name]] for name in lists},
            saved if isinstance(saved, dict) else {'': saved},
        )
    yield from _of_weights(unwrap_model(runner.model).state_dict(), checkpoint['state_dict'])


def _of_length(
    runner: Runner, planned: Mapping, schedules: bool, saved_schedules: int
) -> Iterator[_Difference]:
    """Places in a run are counted in iterations, and so are schedules."""
    iterations, epochs = planned.get('max_iters'), planned.get('max_epochs')
    loop = runner.train_loop
    if iterations and epochs and isinstance(loop, EpochBasedTrainLoop):
        saved, own = iterations // epochs, len(loop.dataloader)
        if saved != own:
            hint = 'iterations an epoch (keep the images and batch_size x processes)'
            yield _Difference(hint, saved, own)
    if saved_schedules and not schedules:
        yield _Difference('param_scheduler', f'{saved_schedules} of them', 'none', is_misfit=False)
    if schedules and iterations and iterations != runner.max_iters:
        yield _Difference('max_iters', iterations, runner.max_iters, is_misfit=False)


def _of_settings(
    kind: str,
    states_called: str,
    own: Mapping[str, list[tuple[type, Mapping]]],
    saved: Mapping[str, Sequence[Mapping]],
) -> Iterator[_Difference]:
    """Compare states by the name of their optimiser, which is empty where there is one alone."""
    for name in dict.fromkeys([*own, *saved]):
        states, saved_states = own.get(name, []), saved.get(name, [])
        prefix = f'{name}.' if name else ''
        if len(states) != len(saved_states):
            yield _Difference(f'{prefix}{states_called}', len(saved_states), len(states))
        for (type_, state), saved_state in zip(states, saved_states, strict=False):
            label = f'{prefix}{type_.__name__}'
            mine, theirs = _settings(state), _settings(saved_state)
            if (mine.keys() ^ theirs.keys()) - _NEW:
                only_saved, only_own = (
                    ', '.join(sorted(one.keys() - other.keys()))
                    for one, other in ((theirs, mine), (mine, theirs))
                )
                yield _Difference(kind, f'one with {only_saved}', f'{label} with {only_own}')
            for key in mine:
                if key in theirs and mine[key] != theirs[key]:
                    is_misfit = key == 'params'
                    yield _Difference(f'{label}.{key}', theirs[key], mine[key], is_misfit)


def _settings(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the config sets: where schedules start, and the number of parameters."""
    return {
        key: len(value) if key == 'params' else state.get(f'initial_{key}', value)
        for key, value in state.items()
        if not key.startswith(('_', 'initial_'))
        and key not in _NO_SETTINGS
        and not isinstance(value, Tensor)
    }


def _of_weights(own: Mapping[str, Any], saved: Mapping[str, Any]) -> Iterator[_Difference]:
    """Tensors that only the checkpoint has are left to the report of what was loaded."""
    saved = {name.removeprefix('module.'): value for name, value in saved.items()}
    for name, value in own.items():
        if name not in saved:
            # mmengine loads weights without it as well.
            if not name.endswith('num_batches_tracked'):
                yield _Difference(name, 'nothing', _shape(value))
        elif _shape(value) != _shape(saved[name]):
            yield _Difference(name, _shape(saved[name]), _shape(value))


def _shape(value: Any) -> Any:
    return tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
