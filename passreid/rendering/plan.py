"""Which pictures a synthetic data set has and what their files are called."""

import os.path as osp
from collections.abc import Iterator
from dataclasses import dataclass

from .identity import DOMAINS
from .picture import Picture
from .randomness import generator


@dataclass(frozen=True)
class SyntheticSettings:
    """Everything that the pixels of a synthetic data set depend on, besides the version.

    Args:
        domain: 'a' (summer, campus) or 'b' (winter, station).
        seed: Seed of people, cameras and pictures.
        image_size: Height and width in pixels.
        train_ids: People of the training set.
        train_images_per_id: Pictures of each of them.
        test_ids: People of query and gallery.
        test_images_per_id: Pictures of each of them.
        queries_per_id: How many of these, by different cameras, are queries.
        num_cameras: Cameras of training and test set.
        unlabelled_ids: People of the unlabelled pool.
        unlabelled_images_per_id: Pictures of each of them.
        unlabelled_cameras: Cameras of the pool.
    """

    domain: str = 'a'
    seed: int = 0
    image_size: tuple[int, int] = (128, 64)
    train_ids: int = 100
    train_images_per_id: int = 8
    test_ids: int = 150
    test_images_per_id: int = 8
    queries_per_id: int = 2
    num_cameras: int = 4
    unlabelled_ids: int = 2500
    unlabelled_images_per_id: int = 6
    unlabelled_cameras: int = 12

    def __post_init__(self) -> None:
        object.__setattr__(self, 'image_size', tuple(self.image_size))
        if self.domain not in DOMAINS:
            raise ValueError(f'domain must be one of {DOMAINS}, but is {self.domain!r}')
        if len(self.image_size) != 2 or min(self.image_size) < 16:
            raise ValueError(f'image_size must be two sides of 16 or more, not {self.image_size}')
        for name, value in vars(self).items():
            lowest = 0 if name == 'seed' else 1
            if name not in ('domain', 'image_size') and value < lowest:
                raise ValueError(f'{name} must be at least {lowest}, but is {value}')
        if not 2 <= self.num_cameras <= 9:
            raise ValueError(
                'num_cameras must be 2 to 9 (names of files have one digit for it, and a match '
                f'needs another camera), but is {self.num_cameras}'
            )
        if self.queries_per_id > min(self.num_cameras, self.test_images_per_id - 1):
            raise ValueError(
                'queries_per_id must be at most num_cameras and less than test_images_per_id, '
                f'but is {self.queries_per_id}'
            )


@dataclass(frozen=True)
class PlannedFile:
    """One file: path below the data set, its picture, and the true id of the person."""

    path: str
    picture: Picture
    pid: int


def plan_files(settings: SyntheticSettings) -> list[PlannedFile]:
    """List files as in Market-1501, then an unlabelled pool in random order without ids."""
    files = []
    for pid, picture in _pictures(settings, 'train', 1):
        files.append(PlannedFile(osp.join('bounding_box_train', _name(picture, pid)), picture, pid))
    for pid, picture in _pictures(settings, 'test', 1 + settings.train_ids):
        folder = 'query' if picture.index < settings.queries_per_id else 'bounding_box_test'
        files.append(PlannedFile(osp.join(folder, _name(picture, pid)), picture, pid))
    pool = list(_pictures(settings, 'unlabelled', 1 + settings.train_ids + settings.test_ids))
    order = generator(settings.seed, settings.domain, 'order').permutation(len(pool))
    for number, position in enumerate(order):
        pid, picture = pool[position]
        name = f'{number:06d}_c{picture.camera + 1:02d}.jpg'
        files.append(PlannedFile(osp.join('unlabelled', name), picture, pid))
    return files


def _pictures(
    settings: SyntheticSettings, split: str, first_pid: int
) -> Iterator[tuple[int, Picture]]:
    """Yield pid and picture; the pictures of a person go round the cameras in random order."""
    pool = split == 'unlabelled'
    network = 'pool' if pool else 'labelled'
    cameras = settings.unlabelled_cameras if pool else settings.num_cameras
    seed, domain, size = settings.seed, settings.domain, settings.image_size
    for person in range(getattr(settings, f'{split}_ids')):
        order = generator(seed, domain, split, person, 'cameras').permutation(cameras).tolist()
        for index in range(getattr(settings, f'{split}_images_per_id')):
            place = network, order[index % cameras], cameras
            yield first_pid + person, Picture(seed, domain, split, person, index, *place, size)


def _name(picture: Picture, pid: int) -> str:
    return f'{pid:04d}_c{picture.camera + 1}s1_{picture.index:06d}_00.jpg'
