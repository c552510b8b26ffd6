"""What the programs that convert weights have in common."""

import argparse
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from passreid import __version__
from passreid.apis import get_model
from passreid.models.converters import fill_model
from passreid.models.converters.load import check_weights
from passreid.models.converters.positions import stated_grid
from passreid.utils.atomic_file import save_atomically
from passreid.utils.checkpoint_loading import read_checkpoint

Content = Mapping[str, Any]
Convert = Callable[[Content, argparse.Namespace], tuple[Content, str]]


def make_parser(description: str, dst_help: str, config: bool = False) -> argparse.ArgumentParser:
    """Return a parser of SRC and DST, and perhaps of ``--config``."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('src', type=Path, help='file to read; nothing in it is run')
    parser.add_argument('dst', type=Path, help=f'file to write: {dst_help}')
    if config:
        text = 'fill the model of this config, and write nothing if it gets too little'
        parser.add_argument('--config', help=text)
    return parser


def run(parser: argparse.ArgumentParser, convert: Convert) -> None:
    """Read SRC, convert it to weights of a kind, try them in the model of a config, write DST."""
    args = parser.parse_args()
    if args.src.resolve() == args.dst.resolve():
        raise ValueError(f'DST must be another file than SRC, {args.src}')
    source = read_checkpoint(args.src)
    content, kind = convert(source, args)
    if getattr(args, 'config', None):
        report = fill_model(get_model(args.config), content, str(args.src))
        report.check(0.75)
        print(report.table())
    tensors = dict(named_tensors(content))
    try:
        check_weights(tensors)
    except ValueError as error:
        raise ValueError(f'{args.src}, converted: {error}; nothing was written') from error
    meta = {'converted_from': args.src.name, 'kind': kind, 'passreid_version': __version__}
    grid = stated_grid(source) or getattr(args, 'grid', None)
    if grid:
        meta['pos_embed_grid'] = tuple(grid)
    saved: Any = {**content, 'meta': meta}
    # Programs take each entry of bare weights for a weight: meta goes where torch keeps versions.
    if all(isinstance(value, Tensor) for value in content.values()):
        saved = OrderedDict(content)
        saved._metadata = OrderedDict({'': meta})
    save_atomically(saved, args.dst)
    values = sum(tensor.numel() for tensor in tensors.values())
    print(f'Wrote {args.dst}: {kind}, {len(tensors)} tensors, {values:,} values')


def named_tensors(content: Content, prefix: str = '') -> Iterator[tuple[str, Tensor]]:
    """List the tensors of nested containers."""
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from named_tensors(value, f'{prefix}{name}.')
        elif isinstance(value, Tensor):
            yield f'{prefix}{name}', value
