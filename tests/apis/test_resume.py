from pathlib import Path

import pytest
import torch

from passreid.apis.resume import latest_checkpoint


def write(path, iteration=3, time='20300101_000000', **parts):
    """Write what training writes, less parts that are None; most bytes are those of weights."""
    content = {
        'meta': {'iter': iteration, 'epoch': 1, 'time': time},
        'state_dict': {'weight': torch.ones(5000)},
        'message_hub': {},
        'optimizer': {},
    }
    content |= parts
    path.parent.mkdir(exist_ok=True)
    torch.save({key: value for key, value in content.items() if value is not None}, path)
    return path


def flipped(data):
    """Flip a bit of a weight."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


damages = pytest.mark.parametrize(
    'damage', [flipped, lambda data: data[: len(data) // 2], lambda data: b'']
)


def test_the_one_that_is_named(tmp_path):
    write(tmp_path / 'epoch_4.pth', 4)
    checkpoint = write(tmp_path / 'epoch_3.pth')
    (tmp_path / 'last_checkpoint').write_text(f'{checkpoint}\n')
    assert latest_checkpoint(tmp_path) == (str(checkpoint), '')


@pytest.mark.parametrize('kept', [True, False])
def test_moved_or_copied_work_directory_goes_on_with_its_own(tmp_path, kept):
    named = tmp_path / 'original' / 'epoch_3.pth'
    if kept:
        write(named)
    own = write(tmp_path / 'copy' / 'epoch_3.pth')
    (tmp_path / 'copy' / 'last_checkpoint').write_text(str(named))
    assert latest_checkpoint(tmp_path / 'copy') == (str(own), '')


def test_address_is_left_to_its_storage(tmp_path):
    (tmp_path / 'last_checkpoint').write_text('s3://bucket/run/epoch_3.pth')
    assert latest_checkpoint(tmp_path) == ('s3://bucket/run/epoch_3.pth', '')


def test_first_start(tmp_path):
    assert latest_checkpoint(tmp_path / 'none')[0] is None
    # Weights to start from, and the best ones, which may be those of the start.
    torch.save({'weight': torch.ones(1)}, tmp_path / 'weights.pth')
    write(tmp_path / 'best_reid_mAP_epoch_0.pth', 0, optimizer=None)
    chosen, note = latest_checkpoint(tmp_path)
    assert chosen is None and 'starting afresh' in note


def test_lost_checkpoint_is_an_error(tmp_path):
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/epoch_3.pth')
    with pytest.raises(FileNotFoundError, match='/elsewhere/epoch_3.pth'):
        latest_checkpoint(tmp_path)


@damages
def test_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, damage):
    # Left by an earlier run.
    write(tmp_path / 'iter_90.pth', 90, '20291231_235959')
    write(tmp_path / 'iter_6.pth', 6, '20300101_000001')
    before = write(tmp_path / 'iter_12.pth', 12, '20300101_000002')
    damaged = write(tmp_path / 'iter_18.pth', 18, '20300101_000003')
    (tmp_path / 'last_checkpoint').write_text(str(damaged))
    damaged.write_bytes(damage(damaged.read_bytes()))
    chosen, note = latest_checkpoint(tmp_path)
    assert Path(chosen) == before
    assert f'{damaged} is damaged' in note and f'Resuming from {before}' in note


@damages
@pytest.mark.parametrize('pointer', [True, False])
def test_nothing_but_damage_is_an_error(tmp_path, damage, pointer):
    checkpoint = write(tmp_path / 'epoch_1.pth')
    if pointer:
        (tmp_path / 'last_checkpoint').write_text(str(checkpoint))
    checkpoint.write_bytes(damage(checkpoint.read_bytes()))
    with pytest.raises(RuntimeError, match=f'{checkpoint} is damaged'):
        latest_checkpoint(tmp_path)


@pytest.mark.parametrize('pointer', [None, b'', b'\0' * 40, b'\xff\xfe\x01', b'gone.pth'])
def test_lost_pointer(tmp_path, pointer):
    write(tmp_path / 'iter_6.pth', 6)
    latest = write(tmp_path / 'iter_12.pth', 12)
    # Of a later moment, but not to be resumed from.
    write(tmp_path / 'best_reid_mAP_epoch_2.pth', 14, optimizer=None)
    if pointer is not None:
        (tmp_path / 'last_checkpoint').write_bytes(pointer)
    chosen, note = latest_checkpoint(tmp_path)
    assert Path(chosen) == latest and f'Resuming from {latest}' in note
