"""Which pictures a synthetic data set has and what their files are called."""

import os.path as osp
from dataclasses import dataclass

from .identity import DOMAINS
from .picture import Picture
from .randomness import generator

LABELLED, POOL = 'labelled', 'pool'


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
            raise ValueError(
                'image_size must be height and width of at least 16 pixels, '
                f'but is {self.image_size}'
            )
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
                f'queries_per_id ({self.queries_per_id}) must not exceed num_cameras '
                f'({self.num_cameras}), and must be less than test_images_per_id '
                f'({self.test_images_per_id})'
            )


@dataclass(frozen=True)
class PlannedFile:
    """One file: path below the data set, its picture, and the true id of the person."""

    path: str
    picture: Picture
    pid: int


def plan_files(settings: SyntheticSettings) -> list[PlannedFile]:
    """List the files of a data set.

    Args:
        settings: What is asked for.

    Returns:
        The files: training, query and gallery as in Market-1501, then the unlabelled pool in
        random order under names without ids.
    """
    first_train, first_test = 1, 1 + settings.train_ids
    first_unlabelled = first_test + settings.test_ids
    files = [
        PlannedFile(osp.join('bounding_box_train', _name(picture, pid)), picture, pid)
        for pid, picture in _pictures(
            settings, 'train', settings.train_ids, settings.train_images_per_id, first_train
        )
    ]
    for pid, picture in _pictures(
        settings, 'test', settings.test_ids, settings.test_images_per_id, first_test
    ):
        folder = 'query' if picture.index < settings.queries_per_id else 'bounding_box_test'
        files.append(PlannedFile(osp.join(folder, _name(picture, pid)), picture, pid))
    pool = list(
        _pictures(
            settings,
            'unlabelled',
            settings.unlabelled_ids,
            settings.unlabelled_images_per_id,
            first_unlabelled,
        )
    )
    order = generator(settings.seed, settings.domain, 'order').permutation(len(pool))
    for number, position in enumerate(order):
        pid, picture = pool[position]
        name = f'{number:06d}_c{picture.camera + 1:02d}.jpg'
        files.append(PlannedFile(osp.join('unlabelled', name), picture, pid))
    return files


def _pictures(settings: SyntheticSettings, split: str, people: int, each: int, first_pid: int):
    """Yield pid and picture; the pictures of a person go round the cameras in random order."""
    pool = split == 'unlabelled'
    cameras = settings.unlabelled_cameras if pool else settings.num_cameras
    for person in range(people):
        order = generator(settings.seed, settings.domain, split, person, 'cameras').permutation(
            cameras
        )
        for index in range(each):
            yield (
                first_pid + person,
                Picture(
                    seed=settings.seed,
                    domain=settings.domain,
                    split=split,
                    person=person,
                    index=index,
                    network=POOL if pool else LABELLED,
                    camera=int(order[index % cameras]),
                    num_cameras=cameras,
                    size=settings.image_size,
                ),
            )


def _name(picture: Picture, pid: int) -> str:
    return f'{pid:04d}_c{picture.camera + 1}s1_{picture.index:06d}_00.jpg'
