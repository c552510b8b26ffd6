from pathlib import Path

import pytest
from mmengine.config import Config

from passreid.apis.auto_resume import resolve_auto_resume


def _config(work_dir, **entries):
    return Config({'work_dir': str(work_dir), **entries})


def test_latest_checkpoint_is_chosen(tmp_path):
    checkpoint = tmp_path / 'epoch_3.pth'
    checkpoint.touch()
    (tmp_path / 'last_checkpoint').write_text(f'{checkpoint}\n')
    cfg = _config(tmp_path, resume='auto', load_from='pretrained.pth')
    assert resolve_auto_resume(cfg) == []
    assert cfg.resume is True
    assert cfg.load_from == str(checkpoint)


def test_moved_work_directory_is_found(tmp_path):
    (tmp_path / 'epoch_3.pth').touch()
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/epoch_3.pth')
    cfg = _config(tmp_path, resume='auto')
    resolve_auto_resume(cfg)
    assert Path(cfg.load_from) == tmp_path / 'epoch_3.pth'


def test_first_start_keeps_load_from(tmp_path):
    cfg = _config(tmp_path, resume='auto', load_from='pretrained.pth')
    assert 'starting afresh' in resolve_auto_resume(cfg)[0]
    assert cfg.resume is False
    assert cfg.load_from == 'pretrained.pth'


def test_lost_checkpoint_is_an_error(tmp_path):
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/epoch_3.pth')
    with pytest.raises(FileNotFoundError, match='names /elsewhere/epoch_3.pth, which is gone'):
        resolve_auto_resume(_config(tmp_path, resume='auto'))


@pytest.mark.parametrize('resume', [True, False])
def test_other_choices_are_left_alone(tmp_path, resume):
    cfg = _config(tmp_path, resume=resume, load_from='some.pth')
    resolve_auto_resume(cfg)
    assert (cfg.resume, cfg.load_from) == (resume, 'some.pth')
