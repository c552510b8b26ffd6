"""Explanations of what goes wrong when the objects that a config names are built."""

import inspect
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import Registry, build_from_cfg

from passreid.registry import OPTIMIZERS

from .config_error import ConfigError
from .config_keys import suggestion

_UNEXPECTED = re.compile(r"(?:(\w+)\.)?\w+\(\) got an unexpected keyword argument '(\w+)'")
_MISSING = re.compile(r'missing \d+ required (?:positional|keyword-only) arguments?: (.+)$')
_PLACES_SHOWN = 3


@contextmanager
def explained_mistakes(cfg: Config | Mapping[str, Any]) -> Iterator[None]:
    """Turn what building says about wrong names into errors that suggest the right ones.

    Explained are types that no registry has, arguments that a class does not have or lacks, and
    entries without ``type``. Whatever else goes wrong inside a constructor stays as it is, and the
    log says which entry of the config it was.

    Args:
        cfg (Config | Mapping): The config as its author wrote it.

    Raises:
        ConfigError: In place of the ``KeyError`` or ``TypeError``.
    """
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        frames = list(_frames(error.__traceback__))
        entries = cfg.to_dict() if isinstance(cfg, Config) else cfg
        if explanation := _explain(error, frames, entries):
            raise ConfigError(explanation) from error
        _log_place(frames, entries)
        raise


def _explain(error: Exception, frames: list[FrameType], cfg: Mapping) -> str | None:
    building = _building(frames)
    if isinstance(error, TypeError):
        if optimizer := _unknown_optimizer(frames):
            place = _at(_places(cfg, lambda node: node.get('type') == optimizer))
            return _unknown_type(optimizer, OPTIMIZERS, place)
        if found := _UNEXPECTED.search(str(error)):
            return _unexpected(found[1], found[2], frames[-1], building, cfg)
        if (found := _MISSING.search(str(error))) and building is frames[-1]:
            kind, place = _kind(building), _of_type(cfg, building)
            return f'{_name(kind)} needs {found[1]}{place}'
    elif isinstance(error, KeyError) and building is frames[-1]:
        values = building.f_locals
        if 'obj_type' not in values:
            places = _places(cfg, lambda node: node == dict(values['cfg']))
            return f'an entry has no `type`{_at(places) or ": " + repr(dict(values["cfg"]))}'
        return _unknown_type(values['obj_type'], values['registry'], _of_type(cfg, building))
    return None


def _unknown_optimizer(frames: list[FrameType]) -> str | None:
    """Return the type that mmengine looked up without a look at what it got."""
    for frame in frames:
        if frame.f_locals.get('optimizer_cls', frames) is None:
            return frame.f_locals['self'].optimizer_cfg['type']
    return None


def _unknown_type(kind: str, registry: Registry, place: str) -> str:
    names, node = set(), registry
    while node is not None:
        names |= set(node.module_dict)
        node = node.parent
    scope, dot, bare = kind.rpartition('.')
    hint = suggestion(bare, names)
    return (
        f'the type {kind!r} is not known{place}: the registry {registry.scope}::{registry.name} '
        f'does not have it{hint or ". Types of your own are registered by custom_imports"}'
    )


def _unexpected(
    owner: str | None, key: str, caller: FrameType, building: FrameType | None, cfg: Mapping
) -> str | None:
    """Explain an argument that the config gives and that nothing takes."""
    if building is not None and key in building.f_locals['args']:
        kind, place = _kind(building), _of_type(cfg, building, key)
    else:
        kind = caller.f_globals.get(owner) if owner else None
        place = _at(_places(cfg, lambda node: key in node))
        if not (inspect.isclass(kind) and place):
            return None
    names = _arguments(kind)
    return f'{_name(kind)} has no argument {key!r}{place}{suggestion(key, names - {key})}'


def _arguments(kind: Any) -> set[str]:
    """Return the arguments of a function or of a class and those that it may pass on to."""
    callables = [vars(c).get('__init__') for c in kind.__mro__] if inspect.isclass(kind) else [kind]
    names: set[str] = set()
    for one in filter(None, callables):
        try:
            parameters = inspect.signature(one).parameters.values()
        except (TypeError, ValueError):
            continue
        names |= {p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    return names - {'self'}


def _frames(trace: TracebackType | None) -> Iterator[FrameType]:
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def _building(frames: list[FrameType]) -> FrameType | None:
    """Return the innermost frame in which mmengine builds something."""
    code = build_from_cfg.__code__
    return next((frame for frame in reversed(frames) if frame.f_code is code), None)


def _kind(building: FrameType) -> Any:
    return building.f_locals.get('obj_cls')


def _name(kind: Any) -> str:
    return getattr(kind, '__qualname__', repr(kind))


def _of_type(cfg: Mapping, building: FrameType, key: str | None = None) -> str:
    kind = building.f_locals.get('obj_type')
    return _at(_places(cfg, lambda node: node.get('type') == kind and (key is None or key in node)))


def _at(places: Iterator[str]) -> str:
    found = list(places)
    shown = ', '.join(found[:_PLACES_SHOWN])
    more = len(found) - _PLACES_SHOWN
    return (f' ({shown}' + (f' and {more} more)' if more > 0 else ')')) if found else ''


def _places(node: Any, fits: Callable[[Mapping], bool], path: str = '') -> Iterator[str]:
    """Yield the dotted keys of the entries that fit."""
    if isinstance(node, Mapping) and fits(node):
        yield path or 'at the top'
    if not isinstance(node, Mapping | list | tuple):
        return
    for key, child in node.items() if isinstance(node, Mapping) else enumerate(node):
        yield from _places(child, fits, f'{path}.{key}' if path else str(key))


def _log_place(frames: list[FrameType], cfg: Mapping) -> None:
    building = _building(frames)
    if building is None or 'obj_cls' not in building.f_locals:
        return
    place = _of_type(cfg, building)
    if place:
        text = f'{_name(_kind(building))} of the config could not be built{place}'
        print_log(text, 'current', logging.ERROR)
