import random

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset
from torch.utils.data import DataLoader

from passreid.datasets import LUPerson
from passreid.datasets.repeated_index import RepeatedIndex
from passreid.datasets.robust_dataset import RobustDataset
from passreid.datasets.storage.bad_images import BadImageError, TooManyBadImagesError

LOAD = {'type': 'LoadPersonImage'}


def add_draws(results):
    results['draws'] = (np.random.rand(), random.random(), torch.rand(1).item())
    return results


@pytest.fixture
def root(tmp_path, write_images):
    return write_images(tmp_path / 'data', [f'{number:02d}.jpg' for number in range(20)])


def build(root, pipeline=(LOAD, add_draws), **kwargs):
    return LUPerson(str(root), pipeline=pipeline, **kwargs)


def draws(dataset, num_workers=0):
    batches = iter(DataLoader(dataset, 3, num_workers=num_workers, collate_fn=list))
    try:
        return [sample['draws'] for batch in batches for sample in batch]
    except Exception:
        # After an error PyTorch would wait five seconds for each worker.
        for worker in getattr(batches, '_workers', []):
            worker.terminate()
        raise


def test_worker_count_does_not_matter(root):
    alone = draws(build(root))
    assert alone == draws(build(root), num_workers=2)
    assert len(set(alone)) == 20
    # Neither does the order.
    dataset = build(root)
    assert [dataset[idx]['draws'] for idx in reversed(range(20))] == alone[::-1]


def test_seed_and_epoch_change_the_numbers(root):
    dataset = build(root, seed=4)
    seen = [tuple(draws(dataset))]
    dataset.set_epoch(1)
    seen.append(tuple(draws(dataset)))
    dataset.set_seed(5)
    seen.append(tuple(draws(dataset)))
    assert len(set(seen)) == 3
    dataset.set_seed(4)
    dataset.set_epoch(0)
    assert tuple(draws(dataset)) == seen[0]


def test_persistent_workers_follow(root):
    dataset = build(root)
    loader = DataLoader(
        dataset, batch_size=3, num_workers=2, collate_fn=list, persistent_workers=True
    )
    for seed, epoch in ((0, 0), (0, 1), (7, 1)):
        dataset.set_seed(seed)
        dataset.set_epoch(epoch)
        got = [sample['draws'] for batch in loader for sample in batch]
        alone = build(root, seed=seed)
        alone.set_epoch(epoch)
        assert got == draws(alone)


def test_outer_random_state_is_not_touched(root):
    dataset = build(root)
    np.random.seed(3)
    expected = np.random.rand(4)
    np.random.seed(3)
    got = []
    for idx in range(4):
        dataset[idx]
        got.append(np.random.rand())
    np.testing.assert_array_equal(got, expected)


def test_negative_index_is_the_same_sample(root):
    dataset = build(root)
    assert dataset[-1]['draws'] == dataset[19]['draws']
    assert dataset[np.int64(3)]['sample_idx'] == 3
    with pytest.raises(IndexError, match='sample 20 of 20'):
        dataset[20]


def test_copies_of_a_sample_in_an_epoch_differ(root):
    dataset = build(root)
    visits = [dataset[RepeatedIndex(4, visit)]['draws'] for visit in range(4)]
    assert len(set(visits)) == 4
    assert visits[0] == dataset[4]['draws']
    order = [4, RepeatedIndex(4, 1), 4, RepeatedIndex(4, 2)]
    loader = DataLoader(dataset, sampler=order, num_workers=1, collate_fn=list)
    got = [sample['draws'] for batch in loader for sample in batch]
    assert got == [visits[0], visits[1], visits[0], visits[2]]


@pytest.fixture
def damaged(root):
    (root / '03.jpg').write_bytes(b'')
    (root / '05.jpg').write_bytes((root / '05.jpg').read_bytes()[:-2])
    (root / '11.jpg').write_bytes(b'not an image')
    return root


@pytest.mark.parametrize('num_workers', [0, 2])
def test_bad_images_are_counted_named_and_replaced(damaged, num_workers, log):
    dataset = build(damaged, max_bad_share=0.5)
    samples = [
        sample
        for batch in DataLoader(dataset, 3, num_workers=num_workers, collate_fn=list)
        for sample in batch
    ]
    replaced = [idx for idx, sample in enumerate(samples) if sample['sample_idx'] != idx]
    assert replaced == [3, 5, 11]
    assert not {samples[idx]['sample_idx'] for idx in replaced} & {3, 5, 11}
    summary = dataset.bad_image_summary()
    assert summary['names'] == [str(damaged / name) for name in ('03.jpg', '05.jpg', '11.jpg')]
    # A replacement may be bad as well, so there may be more attempts than samples.
    assert summary['seen'] == 20 + summary['bad']
    assert summary['share'] == summary['bad'] / summary['seen']
    for name, reason in (
        ('03.jpg', 'the file is empty'),
        ('05.jpg', 'image file is truncated'),
        ('11.jpg', 'not an image'),
    ):
        assert log().count(f'bad image {damaged / name}: {reason}') == 1


def test_replacement_is_determined_by_seed_epoch_and_sample(damaged):
    def replacements(epoch, num_workers):
        dataset = build(damaged, max_bad_share=1)
        dataset.set_epoch(epoch)
        loader = DataLoader(dataset, 3, num_workers=num_workers, collate_fn=list)
        samples = [sample for batch in loader for sample in batch]
        return [(samples[idx]['sample_idx'], samples[idx]['draws']) for idx in (3, 5, 11)]

    assert replacements(0, 0) == replacements(0, 2)
    assert replacements(0, 0) != replacements(1, 0)


@pytest.mark.parametrize('num_workers', [0, 2])
def test_too_many_bad_images_stop_the_training(damaged, num_workers):
    dataset = build(damaged, max_bad_share=0.01, bad_grace=8)
    with pytest.raises(TooManyBadImagesError, match='max_bad_share=0.01'):
        draws(dataset, num_workers=num_workers)


def test_nothing_but_bad_images_stops_at_once(tmp_path):
    for number in range(5):
        (tmp_path / f'{number}.jpg').touch()
    with pytest.raises(TooManyBadImagesError, match='5 of the 5 images loaded so far are bad'):
        build(tmp_path)[0]


@pytest.mark.parametrize('num_workers', [0, 1])
def test_in_test_mode_a_bad_image_is_an_error(damaged, num_workers):
    dataset = build(damaged, test_mode=True)
    with pytest.raises(BadImageError, match=r'03\.jpg: the file is empty'):
        draws(dataset, num_workers=num_workers)


@pytest.mark.slow
def test_counts_over_persistent_and_spawned_workers(damaged):
    dataset = build(damaged, [LOAD], max_bad_share=1)
    loader = DataLoader(
        dataset,
        batch_size=5,
        num_workers=1,
        collate_fn=list,
        persistent_workers=True,
        multiprocessing_context='spawn',
    )
    bad = []
    for epoch in range(2):
        dataset.set_epoch(epoch)
        assert sum(len(batch) for batch in loader) == 20
        bad.append(dataset.bad_image_summary()['bad'])
    assert bad[0] >= 3
    assert bad[1] >= bad[0] + 3
    assert dataset.bad_image_summary()['seen'] == 40 + bad[1]
    assert len(dataset.bad_image_summary()['names']) == 3


def test_subset_counts_for_itself(damaged):
    dataset = build(damaged, max_bad_share=1)
    subset = dataset.get_subset([3, 0])
    subset[0]
    assert dataset.bad_image_summary()['seen'] == 0
    assert subset.bad_image_summary()['names'] == [str(damaged / '03.jpg')]


def test_other_errors_are_not_swallowed(root):
    def fail(results):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        build(root, [fail])[0]


class Numbers(RobustDataset):
    def load_data_list(self):
        return [{'img_path': f'{number}.jpg'} for number in range(6)]


def test_other_arguments_reach_base_dataset():
    dataset = Numbers(indices=[4, 2], serialize_data=False, metainfo={'season': 'winter'})
    assert [dataset[idx]['img_path'] for idx in range(2)] == ['4.jpg', '2.jpg']
    assert dataset.metainfo['season'] == 'winter'
    lazy = Numbers(lazy_init=True)
    assert not lazy._fully_initialized
    lazy.full_init()
    assert len(lazy) == 6
    assert isinstance(lazy, BaseDataset)


def test_copy_with_another_pipeline(root):
    dataset = build(root)
    dataset.set_epoch(3)
    plain = dataset.with_pipeline([lambda results: results['img_path']])
    assert [plain[idx] for idx in range(2)] == [dataset.image_name(idx) for idx in range(2)]
    assert not isinstance(dataset[0], str)
    plain.set_epoch(4)
    assert (dataset._sample_seed.epoch, plain._sample_seed.epoch) == (3, 4)
    before = dataset.bad_image_summary()['seen']
    plain[0]
    assert dataset.bad_image_summary()['seen'] == before
    assert plain.bad_image_summary()['seen'] == 3


def test_data_set_without_a_single_good_image(tmp_path):
    for name in ('a.jpg', 'b.jpg'):
        (tmp_path / name).touch()
    dataset = LUPerson(str(tmp_path), pipeline=[{'type': 'LoadPersonImage'}], max_bad_share=1)
    with pytest.raises(TooManyBadImagesError, match=r'none of the 2 images .*\.jpg: the file is e'):
        dataset[0]
