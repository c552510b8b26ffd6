from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from tiny_runs import pass_config, write_crops

from passreid.apis import build_runner

ROOT = Path(__file__).parents[3]


@pytest.fixture
def runner(tmp_path):
    crops = write_crops(tmp_path / 'crops', count=4)
    cfg = pass_config(ROOT, crops, tmp_path / 'run', train_cfg__max_epochs=1)
    for hook in cfg.custom_hooks:
        if hook.type == 'ViewsPictureHook':
            hook.update(num_images=3, height=32)
    return build_runner(cfg)


def test_picture_shows_the_views(runner, tmp_path):
    runner.train()
    picture = cv2.imread(str(tmp_path / 'run' / 'views.png'))
    # Rows of 32 pixels and a gap; two global views of 16, three local views of 16, and gaps.
    assert picture.shape == (3 * 36, 5 * 20, 3)
    assert np.all(picture[32:36] == 255)
    assert picture[:32, :16].std() > 10


def test_random_numbers_of_training_stay_as_they_are(runner, tmp_path):
    hook = next(hook for hook in runner._hooks if type(hook).__name__ == 'ViewsPictureHook')
    views = torch.randint(0, 256, (4, 2, 32, 16, 3), dtype=torch.uint8)
    local = torch.randint(0, 256, (4, 3, 16, 8, 3), dtype=torch.uint8)
    state = torch.get_rng_state()
    hook.before_train_iter(runner, 0, {'inputs': {'global_views': views, 'local_views': local}})
    assert torch.equal(torch.get_rng_state(), state)
