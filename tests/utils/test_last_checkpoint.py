from passreid.utils.last_checkpoint import (
    examine,
    latest_whole,
    read_last_checkpoint,
    write_last_checkpoint,
)


def test_pointer(tmp_path):
    assert read_last_checkpoint(tmp_path) is None
    write_last_checkpoint(tmp_path, 'work_dirs/zwölf/epoch_1.pth')
    assert read_last_checkpoint(tmp_path) == 'work_dirs/zwölf/epoch_1.pth'
    (tmp_path / 'last_checkpoint').write_bytes(b'\0\0\0')
    assert read_last_checkpoint(tmp_path) == ''


def test_no_archive(tmp_path):
    (tmp_path / 'file.pth').write_text('no checkpoint')
    found = examine(tmp_path / 'file.pth')
    assert found.progress is None
    assert 'not written to its end' in found.damage


def test_nothing_to_choose_from():
    assert latest_whole([]) == (None, {})
