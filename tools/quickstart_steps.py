"""The steps of the quick start, as commands of this folder."""

from dataclasses import dataclass
from pathlib import Path

PRE_TRAINED = {'pass': 'pass_vit-t8_synthetic.py', 'cls': 'pass_vit-t8-cls_synthetic.py'}
NAMES = {'scratch': 'a fresh network', 'cls': 'the control', 'pass': 'the PASS weights'}
# Fewer pictures, people and iterations: shows that everything works, not how well.
FAST_DATA = ('settings.unlabelled_ids=850', 'settings.test_ids=60')
FAST_PRE_TRAINING = (
    'train_cfg.max_epochs=1',
    'param_scheduler.0.end=30',
    *(f'param_scheduler.{index}.{key}=1' for index in (1, 2) for key in ('end', 'T_max')),
)
FAST_FINE_TUNING = ('train_cfg.max_epochs=10', 'param_scheduler.0.T_max=10')


@dataclass(frozen=True)
class Step:
    """A command and what it is for."""

    name: str  # Its log is logs/<name>.log.
    title: str
    command: tuple[str, ...]  # Arguments of python.


def plan(folder: Path, seed: int, data_root: str, fast: bool) -> list[Step]:
    """List the steps of one seed, each of which needs those before it.

    Args:
        folder (Path): Where its results go.
        seed (int): Seed of pre-training and fine-tuning.
        data_root (str): Where pictures are rendered.
        fast (bool): Whether to use little data.
    """

    def train(config: str, work_dir: Path, *options: str) -> tuple[str, ...]:
        return (
            *('tools/train.py', config, '--work-dir', str(work_dir), '--data-root', data_root),
            # Persistent workers take seconds to end where the process goes on.
            *('--cfg-options', 'train_dataloader.persistent_workers=False'),
            *(f'randomness.seed={seed}', *_data('train', fast), *options),
        )

    steps = []
    for name, title in (('pass', 'with parts (PASS)'), ('cls', '[CLS] alone (control)')):
        options = ('default_hooks.logger.interval=20', *(FAST_PRE_TRAINING if fast else ()))
        command = train(f'configs/pass/{PRE_TRAINED[name]}', folder / name, *options)
        steps.append(Step(name, f'Pre-train {title}', command))
    for name, what in NAMES.items():
        config = f'configs/supervised/vit-t8{"-cls" if name == "cls" else ""}_synthetic.py'
        weights, start = 'none', 'model.backbone.init_cfg=None'
        if name != 'scratch':
            weights = str(folder / name / 'teacher_backbone.pth')
            start = f'model.backbone.init_cfg.checkpoint={weights}'
        frozen, tuned = folder / f'{name}-frozen', folder / f'{name}-tuned'
        command = (
            *('tools/test.py', config, weights, '--data-root', data_root),
            *('--work-dir', str(frozen), '--out', str(frozen / 'result')),
            *('--cfg-options', start, f'randomness.seed={seed}', *_data('test', fast)),
        )
        steps.append(Step(f'{name}-frozen', f'Evaluate {what} before fine-tuning', command))
        options = (
            *(start, *_data('val', fast), f'val_evaluator.save_dir={tuned / "result"}'),
            f'train_cfg.val_interval={2 if fast else 6}',
            *(FAST_FINE_TUNING if fast else ()),
        )
        command = train(config, tuned, *options)
        steps.append(Step(f'{name}-tuned', f'Fine-tune {what} and evaluate', command))
    return steps


def plan_pictures(folder: Path, data_root: str, fast: bool) -> list[Step]:
    """List the steps that draw what one seed has learned, beside its results."""
    curves = 'tools/analysis_tools/plot_curves.py'
    legend = ('--legend', 'from scratch', '[CLS] alone', 'PASS')
    steps = {
        ('draw-tuning', 'the curves of fine-tuning', 'fine-tuning'): (
            *(curves, *(str(folder / f'{name}-tuned') for name in NAMES)),
            *('--keys', 'reid/mAP', 'loss', '--by', 'epoch', *legend),
        ),
        ('draw-pre-training', 'the curves of pre-training', 'pre-training'): (
            *(curves, str(folder / 'cls'), str(folder / 'pass')),
            *('--keys', 'loss', 'teacher_information', '--legend', *legend[2:]),
        ),
        ('draw-ranking', 'the best and the worst queries', 'ranking'): (
            *('tools/visualization/vis_ranking.py', str(folder / 'pass-tuned' / 'result')),
            *('--num', '6'),
        ),
    }
    for state, when, weights in (
        ('frozen', 'before', folder / 'pass' / 'teacher_backbone.pth'),
        ('tuned', 'after', folder / 'pass-tuned' / f'epoch_{10 if fast else 30}.pth'),
    ):
        name = f'attention-{state}'
        steps[f'draw-{name}', f'where the tokens look {when} fine-tuning', name] = (
            'tools/visualization/vis_part_attention.py',
            *('configs/supervised/vit-t8_synthetic.py', str(weights)),
            *('--split', 'query', '--num', '4', '--data-root', data_root),
            *(('--cfg-options', *_data('test', fast)) if fast else ()),
        )
    return [
        Step(name, f'Draw {what}', (*command, '--out', str(folder / f'{picture}.png')))
        for (name, what, picture), command in steps.items()
    ]


def _data(split: str, fast: bool) -> list[str]:
    return [f'{split}_dataloader.dataset.{option}' for option in (FAST_DATA if fast else ())]
