"""Results of ``search_gallery.py`` as text, tables and JSON."""

import argparse
import json
from collections.abc import Sequence

from passreid.search import Match
from passreid.utils.printable import printable
from passreid.visualization import QueryResult, Table, similarity_text, time_text


def results_json(results: Sequence[QueryResult]) -> str:
    """Write results as a list of ``query`` and ``matches``, each as :meth:`Match.to_dict` has it.

    Args:
        results (Sequence[QueryResult]): The queries.
    """
    entries = [
        dict(query=result.path, matches=[match.to_dict() for match in result.matches])
        for result in results
    ]
    return json.dumps(entries, indent=1)


def conditions(args: argparse.Namespace) -> str:
    """Return what a search asked for, in sentences.

    Args:
        args (argparse.Namespace): The command line of ``query``.
    """
    parts = [f'At most {args.topk} for each query']
    if args.threshold is not None:
        parts.append(f'Least similarity: {args.threshold:g}')
    for name, cameras in (('Cameras', args.camera), ('Cameras left out', args.not_camera)):
        if cameras:
            parts.append(f'{name}: {", ".join(map(str, cameras))}')
    for name, time in (('Since', args.since), ('Until', args.until)):
        if time is not None:
            parts.append(f'{name}: {time_text(time)}')
    parts += [f'{name}: {json.dumps(value, ensure_ascii=False)}' for name, value in args.field]
    return f'{". ".join(parts)}.'


def result_text(result: QueryResult) -> str:
    """Return what was found for a query as lines for a terminal.

    Args:
        result (QueryResult): The query.
    """
    rows = [_row(rank, match) for rank, match in enumerate(result.matches, start=1)]
    table = Table(('rank', 'similarity', 'camera', 'time', 'path'), rows)
    title = f'{printable(result.path)}: {len(rows)} images found'
    return f'{title}\n{table.to_text()}\n' if rows else f'{title}\n'


def _row(rank: int, match: Match) -> tuple[str, ...]:
    record = match.record
    camera = '' if record.cam_id < 0 else str(record.cam_id)
    time = '' if record.time is None else f'{record.time:.15g}'
    return str(rank), similarity_text(match.similarity), camera, time, printable(record.path)
