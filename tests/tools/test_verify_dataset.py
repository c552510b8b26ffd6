import json
import os
import pickle
import shutil
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pytest


@pytest.fixture
def tool(load_tool):
    return load_tool('misc/verify_dataset')


@pytest.fixture
def verify(run, capsys):
    """Run the tool on a config; returns exit status, what it printed and what it wrote."""

    def call(**entries):
        Path('config.py').write_text(''.join(f'{k} = {v!r}\n' for k, v in entries.items()))
        words = ['config.py', '--out', 'found.json', '--num-workers', 0]
        with pytest.raises(SystemExit) as caught:
            run('misc/verify_dataset', *words)
        text = capsys.readouterr().out
        return caught.value.code, text, json.loads(Path('found.json').read_text())

    return call


@pytest.fixture
def people(tmp_path):
    """Three persons to train on, two to test on; every picture is another."""
    root = tmp_path / 'people'
    names = [f'bounding_box_train/000{pid}_c{camera}.png' for pid in (1, 2, 3) for camera in (1, 2)]
    names += [f'query/000{pid}_c1.png' for pid in (5, 6)]
    names += [f'bounding_box_test/000{pid}_c2.png' for pid in (5, 6)]
    for value, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / name), np.full((8, 4, 3), value, np.uint8))
    return root


def market(root, *splits):
    return {
        f'{name}_dataloader': {
            'dataset': {'type': 'passreid.Market1501', 'data_root': str(root), 'split': split}
        }
        for name, split in zip(('train', 'val', 'test'), splits, strict=False)
    }


def test_nothing_wrong(verify, people):
    code, text, found = verify(**market(people, 'train', 'test', 'test'))
    assert (code, found['wrong']) == (0, False)
    lines = [line.split() for line in text.splitlines()]
    assert ['train', '6', '3', '2', '0', '0', '0', '0'] in lines
    assert ['val,', 'test', '4', '2', '2', '2', '0', '0', '0'] in lines
    assert lines[-1] == ['Nothing', 'is', 'wrong.']


def test_unreadable_images(verify, people):
    (people / 'query' / '0005_c1.png').write_bytes(b'')
    os.mkfifo(people / 'bounding_box_train' / '0001_c3.png')
    code, text, found = verify(**market(people, 'train', 'test'))
    assert code == 1
    assert f'train: cannot be read: 1\n    {people}/bounding_box_train/0001_c3.png = not a' in text
    assert [list(one['unreadable'].values()) for one in found['datasets']] == [
        ['not a regular file'],
        ['the file is empty'],
    ]


def test_equal_files(verify, people):
    train = people / 'bounding_box_train'
    shutil.copy(train / '0001_c1.png', train / '0001_c4.png')
    code, text, _ = verify(**market(people, 'train'))
    assert code == 0
    assert 'train: one picture twice under one id: 1\n' in text
    shutil.copy(train / '0001_c1.png', train / '0002_c4.png')
    code, text, found = verify(**market(people, 'train'))
    assert code == 1
    (names,) = found['datasets'][0]['across_ids']
    assert [Path(name).name for name in names] == ['0001_c1.png', '0001_c4.png', '0002_c4.png']


def test_picture_of_training_and_test(verify, people):
    shutil.copy(people / 'bounding_box_train/0003_c2.png', people / 'query/0006_c1.png')
    code, text, found = verify(**market(people, 'train', 'test'))
    assert code == 1
    assert 'train and val: one picture in both: 1' in text
    assert list(found['in_both']) == ['train and val']


def test_queries_without_a_match_that_counts(verify, people):
    (people / 'bounding_box_test/0005_c2.png').rename(people / 'bounding_box_test/0005_c1.png')
    (people / 'bounding_box_test/0006_c2.png').rename(people / 'bounding_box_test/0007_c2.png')
    code, text, found = verify(**market(people, 'train', 'test'))
    assert code == 1
    assert found['datasets'][1]['without_match'] == {'5': 1, '6': 1}
    assert 'val: queries of an id without a match that counts: 2\n    5 = 1' in text


def test_unknown_cameras_leave_out_the_file_of_the_query_alone(tool):
    image = tool.Image
    queries = [image(f'{pid}.jpg', pid, -1, True) for pid in (1, 2)]
    gallery = [image('1.jpg', 1, -1, False), image('2.jpg', 2, -1, False)]
    gallery.append(image('x.jpg', 2, -1, False))
    assert tool.find_problems('test', '', queries + gallery)['without_match'] == {1: 1}


def test_images_of_an_lmdb(verify, people, tmp_path):
    (tmp_path / 'LUP' / 'lmdb').mkdir(parents=True)
    data = (people / 'query/0005_c1.png').read_bytes()
    with (
        lmdb.open(str(tmp_path / 'LUP' / 'lmdb'), map_size=1 << 20) as environment,
        environment.begin(write=True) as transaction,
    ):
        for key in (b'a', b'b'):
            transaction.put(key, data)
    (tmp_path / 'LUP' / 'keys.pkl').write_bytes(pickle.dumps(['a', 'lost', 'b']))
    dataset = {'type': 'passreid.LUPerson', 'data_root': str(tmp_path / 'LUP')}
    code, _, found = verify(train_dataloader={'dataset': dataset})
    assert code == 1
    assert found['datasets'][0]['unreadable']['lost'].endswith('lmdb has no such key')
    assert found['datasets'][0]['same_id'] == [['a', 'b']]


def test_joint_data_sets_are_taken_apart(tool, people):
    one, other = (
        market(people, split)['train_dataloader']['dataset'] for split in ('train', 'test')
    )
    joint = {'dataset': {'type': 'ReIDConcatDataset', 'datasets': [one, other]}}
    cfg = tool.Config({'train_dataloader': joint, 'test_dataloader': [{'dataset': other}]})
    named = tool.dataset_configs(cfg)
    assert {name: entry['split'] for name, entry in named.items()} == {
        'train': 'train',
        'train, test': 'test',
    }


def test_config_without_data(run):
    Path('config.py').write_text('a = 1')
    with pytest.raises(ValueError, match=r'config\.py names no data set'):
        run('misc/verify_dataset', 'config.py')
