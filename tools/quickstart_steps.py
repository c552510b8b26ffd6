"""The steps of the quick start, as commands of this folder."""

from dataclasses import dataclass
from pathlib import Path

PRE_TRAINED = {'pass': 'pass_vit-t8_synthetic.py', 'cls': 'pass_vit-t8-cls_synthetic.py'}
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
    """A command and what it is for.

    Attributes:
        name (str): Its log is ``logs/<name>.log``.
        title (str): What it does.
        command (tuple[str, ...]): Arguments of python.
    """

    name: str
    title: str
    command: tuple[str, ...]


def plan(folder: Path, seed: int, data_root: str, fast: bool) -> list[Step]:
    """List the steps of one seed.

    Args:
        folder (Path): Where its results go.
        seed (int): Seed of pre-training and fine-tuning.
        data_root (str): Where pictures are rendered.
        fast (bool): Whether to use little data.

    Returns:
        list[Step]: Each needs those before it.
    """
    data = FAST_DATA if fast else ()
    train_data = [f'train_dataloader.dataset.{option}' for option in data]
    test_data = [f'test_dataloader.dataset.{option}' for option in data]
    steps = []
    for name, config in PRE_TRAINED.items():
        options = [f'randomness.seed={seed}', 'default_hooks.logger.interval=20', *train_data]
        steps.append(
            Step(
                name,
                f'Pre-train {"with parts (PASS)" if name == "pass" else "[CLS] alone (control)"}',
                _train(f'configs/pass/{config}', folder / name, data_root)
                + (*options, *(FAST_PRE_TRAINING if fast else ())),
            )
        )
    epochs = 10 if fast else 30
    for name in ('scratch', 'cls', 'pass'):
        config = f'configs/supervised/vit-t8{"-cls" if name == "cls" else ""}_synthetic.py'
        weights = 'none' if name == 'scratch' else str(folder / name / 'teacher_backbone.pth')
        start = 'init_cfg=None' if name == 'scratch' else f'init_cfg.checkpoint={weights}'
        start = f'model.backbone.{start}'
        steps.append(
            Step(
                f'{name}-frozen',
                f'Evaluate {_describe(name)} before fine-tuning',
                (
                    *('tools/test.py', config, weights, '--data-root', data_root),
                    *('--work-dir', str(folder / f'{name}-frozen')),
                    *('--out', str(folder / f'{name}-frozen' / 'result')),
                    *('--cfg-options', start, f'randomness.seed={seed}', *test_data),
                ),
            )
        )
        work_dir = folder / f'{name}-tuned'
        steps.append(
            Step(
                f'{name}-tuned',
                f'Fine-tune {_describe(name)} and evaluate',
                _train(config, work_dir, data_root)
                + (
                    *(start, f'randomness.seed={seed}', *train_data),
                    *(option.replace('test_', 'val_', 1) for option in test_data),
                    f'train_cfg.val_interval={epochs // 5}',
                    f'val_evaluator.save_dir={work_dir / "result"}',
                    *(FAST_FINE_TUNING if fast else ()),
                ),
            )
        )
    return steps


def plan_pictures(folder: Path, data_root: str, fast: bool) -> list[Step]:
    """List the steps that draw what one seed has learned.

    Args:
        folder (Path): Where its results are, and where the pictures go.
        data_root (str): Where pictures of people are.
        fast (bool): As in :func:`plan`.
    """
    curves = 'tools/analysis_tools/plot_curves.py'
    options = [f'test_dataloader.dataset.{option}' for option in (FAST_DATA if fast else ())]
    legend = ('--legend', 'from scratch', '[CLS] alone', 'PASS')
    return [
        Step(
            'draw-tuning',
            'Draw the curves of fine-tuning',
            (
                *(curves, *(str(folder / f'{name}-tuned') for name in ('scratch', 'cls', 'pass'))),
                *('--keys', 'reid/mAP', 'loss', '--by', 'epoch', *legend),
                *('--out', str(folder / 'fine-tuning.png')),
            ),
        ),
        Step(
            'draw-pre-training',
            'Draw the curves of pre-training',
            (
                *(curves, str(folder / 'cls'), str(folder / 'pass')),
                *('--keys', 'loss', 'teacher_information', '--legend', *legend[2:]),
                *('--out', str(folder / 'pre-training.png')),
            ),
        ),
        Step(
            'draw-ranking',
            'Draw the best and the worst queries',
            (
                *('tools/visualization/vis_ranking.py', str(folder / 'pass-tuned' / 'result')),
                *('--num', '6', '--out', str(folder / 'ranking.png')),
            ),
        ),
        *(
            Step(
                f'draw-attention-{state}',
                f'Draw where the tokens look {when} fine-tuning',
                (
                    'tools/visualization/vis_part_attention.py',
                    'configs/supervised/vit-t8_synthetic.py',
                    str(weights),
                    *(
                        '--split',
                        'query',
                        '--num',
                        '4',
                        '--out',
                        str(folder / f'attention-{state}.png'),
                    ),
                    *('--data-root', data_root, *(['--cfg-options', *options] if options else [])),
                ),
            )
            for state, when, weights in (
                ('frozen', 'before', folder / 'pass' / 'teacher_backbone.pth'),
                ('tuned', 'after', folder / 'pass-tuned' / f'epoch_{10 if fast else 30}.pth'),
            )
        ),
    ]


def _describe(name: str) -> str:
    return {'scratch': 'a fresh network', 'cls': 'the control', 'pass': 'the PASS weights'}[name]


def _train(config: str, work_dir: Path, data_root: str) -> tuple[str, ...]:
    return (
        *('tools/train.py', config, '--work-dir', str(work_dir)),
        # Persistent workers take seconds to end where the process goes on.
        *('--data-root', data_root, '--cfg-options', 'train_dataloader.persistent_workers=False'),
    )
