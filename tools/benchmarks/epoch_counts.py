"""How often each image of an epoch is seen, over ranks and interruptions."""

from collections.abc import Iterable
from itertools import islice

import numpy as np
from scale_measures import open_loader

from passreid.datasets import LUPerson
from passreid.datasets.samplers import ResumableSampler


class RankSampler(ResumableSampler):
    """A :class:`ResumableSampler` of another rank than that of this process.

    Args:
        dataset: The data set; its length counts.
        rank (int): The rank.
        world_size (int): Number of ranks.
        epoch (int): The epoch.
    """

    def __init__(self, dataset, rank: int, world_size: int, epoch: int = 0) -> None:
        super().__init__(dataset, seed=0)
        self.rank, self.world_size = rank, world_size
        self.num_samples = -(-len(dataset) // world_size)
        self.total_size = self.num_samples * world_size
        self.set_epoch(epoch)


def count_epoch(
    size: int, world_size: int, stops: Iterable[int] = (), epoch: int = 0
) -> np.ndarray:
    """Count how often the ranks draw each image of an epoch.

    Args:
        size (int): Number of images.
        world_size (int): Number of ranks.
        stops (Iterable[int]): After how many samples of a rank the epoch is interrupted and
            resumed.
        epoch (int): The epoch.

    Returns:
        np.ndarray: ``(size,)`` counts.
    """
    counts = np.zeros(size, np.int64)
    for rank in range(world_size):
        sampler = RankSampler(range(size), rank, world_size, epoch)
        bounds = [0, *stops, sampler.num_samples]
        for begin, end in zip(bounds, bounds[1:], strict=False):
            sampler.set_start(begin)
            drawn = np.fromiter(iter(sampler), np.int64, sampler.num_samples - begin)
            counts += np.bincount(drawn[: end - begin], minlength=size)
    return counts


def check_epoch(counts: np.ndarray, world_size: int) -> None:
    """Make sure that each image was seen once, and as many twice as ranks are to be filled up.

    Args:
        counts (np.ndarray): Of :func:`count_epoch`.
        world_size (int): Number of ranks.

    Raises:
        AssertionError: When an image was missed or seen too often.
    """
    twice = -len(counts) % world_size
    found = np.bincount(counts, minlength=3)
    assert found[0] == 0, f'{found[0]} images were missed'
    assert found[2:].tolist() == [twice, *[0] * (len(found) - 3)], (
        f'{found[2:].sum()} images were seen more than once, {twice} had to be'
    )


def read_epoch(root: str, stops: Iterable[tuple[int, int]]) -> np.ndarray:
    """Read the beginning of an epoch through data loaders with workers, interrupted and resumed.

    Args:
        root (str): Folder of the data set.
        stops (Iterable[tuple[int, int]]): Batches after which it is interrupted, the last beyond
            the end if the whole epoch is meant, and number of workers until then.

    Returns:
        np.ndarray: How often each image was read.
    """
    dataset = LUPerson(root, pipeline=[read_index])
    counts = np.zeros(len(dataset), np.int64)
    done = 0
    for stop, num_workers in stops:
        loader = open_loader(dataset, num_workers)
        loader.sampler.set_start(min(done * loader.batch_size, len(dataset)))
        for batch in loader:
            np.add.at(counts, batch, 1)
            done += 1
            if done == stop:
                break
    return counts


def check_beginning(counts: np.ndarray, num_samples: int) -> None:
    """Make sure that the first samples of the epoch were read once, and no others.

    Args:
        counts (np.ndarray): Of :func:`read_epoch`.
        num_samples (int): How many were to be read.

    Raises:
        AssertionError: When an image was missed, or read too often or too early.
    """
    order = iter(RankSampler(range(len(counts)), 0, 1))
    expected = np.zeros_like(counts)
    expected[np.fromiter(islice(order, num_samples), np.int64)] = 1
    wrong = int((counts != expected).sum())
    assert not wrong, f'{wrong} images were not read as often as they should be'


def read_index(sample: dict) -> int:
    """Return the place of a sample that was found; for pipelines."""
    if 'img_bytes' in sample and not sample['img_bytes']:
        raise ValueError(f'{sample["img_path"]} is empty')
    return sample['sample_idx']
