import csv
import itertools
import json
import multiprocessing
import os
from dataclasses import replace

import cv2
import pytest

from passreid.rendering import GENERATOR_VERSION, generate, generate_synthetic

FORK = multiprocessing.get_context('fork')


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file()
    }


def test_layout(tmp_path, tiny_settings):
    folder = generate_synthetic(tmp_path, tiny_settings, num_workers=1)
    assert folder.parent == tmp_path / 'a'
    counts = {path.name: len(list(path.iterdir())) for path in folder.iterdir() if path.is_dir()}
    expected = {'bounding_box_train': 12, 'query': 4, 'bounding_box_test': 4, 'unlabelled': 12}
    assert counts == expected
    record = json.loads((folder / 'generation.json').read_text())
    assert (record['generator_version'], record['train_ids']) == (GENERATOR_VERSION, 3)
    rows = list(csv.DictReader((folder / 'unlabelled_pids.csv').open()))
    assert {row['file'] for row in rows} == set(os.listdir(folder / 'unlabelled'))
    assert {int(row['pid']) for row in rows} == {6, 7, 8, 9}
    assert {cv2.imread(str(path)).shape for path in folder.rglob('*.jpg')} == {(32, 16, 3)}


def test_number_of_processes_changes_nothing(tmp_path, tiny_settings, monkeypatch):
    monkeypatch.setattr(generate, '_CHUNK', 5)
    one = generate_synthetic(tmp_path / 'one', tiny_settings, num_workers=1)
    three = generate_synthetic(tmp_path / 'three', tiny_settings, num_workers=3)
    assert contents(one) == contents(three)


def test_generated_once_and_apart_from_other_settings(tmp_path, tiny_settings, monkeypatch):
    folder = generate_synthetic(tmp_path, tiny_settings, num_workers=1)
    with monkeypatch.context() as patch:
        patch.setattr(generate, 'GENERATOR_VERSION', 'next')
        assert generate_synthetic(tmp_path, tiny_settings, num_workers=1) != folder
    monkeypatch.setattr(generate, '_generate', lambda folder, *args: None)
    assert generate_synthetic(tmp_path, replace(tiny_settings, seed=1)) != folder
    monkeypatch.setattr(generate, '_generate', None)
    assert generate_synthetic(tmp_path, tiny_settings) == folder


def test_processes_that_start_at_once_generate_once(tmp_path, tiny_settings, monkeypatch):
    log = tmp_path / 'log'
    original = generate._generate

    def logged(*args):
        with log.open('a') as stream:
            stream.write(f'{os.getpid()}\n')
        original(*args)

    monkeypatch.setattr(generate, '_generate', logged)
    processes = [
        FORK.Process(target=generate_synthetic, args=(tmp_path / 'data', tiny_settings, 1))
        for _ in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(log.read_text().splitlines()) == 1


def test_killed_generation_is_not_taken_for_complete(tmp_path, tiny_settings, monkeypatch):
    expected = contents(generate_synthetic(tmp_path / 'whole', tiny_settings, num_workers=1))
    left = itertools.count(10, -1)

    def die_half_way(picture, original=generate.render):
        return original(picture) if next(left) else os._exit(9)

    monkeypatch.setattr(generate, 'render', die_half_way)
    process = FORK.Process(target=generate_synthetic, args=(tmp_path / 'cut', tiny_settings, 1))
    process.start()
    process.join(60)
    assert process.exitcode == 9
    left_over = [path for path in (tmp_path / 'cut' / 'a').iterdir() if path.is_dir()]
    assert [path.suffix for path in left_over] == ['.incomplete']
    assert len(list(left_over[0].rglob('*.jpg'))) == 10

    monkeypatch.undo()
    folder = generate_synthetic(tmp_path / 'cut', tiny_settings, num_workers=1)
    assert contents(folder) == expected
    assert not left_over[0].exists()


def test_root_that_cannot_be_written(tmp_path, tiny_settings):
    root = tmp_path / 'a file'
    root.touch()
    with pytest.raises(PermissionError, match='a file.* data_root'):
        generate_synthetic(root, tiny_settings)
