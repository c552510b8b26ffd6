import os
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from passreid.apis.auto_resume import resolve_auto_resume


def _config(work_dir, **entries):
    return Config({'work_dir': str(work_dir), **entries})


def write(path, iteration=3, time='20300101_000000', **parts):
    """Write what training writes, less parts that are None; most bytes are those of weights."""
    content = {
        'meta': {'iter': iteration, 'epoch': 1, 'time': time},
        'state_dict': {'weight': torch.ones(5000)},
        'message_hub': {},
        'optimizer': {},
    }
    content |= parts
    torch.save({key: value for key, value in content.items() if value is not None}, path)
    return path


def flip_a_weight(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def cut_short(path):
    os.truncate(path, 10)


def empty(path):
    os.truncate(path, 0)


DAMAGES = [flip_a_weight, cut, cut_short, empty]


def test_latest_checkpoint_is_chosen(tmp_path):
    checkpoint = write(tmp_path / 'epoch_3.pth')
    (tmp_path / 'last_checkpoint').write_text(f'{checkpoint}\n')
    cfg = _config(tmp_path, resume='auto', load_from='pretrained.pth')
    assert resolve_auto_resume(cfg) == []
    assert cfg.resume is True
    assert cfg.load_from == str(checkpoint)


def test_moved_work_directory_is_found(tmp_path):
    write(tmp_path / 'epoch_3.pth')
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/epoch_3.pth')
    cfg = _config(tmp_path, resume='auto')
    assert resolve_auto_resume(cfg) == []
    assert Path(cfg.load_from) == tmp_path / 'epoch_3.pth'


def test_copied_work_directory_goes_on_with_its_own(tmp_path):
    for name in ('original', 'copy'):
        (tmp_path / name).mkdir()
        write(tmp_path / name / 'epoch_3.pth')
        named = tmp_path / 'original' / 'epoch_3.pth'
        (tmp_path / name / 'last_checkpoint').write_text(str(named))
    cfg = _config(tmp_path / 'copy', resume='auto')
    resolve_auto_resume(cfg)
    assert Path(cfg.load_from) == tmp_path / 'copy' / 'epoch_3.pth'


def test_address_is_left_to_its_storage(tmp_path):
    (tmp_path / 'last_checkpoint').write_text('s3://bucket/run/epoch_3.pth')
    cfg = _config(tmp_path, resume='auto')
    assert resolve_auto_resume(cfg) == []
    assert (cfg.resume, cfg.load_from) == (True, 's3://bucket/run/epoch_3.pth')


def test_first_start_keeps_load_from(tmp_path):
    write(tmp_path / 'pretrained.pth', optimizer=None, meta={})
    torch.save({'weight': torch.ones(1)}, tmp_path / 'weights.pth')
    cfg = _config(tmp_path, resume='auto', load_from='pretrained.pth')
    assert 'starting afresh' in resolve_auto_resume(cfg)[0]
    assert cfg.resume is False
    assert cfg.load_from == 'pretrained.pth'


def test_lost_checkpoint_is_an_error(tmp_path):
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/epoch_3.pth')
    with pytest.raises(FileNotFoundError, match='names /elsewhere/epoch_3.pth, which is gone'):
        resolve_auto_resume(_config(tmp_path, resume='auto'))


@pytest.mark.parametrize('damage', DAMAGES)
def test_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, damage):
    write(tmp_path / 'iter_6.pth', 6, '20300101_000001')
    before = write(tmp_path / 'iter_12.pth', 12, '20300101_000002')
    damaged = write(tmp_path / 'iter_18.pth', 18, '20300101_000003')
    (tmp_path / 'last_checkpoint').write_text(str(damaged))
    damage(damaged)
    cfg = _config(tmp_path, resume='auto')
    (note,) = resolve_auto_resume(cfg)
    assert (cfg.resume, cfg.load_from) == (True, str(before))
    assert f'names {damaged}, which is damaged' in note
    assert f'Resuming from {before}' in note


@pytest.mark.parametrize('damage', DAMAGES)
@pytest.mark.parametrize('pointer', [True, False])
def test_nothing_but_damage_is_an_error(tmp_path, damage, pointer):
    checkpoint = write(tmp_path / 'epoch_1.pth')
    if pointer:
        (tmp_path / 'last_checkpoint').write_text(str(checkpoint))
    damage(checkpoint)
    cfg = _config(tmp_path, resume='auto', load_from='pretrained.pth')
    with pytest.raises(RuntimeError, match=rf'{checkpoint} is damaged: .* no other to resume'):
        resolve_auto_resume(cfg)


@pytest.mark.parametrize('pointer', [None, b'', b' \n', b'\0' * 40, b'\xff\xfe\x01', b'gone.pth'])
def test_lost_pointer(tmp_path, pointer):
    write(tmp_path / 'iter_6.pth', 6)
    latest = write(tmp_path / 'iter_12.pth', 12)
    # Of a later moment, but not to be resumed from.
    write(tmp_path / 'best_reid_mAP_epoch_2.pth', 14, optimizer=None)
    if pointer is not None:
        (tmp_path / 'last_checkpoint').write_bytes(pointer)
    cfg = _config(tmp_path, resume='auto')
    (note,) = resolve_auto_resume(cfg)
    assert cfg.load_from == str(latest)
    assert f'Resuming from {latest}' in note


def test_leftovers_of_an_earlier_run_are_not_the_latest(tmp_path):
    write(tmp_path / 'epoch_90.pth', 900, '20291231_235959')
    latest = write(tmp_path / 'epoch_2.pth', 20, '20300101_000000')
    cfg = _config(tmp_path, resume='auto')
    resolve_auto_resume(cfg)
    assert cfg.load_from == str(latest)


def test_best_of_starting_weights_is_a_fresh_start(tmp_path):
    """It is written before anything that can be resumed from."""
    content = {'meta': {'iter': 0, 'epoch': 0}, 'state_dict': {}, 'message_hub': {}}
    torch.save(content, tmp_path / 'best_reid_mAP_epoch_0.pth')
    cfg = _config(tmp_path, resume='auto')
    assert 'starting afresh' in resolve_auto_resume(cfg)[0]


def test_plain_resume_is_as_careful(tmp_path):
    write(tmp_path / 'iter_6.pth', 6)
    damaged = write(tmp_path / 'iter_12.pth', 12)
    cut(damaged)
    (tmp_path / 'last_checkpoint').write_text(str(damaged))
    cfg = _config(tmp_path, resume=True, load_from=None)
    resolve_auto_resume(cfg)
    assert cfg.load_from == str(tmp_path / 'iter_6.pth')


@pytest.mark.parametrize('resume', [True, False])
def test_other_choices_are_left_alone(tmp_path, resume):
    cfg = _config(tmp_path, resume=resume, load_from='some.pth')
    resolve_auto_resume(cfg)
    assert (cfg.resume, cfg.load_from) == (resume, 'some.pth')
