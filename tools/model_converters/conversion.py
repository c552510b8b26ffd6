"""What the programs that convert weights have in common."""

import argparse
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from passreid import __version__
from passreid.apis import get_model
from passreid.models.converters import fill_model
from passreid.models.converters.load import check_weights
from passreid.utils.atomic_file import save_atomically
from passreid.utils.checkpoint_loading import read_checkpoint


def make_parser(description: str, dst_help: str) -> argparse.ArgumentParser:
    """Return a parser of SRC and DST, which is what ``dst_help`` says."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('src', type=Path, help='file to read; nothing in it is run')
    parser.add_argument('dst', type=Path, help=dst_help)
    return parser


def add_config(parser: argparse.ArgumentParser) -> None:
    """Give a program the option ``--config``."""
    parser.add_argument(
        '--config',
        help='fill the model of this config, print what it got, and write nothing if it is too '
        'little',
    )


def read_source(args: argparse.Namespace) -> Mapping[str, Any]:
    """Read SRC, unless DST is the same file or lies in no folder."""
    if args.src.resolve() == args.dst.resolve():
        raise ValueError(f'DST must be another file than SRC, {args.src}')
    if not args.dst.parent.is_dir():
        raise FileNotFoundError(f'There is no folder {args.dst.parent} to write {args.dst.name} in')
    return read_checkpoint(args.src)


def print_fit(weights: Mapping[str, Tensor], config: str, source: Path) -> None:
    """Print what a model of a config makes of weights; of its backbone three quarters must fit."""
    report = fill_model(get_model(config), {'state_dict': weights}, str(source))
    report.check(0.75)
    print(report.table())


def write_file(
    content: Mapping[str, Any],
    args: argparse.Namespace,
    kind: str,
    grid: tuple[int, int] | None = None,
) -> None:
    """Write DST so that a reader never sees half of it, with ``meta`` on where it comes from.

    A container gets ``meta`` as an entry. Bare weights get it where torch keeps the versions of the
    modules of a ``state_dict``, since programs take each entry of such a file for a weight.

    Args:
        content (Mapping[str, Any]): Weights, or containers of them.
        args (argparse.Namespace): With ``src`` and ``dst``.
        kind (str): What was converted.
        grid (tuple[int, int], optional): Of the positions, when it is known; goes into ``meta``.

    Raises:
        ValueError: When values are no finite floating-point numbers; nothing is written then.
    """
    tensors = list(_tensors(content))
    try:
        check_weights(dict(tensors))
    except ValueError as error:
        raise ValueError(f'{args.src}, converted: {error}; nothing was written') from error
    meta = {'converted_from': args.src.name, 'kind': kind, 'passreid_version': __version__}
    if grid is not None:
        meta['pos_embed_grid'] = tuple(grid)
    saved: Any = {**content, 'meta': meta}
    if all(isinstance(value, Tensor) for value in content.values()):
        saved = OrderedDict(content)
        saved._metadata = OrderedDict({'': meta})
    save_atomically(saved, args.dst)
    values = sum(tensor.numel() for _, tensor in tensors)
    print(f'Wrote {args.dst}: {kind}, {len(tensors)} tensors, {values:,} values')


def _tensors(content: Mapping[str, Any], prefix: str = '') -> Iterator[tuple[str, Tensor]]:
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _tensors(value, f'{prefix}{name}.')
        elif isinstance(value, Tensor):
            yield f'{prefix}{name}', value
