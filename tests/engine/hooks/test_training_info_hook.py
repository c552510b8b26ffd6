"""What is logged of a run, and drawn."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from tiny_runs import pass_config, quick_start, train, write_crops

from passreid.engine import ViewsPictureHook

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
    """A pre-training on nine files, of which one is no picture."""
    folder = tmp_path_factory.mktemp('info')
    crops = write_crops(folder / 'crops', count=8)
    (crops / 'broken.jpg').write_bytes(b'no picture')
    cfg = pass_config(ROOT, crops, folder / 'run', train_dataloader__dataset__max_bad_share=0.5)
    for hook in cfg.custom_hooks:
        if 'interval' in hook:
            hook.interval = 1
        if hook.type == 'ViewsPictureHook':
            hook.update(num_images=3, height=32)
    log = Log()
    with quick_start():
        return train(cfg, log), log.rows


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
    log = next(Path(run[0].log_dir).glob('*.log')).read_text()
    assert '1 of 9 images could not be used' in log
    assert 'broken.jpg' in log


def test_picture_shows_the_views(run):
    picture = cv2.imread(str(Path(run[0].work_dir) / 'views.png'))
    # Rows of 32 pixels and a gap; two global views of 16, three local views of 16, and gaps.
    assert picture.shape == (3 * 36, 5 * 20, 3)
    assert np.all(picture[32:36] == 255)
    assert picture[:32, :16].std() > 10


def test_picture_draws_no_random_number_of_training(run):
    views = {
        'global_views': torch.randint(0, 256, (4, 2, 32, 16, 3), dtype=torch.uint8),
        'local_views': torch.randint(0, 256, (4, 3, 16, 8, 3), dtype=torch.uint8),
    }
    state = torch.get_rng_state()
    ViewsPictureHook().before_train_iter(run[0], 0, {'inputs': views})
    assert torch.equal(torch.get_rng_state(), state)
