from pathlib import Path

import pytest
from mmengine.hooks import Hook
from tiny_runs import pass_config, write_crops

from passreid.apis import build_runner

ROOT = Path(__file__).parents[3]


class Log(Hook):
    """Keep what is logged, by iteration."""

    priority = 'LOWEST'

    def __init__(self):
        self.rows = []

    def after_train_iter(self, runner, *args, **kwargs):
        scalars = runner.message_hub.log_scalars
        self.rows.append({name: history.current() for name, history in scalars.items()})


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp('info')
    crops = write_crops(folder / 'crops', count=8)
    (crops / 'broken.jpg').write_bytes(b'no picture')
    cfg = pass_config(ROOT, crops, folder / 'run', train_dataloader__dataset__max_bad_share=0.5)
    for hook in cfg.custom_hooks:
        if 'interval' in hook:
            hook.interval = 1
    runner = build_runner(cfg)
    log = Log()
    runner.register_hook(log)
    runner.train()
    return runner, log.rows


def test_everything_that_a_run_is_judged_by_is_logged(run):
    _, rows = run
    expected = {'loss', 'loss_cls', 'loss_part', 'lr', 'weight_decay', 'images_per_second'}
    expected |= {'teacher_entropy', 'teacher_kl_uniform', 'teacher_information'}
    expected |= {'teacher_momentum', 'attention_height_cls'}
    expected |= {f'{name}_{k}' for name in ('part_cosine', 'attention_height') for k in (1, 2, 3)}
    for row in rows:
        assert expected <= {name.removeprefix('train/') for name in row}
        parts = row['train/loss_cls'] + row['train/loss_part']
        assert row['train/loss'] == pytest.approx(parts, rel=1e-5)
        assert row['train/images_per_second'] > 0
    assert rows[0]['train/weight_decay'] == pytest.approx(0.04)
    assert rows[-1]['train/weight_decay'] > 0.2


def test_bad_images_are_summed_up_after_an_epoch(run):
    runner, _ = run
    log = next(Path(runner.log_dir).glob('*.log')).read_text()
    assert '1 of 9 images could not be used' in log
    assert 'broken.jpg' in log
