"""Print runs as a table in Markdown: their seeds, code, options and figures.

A WORK_DIR is that of a training, of which the newest run counts, with the runs that it resumed, or
that of a test. Runs that differ by the seed alone, their code being the same too, are one row: mean
and standard deviation (of a sample: n - 1) over the seeds. Options are those that differ between
the rows.
"""

import ast
import re
import statistics
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from passreid.utils.config import ENTRIES_READ
from passreid.visualization import RunLog, read_run_log
from passreid.visualization.curves import config_file, run_files

# The seed has a column; the others change no figure.
_NO_OPTION = (
    r'(randomness\.seed|work_dir|experiment_name|launcher|log_level|resume|visualizer)(\.|$)',
    r'\w+_dataloader\.(\d+\.)?(num_workers|persistent_workers|pin_memory|prefetch_factor)$',
    r'\w+_evaluator\.(\d+\.)?save_dir$',
)
_CHOICES = dict(last=lambda values: values[-1], max=np.nanmax, min=np.nanmin)


@dataclass(frozen=True)
class Run:
    """What a work directory tells about a run; options are written as in Python, by dotted key."""

    folder: str
    name: str
    seed: str
    commit: str
    versions: str
    options: dict[str, str]
    log: RunLog

    def value(self, key: str, choice: str) -> float | None:
        """Return the last, largest or smallest value of a figure; None where there is none."""
        if key in self.log.keys:
            return float(_CHOICES[choice](self.log.series(key)[1]))
        print(f'{self.folder} has no {key}; it has {", ".join(self.log.keys)}', file=sys.stderr)
        return None


def read_run(folder: str) -> Run:
    """Read what a run has left in its work directory."""
    # The first start and those that resumed it.
    configs = [config_file(file) for file in run_files(folder)]
    entries, *later = map(read_dumped_config, configs)
    starts = [config.parents[1] for config in configs]
    logs = [start / f'{start.name}.log' for start in starts]
    texts = [log.read_text(errors='replace') if log.is_file() else '' for log in logs]
    text = texts[0]
    pattern = r'(?m) - passreid (\d[^\s,]*)(?:, commit (\S+))?$'
    codes = [code.groups('') for code in (re.search(pattern, text) for text in texts) if code]
    versions = [f'passreid {version}' for version in dict.fromkeys(code[0] for code in codes)]
    options = read_options(entries)
    for own in map(read_options, later):
        changed = [key for key in options.keys() & own.keys() if options[key] != own[key]]
        if changed := sorted(key for key in changed if not re.match(_NO_OPTION[0], key)):
            print(f'{folder} was resumed with another {", ".join(changed)}', file=sys.stderr)
    versions += map(' '.join, re.findall(r'(?m)^ +(PyTorch|MMEngine): (\S+)$', text))
    # The one that was drawn, where the config has none.
    seed = re.search(r'(?m)^ +seed: (\d+)$', text)
    given = entries.get('randomness', {}).get('seed')
    run = Run(
        folder=folder,
        name=entries.get('experiment_name') or Path(folder).resolve().name,
        seed=seed[1] if seed else '?' if given is None else str(given),
        commit=', '.join(dict.fromkeys(code[1] for code in codes if code[1])),
        versions=', '.join(versions),
        options=options,
        log=read_run_log(folder),
    )
    planned = (entries.get('train_cfg') or {}).get('max_epochs')
    if planned and run.log.epoch_length:
        last = max(run.log.series(key, by='epoch')[0][-1] for key in run.log.keys)
        if ceil(last) < planned:
            print(f'{folder} ended in epoch {ceil(last)} of {planned}', file=sys.stderr)
    return run


def read_options(entries: dict[str, Any]) -> dict[str, str]:
    """Return what a run reads of a config, by dotted key."""
    return flatten({key: entries[key] for key in sorted(ENTRIES_READ & entries.keys())})


def read_dumped_config(path: Path) -> dict[str, Any]:
    """Read a config that a run has written, without running it as Python."""
    lines = _DictCalls().visit(ast.parse(path.read_text(), str(path))).body
    return {line.targets[0].id: ast.literal_eval(line.value) for line in lines}


class _DictCalls(ast.NodeTransformer):
    """Replaces ``dict(a=1)`` by ``{'a': 1}``, ``dict({'.a': 1})`` by its argument, and ``inf``."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(float(node.id)) if node.id in ('inf', 'nan') else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        keys = [word.arg for word in node.keywords]
        if ast.unparse(node.func) != 'dict' or None in keys or len(node.args) > (not keys):
            raise ValueError(f'{ast.unparse(node)} is no value')
        if node.args:
            return node.args[0]
        return ast.Dict([ast.Constant(key) for key in keys], [word.value for word in node.keywords])


def flatten(node: Any, key: str = '') -> dict[str, str]:
    """Return the values of a config, as text, by dotted key; lists of dicts are taken apart."""
    children: dict[Any, Any] = {}
    if isinstance(node, dict):
        children = node
    elif isinstance(node, list | tuple) and any(isinstance(child, dict) for child in node):
        children = dict(enumerate(node))
    if not children:
        return {key: repr(node)}
    found: dict[str, str] = {}
    for name, child in children.items():
        found |= flatten(child, f'{key}.{name}' if key else str(name))
    return found


def group_runs(runs: list[Run], ignored: list[str]) -> list[tuple[dict[str, str], list[Run]]]:
    """Gather the runs that differ by the seed alone; returns the options that matter with each."""
    patterns = [*_NO_OPTION, *(rf'{re.escape(key)}(\.|$)' for key in ignored)]
    groups: dict[tuple, tuple[dict[str, str], list[Run]]] = {}
    for run in runs:
        options = {
            key: value
            for key, value in run.options.items()
            if not any(re.match(pattern, key) for pattern in patterns)
        }
        same = (run.commit, run.versions, *sorted(options.items()))
        groups.setdefault(same, (options, []))[1].append(run)
    return list(groups.values())


def summary(values: list[float | None], digits: int) -> str:
    """Write the mean and, of several values, the standard deviation; '' if one is missing."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return ''
    mean = f'{statistics.mean(known):.{digits}f}'
    return mean if len(known) == 1 else f'{mean} ± {statistics.stdev(known):.{digits}f}'


def table(runs: list[Run], metrics: list[str], choice: str, digits: int, ignored: list[str]) -> str:
    """Return the table, one row for each group of runs."""
    groups = group_runs(runs, ignored)
    seen = [set(options.items()) for options, _ in groups]
    shared = set.intersection(*seen)
    figures = [f'{key} ({choice})' for key in metrics]
    lines = [['run', 'n', 'seeds', 'commit', 'versions', 'options', *figures]]
    lines.append(['---'] * len(lines[0]))
    for options, group in groups:
        own = [f'`{key}={value}`' for key, value in options.items() if (key, value) not in shared]
        first, seeds = group[0], ', '.join(run.seed for run in group)
        cells = [first.name, str(len(group)), seeds, first.commit, first.versions, ', '.join(own)]
        for key in metrics:
            cells.append(summary([run.value(key, choice) for run in group], digits))
        lines.append([cell.replace('|', r'\|') for cell in cells])
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)


def main() -> None:
    """Print the table; what is missing is named on the standard error stream."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    option = parser.add_argument
    option('folders', nargs='+', metavar='WORK_DIR', help='work directories')
    text = 'figures to show (default: reid/mAP reid/R1)'
    option('--metrics', nargs='+', metavar='KEY', default=['reid/mAP', 'reid/R1'], help=text)
    text = 'which value of a run: its last, largest or smallest (default: last)'
    option('--value', choices=list(_CHOICES), default='last', help=text)
    text = (
        'options not to look at, such as model.backbone.init_cfg for weights that have a seed too'
    )
    option('--ignore', nargs='+', metavar='KEY', default=[], help=text)
    option('--digits', type=int, default=1, help='decimals of figures (default: 1)')
    args = parser.parse_args()
    runs, errors, folders = [], [], {}
    for folder in args.folders:
        folders.setdefault(Path(folder).resolve(), folder)
    for folder in folders.values():
        try:
            runs.append(read_run(folder))
        # Of files that are missing, cut off, or something else.
        except (AttributeError, KeyError, OSError, SyntaxError, TypeError, ValueError) as error:
            errors.append(f'{folder} cannot be read: {error or type(error).__name__}')
    if runs:
        print(table(runs, args.metrics, args.value, args.digits, args.ignore))
    if errors:
        sys.exit('\n'.join(errors))


if __name__ == '__main__':
    main()
