import pickle

import numpy as np
import pytest
from torch.utils.data import DataLoader

from passreid.datasets import (
    FolderReID,
    IdentitySampler,
    LUPerson,
    Market1501,
    ReIDConcatDataset,
)
from passreid.datasets.samplers.grouped_sampler import RepeatedIndex

LOAD = {'type': 'LoadPersonImage'}


def add_draw(results):
    results['draw'] = np.random.rand()
    return results


@pytest.fixture
def root(tmp_path, write_images):
    market = [f'{pid:04d}_c{camera}s1_0.jpg' for pid in (3, 9, 700) for camera in (1, 6)]
    write_images(tmp_path / 'market' / 'bounding_box_train', market)
    write_images(tmp_path / 'own', [f'{name}/{n}.jpg' for name in ('anna', 'bert') for n in (1, 2)])
    write_images(tmp_path / 'gate', ['1_40_a.jpg', '3_41_a.jpg', '3_40_b.jpg'])
    return tmp_path


def parts(root, pipeline=(LOAD, add_draw), **options):
    options['pipeline'] = pipeline
    pattern = r'(?P<pid>\d+)_(?P<camera>\d+)'
    return [
        Market1501(str(root / 'market'), **options),
        FolderReID(str(root / 'own'), pid_from='folder', **options),
        FolderReID(str(root / 'gate'), pattern=pattern, **options),
    ]


@pytest.fixture
def joint(root):
    return ReIDConcatDataset(parts(root))


def test_persons_and_cameras_are_numbered_through(joint):
    assert len(joint) == 13
    bert_first = int(joint.pids[6] == 4)
    own = [4, 4, 3, 3] if bert_first else [3, 3, 4, 4]
    assert joint.pids.tolist() == [0, 0, 1, 1, 2, 2, *own, 5, 6, 6]
    # Unknown cameras stay unknown.
    assert joint.cam_ids.tolist() == [0, 1] * 3 + [-1] * 4 + [2, 2, 3]
    assert (joint.num_ids, joint.num_cameras) == (7, 4)


def test_samples_agree_with_the_columns(joint):
    plain = joint.with_pipeline([lambda results: results])
    for samples in (map(joint.get_data_info, range(13)), map(joint.__getitem__, range(13)), plain):
        samples = list(samples)
        assert [sample['gt_label'] for sample in samples] == joint.pids.tolist()
        assert [sample['cam_id'] for sample in samples] == joint.cam_ids.tolist()
        assert [sample['sample_idx'] for sample in samples] == list(range(13))
        assert [sample['img_path'] for sample in samples] == list(map(joint.image_name, range(13)))
    assert joint[-1]['sample_idx'] == 12
    assert 'draw' in joint[0] and 'draw' not in plain[0]


def test_the_data_sets_are_not_changed(root):
    datasets = parts(root)
    joint = ReIDConcatDataset(datasets, seed=4)
    joint.set_epoch(3)
    joint[12]
    assert datasets[2][2]['gt_label'] == datasets[2].pids[2] == 1
    assert datasets[2][2]['sample_idx'] == 2
    assert datasets[2][2]['draw'] == parts(root)[2][2]['draw']
    assert datasets[2].bad_image_summary()['seen'] == 3


def test_every_sample_has_random_numbers_of_its_own(joint, root):
    def draws():
        return [joint[idx]['draw'] for idx in range(13)]

    first = draws()
    assert len(set(first)) == 13
    assert joint[RepeatedIndex(8, visit=1)]['draw'] not in first
    joint.set_epoch(1)
    assert not set(first) & set(draws())
    joint.set_seed(1)
    third = draws()
    assert not set(first) & set(third)
    # Also when they are set before the data sets are loaded.
    late = ReIDConcatDataset(parts(root, lazy_init=True), seed=1, lazy_init=True)
    late.set_epoch(1)
    assert [late[idx]['draw'] for idx in range(13)] == third


def test_workers(joint):
    alone = [joint[idx]['draw'] for idx in range(13)]
    loader = DataLoader(joint, 4, num_workers=2, collate_fn=list)
    assert [sample['draw'] for batch in loader for sample in batch] == alone
    copy = pickle.loads(pickle.dumps(joint))
    assert copy[7]['draw'] == alone[7]


def test_bad_images(root):
    (root / 'own' / 'anna' / '1.jpg').write_bytes(b'')
    joint = ReIDConcatDataset(parts(root, max_bad_share=1))
    samples = [joint[idx] for idx in range(13)]
    # Another sample of its own data set takes its place.
    assert samples[6]['sample_idx'] in (7, 8, 9)
    summary = joint.bad_image_summary()
    assert summary['names'] == [str(root / 'own' / 'anna' / '1.jpg')]
    assert summary['seen'] == 13 + summary['bad']


def test_identities_are_sampled_over_all(joint):
    sampler = IdentitySampler(joint, batch_size=14, images_per_id=2, seed=0)
    assert set(joint.pids[list(sampler)].tolist()) == set(range(7))


def test_what_cannot_be_joined(root):
    with pytest.raises(TypeError, match='LUPerson is no ReIDDataset'):
        ReIDConcatDataset([*parts(root), LUPerson(str(root / 'own'))])
