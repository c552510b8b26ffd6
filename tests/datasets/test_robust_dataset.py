import random

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from passreid.datasets import LUPerson
from passreid.datasets.samplers.resumable_sampler import RedrawnIndex
from passreid.datasets.storage.decoding import BadImageError, TooManyBadImagesError

LOAD = {'type': 'LoadPersonImage'}


def draw():
    return np.random.rand(), np.random.randint(1 << 30), random.random(), torch.rand(1).item()


def add_draws(results):
    results['draws'] = draw()
    return results


@pytest.fixture
def root(tmp_path, write_images):
    return write_images(tmp_path / 'data', [f'{number:02d}.jpg' for number in range(20)])


def build(root, pipeline=(LOAD, add_draws), **kwargs):
    return LUPerson(str(root), pipeline=pipeline, **kwargs)


def read(dataset, num_workers=0, **options):
    loader = DataLoader(dataset, 3, num_workers=num_workers, collate_fn=list, **options)
    return [sample for batch in loader for sample in batch]


def draws(dataset):
    return [sample['draws'] for sample in read(dataset)]


def test_workers_follow_seed_and_epoch_in_any_order(root):
    dataset = build(root)
    alone = draws(dataset)
    assert [dataset[idx]['draws'] for idx in reversed(range(20))] == alone[::-1]
    assert [len(set(column)) for column in zip(*alone, strict=True)] == [20] * 4
    outer = np.random.get_state()[1].copy()
    assert dataset[3]['draws'] == alone[3]
    np.testing.assert_array_equal(np.random.get_state()[1], outer)
    copies = [dataset[RedrawnIndex(4, repeat)]['draws'] for repeat in range(3)]
    assert copies[0] == alone[4] and len(set(copies)) == 3
    # On the way to a worker too.
    order = [4, RedrawnIndex(4, 1), RedrawnIndex(4, 2)]
    assert [sample['draws'] for sample in read(dataset, 1, sampler=order)] == copies
    loader = DataLoader(dataset, 3, num_workers=2, collate_fn=list, persistent_workers=True)
    seen = []
    for seed, epoch in ((0, 0), (0, 1), (7, 1), (0, 0)):
        dataset.set_seed(seed)
        dataset.set_epoch(epoch)
        seen.append([sample['draws'] for batch in loader for sample in batch])
        alone = build(root, seed=seed)
        alone.set_epoch(epoch)
        assert seen[-1] == draws(alone)
    assert seen[0] == seen[3] and len(set(map(tuple, seen))) == 3


@pytest.fixture
def damaged(root):
    (root / '03.jpg').write_bytes(b'')
    (root / '05.jpg').write_bytes((root / '05.jpg').read_bytes()[:-2])
    (root / '11.jpg').write_bytes(b'not an image')
    return root


def test_bad_images_are_counted_named_and_replaced(damaged, log):
    dataset = build(damaged, max_bad_share=0.5)
    samples = read(dataset, 2)
    replaced = [idx for idx, sample in enumerate(samples) if sample['sample_idx'] != idx]
    assert replaced == [3, 5, 11]
    assert not {samples[idx]['sample_idx'] for idx in replaced} & {3, 5, 11}
    summary = dataset.bad_image_summary()
    assert summary['names'] == [str(damaged / name) for name in ('03.jpg', '05.jpg', '11.jpg')]
    # A replacement may be bad as well, so there may be more attempts than samples.
    assert summary['seen'] == 20 + summary['bad']
    assert [sample['draws'] for sample in samples] == draws(dataset)
    for name in ('03.jpg: the file is empty', '05.jpg: image file is trunc', '11.jpg: not an im'):
        assert log().count(f'bad image {damaged}/{name}') == 1


def test_too_many_bad_images_stop_the_training(damaged):
    with pytest.raises(TooManyBadImagesError, match='max_bad_share'):
        read(build(damaged, bad_grace=8))
    # Not before enough were loaded, and not at the limit.
    read(build(damaged, bad_grace=100, max_bad_share=0.3))
    with pytest.raises(ValueError, match='max_bad_share'):
        build(damaged, max_bad_share=1.1)
    with pytest.raises(BadImageError, match=r'03\.jpg: the file is empty'):
        read(build(damaged, test_mode=True))


def test_error_of_a_transform_names_the_sample(root, log):
    def fail(results):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        build(root, [fail])[7]
    assert f'{root}/07.jpg, could not be made' in log()


def test_copy_with_another_pipeline(root):
    dataset = build(root)
    dataset.set_epoch(3)
    plain = dataset.with_pipeline([add_draws])
    before = plain[0]['draws']
    assert 'img' in dataset[0] and 'img' not in plain[0]
    dataset.set_epoch(4)
    assert plain[0]['draws'] == before
    plain.set_epoch(5)
    assert plain[0]['draws'] != before
    assert (dataset.bad_image_summary()['seen'], plain.bad_image_summary()['seen']) == (1, 4)
