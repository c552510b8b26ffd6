import numpy as np
import pytest
from torch.utils.data import DataLoader

from passreid.datasets import FolderReID, LUPerson, Market1501, ReIDConcatDataset
from passreid.datasets.samplers.resumable_sampler import RedrawnIndex

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
    # The number of bert is less than that of anna.
    assert joint.pids.tolist() == [0, 0, 1, 1, 2, 2, 4, 4, 3, 3, 5, 6, 6]
    # Unknown cameras stay unknown.
    assert joint.cam_ids.tolist() == [0, 1] * 3 + [-1] * 4 + [2, 2, 3]
    assert joint.num_ids == 7
    for samples in (joint, joint.with_pipeline([dict])):
        assert [sample['gt_label'] for sample in samples] == joint.pids.tolist()
        assert [sample['cam_id'] for sample in samples] == joint.cam_ids.tolist()
        assert [sample['sample_idx'] for sample in samples] == list(range(13))
        assert [sample['img_path'] for sample in samples] == list(map(joint.image_name, range(13)))


def test_the_data_sets_are_not_changed_and_keep_their_pipelines(root):
    datasets = parts(root)
    datasets[0] = datasets[0].with_pipeline([LOAD])
    joint = ReIDConcatDataset(datasets)
    assert 'draw' not in joint[0] and 'draw' in joint[12] and datasets[2][2]['gt_label'] == 1


def test_every_sample_has_random_numbers_of_its_own(joint, root):
    first = [joint[idx]['draw'] for idx in range(13)]
    assert len(set(first)) == 13
    assert joint[RedrawnIndex(8, repeat=1)]['draw'] not in first
    loader = DataLoader(joint, 4, num_workers=2, collate_fn=list)
    assert [sample['draw'] for batch in loader for sample in batch] == first
    joint.set_seed(1)
    joint.set_epoch(1)
    other = [joint[idx]['draw'] for idx in range(13)]
    assert not set(first) & set(other)


def test_bad_images_and_what_cannot_be_joined(root):
    (root / 'own' / 'anna' / '1.jpg').write_bytes(b'')
    joint = ReIDConcatDataset(parts(root, max_bad_share=1))
    assert [sample['sample_idx'] for sample in joint][6] != 6
    summary = joint.bad_image_summary()
    assert summary['names'] == [str(root / 'own' / 'anna' / '1.jpg')]
    assert summary['seen'] == 13 + summary['bad']
    with pytest.raises(TypeError, match='LUPerson is no ReIDDataset'):
        ReIDConcatDataset([*parts(root), LUPerson(str(root / 'own'))])
