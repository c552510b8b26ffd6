"""The report of the quick start."""

import json
import shlex
import statistics
from collections.abc import Sequence
from pathlib import Path

from passreid.visualization import Section, Table, html_report

FIGURES = ('mAP', 'R1', 'mINP')
# Name of the row, folder of the seed, in the order of the table.
ROWS = (
    ('features of an untrained network', 'scratch-frozen'),
    ('features of the control, [CLS] alone', 'cls-frozen'),
    ('features of PASS', 'pass-frozen'),
    ('fine-tuned from scratch', 'scratch-tuned'),
    ('fine-tuned from the control', 'cls-tuned'),
    ('fine-tuned from PASS', 'pass-tuned'),
)


def write_report(
    folder: Path,
    seeds: Sequence[int],
    commands: Sequence[Sequence[str]],
    seconds: float,
    fast: bool,
) -> tuple[Path, str]:
    """Write ``report.html`` and ``results.json`` beside the results; return it and its table."""
    results: dict[str, dict[str, list[float]]] = {}
    for _, name in ROWS:
        paths = [folder / f'seed-{seed}' / name / 'result' / 'metrics.json' for seed in seeds]
        read = [json.loads(path.read_text()) for path in paths]
        results[name] = {figure: [figures[figure] for figures in read] for figure in FIGURES}
    means = [statistics.mean(results[name]['mAP']) for _, name in ROWS]
    rows = [
        (label, *(_mean_and_spread(results[name][figure]) for figure in FIGURES))
        for label, name in ROWS
    ]
    table = Table(('', 'mAP', 'Rank-1', 'mINP'), rows, best=means.index(max(means)))

    def picture(name: str, caption: str) -> tuple[str, bytes]:
        return caption, (folder / f'seed-{seeds[0]}' / f'{name}.png').read_bytes()

    text = (
        'Pre-training. teacher_information says how much the teacher tells images apart, in nats; '
        'near 0 a run has collapsed.'
    )
    tuning = picture('fine-tuning', 'Fine-tuning with the same few labels.')
    lists = 'The three queries that were answered best, and the three that were answered worst.'
    frozen = picture('attention-frozen', 'After pre-training.')
    tuned = picture('attention-tuned', 'After fine-tuning.')
    setting = (
        'Rendered pedestrians: pre-training without labels, then fine-tuning with 200 pictures of '
        '25 people, all three with the same budget, learning rate and number of steps; tested on '
        'other people. Figures in percent'
    )
    if len(seeds) > 1:
        setting += f', means and standard deviations over the seeds {", ".join(map(str, seeds))}'
    if fast:
        setting += '. With --fast there is too little training for these figures to mean anything'
    work = f'{seconds / 60:.1f} minutes of work, by these commands:'
    code = '\n'.join(f'python {shlex.join(command)}' for command in commands)
    sections = [
        Section('Result', [f'{setting}.', *verdicts(results)], table),
        Section('Learning', pictures=[tuning, picture('pre-training', text)]),
        Section('Rank lists', [lists], pictures=[picture('ranking', 'Fine-tuned from PASS.')]),
        Section('Where the tokens look', pictures=[frozen, tuned]),
        Section('How this was made', [work], code=code),
    ]
    report = folder / 'report.html'
    report.write_text(html_report('passreid quick start', sections), encoding='utf-8')
    (folder / 'results.json').write_text(json.dumps(results, indent=2) + '\n')
    return report, '\n'.join([table.to_text(), '', *verdicts(results)])


def verdicts(results: dict[str, dict[str, list[float]]]) -> list[str]:
    """Say in words what the figures show, whichever it is: row to figure to those of all seeds."""
    comparisons = (
        ('the PASS weights', 'pass-tuned', 'starting from scratch', 'scratch-tuned'),
        ('parts (PASS)', 'pass-tuned', 'the control with [CLS] alone', 'cls-tuned'),
    )
    sentences = []
    for this, name, that, other in comparisons:
        gains = [a - b for a, b in zip(results[name]['mAP'], results[other]['mAP'], strict=True)]
        gain = statistics.mean(gains)
        text = f'After fine-tuning, {this} and {that} differ by {gain:+.1f} points of mAP'
        if len(gains) == 1:
            sentences.append(f'{text} (one seed: no word on the spread).')
            continue
        spread = max(statistics.stdev(results[row]['mAP']) for row in (name, other))
        clear = 'more' if abs(gain) > 2 * spread else 'NOT more'
        sentences.append(
            f'{text} on average over {len(gains)} seeds, {clear} than twice the spread '
            f'({spread:.1f}, the larger standard deviation).'
        )
    return sentences


def _mean_and_spread(values: list[float]) -> str:
    mean = f'{statistics.mean(values):.1f}'
    return mean if len(values) == 1 else f'{mean} ± {statistics.stdev(values):.1f}'
