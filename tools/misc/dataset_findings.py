"""What is wrong with the images of a data set."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mmengine.dataset import BaseDataset
from torch.utils.data import DataLoader, Dataset

from passreid.datasets.storage.bad_images import BadImageError
from passreid.datasets.transforms import LoadPersonImage

BATCH = 64


@dataclass(frozen=True)
class Image:
    """An image that was looked at.

    Attributes:
        path (str): The file, or the key in an LMDB.
        pid (int): Who is on it, -1 when unknown.
        cam_id (int): Its camera, -1 when unknown.
        is_query (bool): Whether it is a query.
        digest (str): Stands for its bytes; '' when it cannot be read.
        problem (str): Why it cannot be read; '' when it can.
    """

    path: str
    pid: int
    cam_id: int
    is_query: bool
    digest: str = ''
    problem: str = ''


@dataclass
class Findings:
    """What was found in a data set.

    Attributes:
        name (str): Where it stands in the config.
        source (str): Its type and folder.
        images (int): How many there are.
        ids (int): How many persons, unknown ones not counted.
        cameras (int): How many cameras, unknown ones not counted.
        queries (int): How many of the images are queries.
        unreadable (dict[str, str]): Images that cannot be read, and why.
        same_id (list[list[str]]): Files of equal content, of one person.
        across_ids (list[list[str]]): Files of equal content, of several persons.
        without_match (dict[int, int]): Persons with queries that nothing in the gallery matches,
            and how many of their queries those are.
    """

    name: str
    source: str
    images: int
    ids: int
    cameras: int
    queries: int
    unreadable: dict[str, str] = field(default_factory=dict)
    same_id: list[list[str]] = field(default_factory=list)
    across_ids: list[list[str]] = field(default_factory=list)
    without_match: dict[int, int] = field(default_factory=dict)

    @property
    def wrong(self) -> bool:
        """Whether figures of this data set would suffer; equal images of one person do no harm."""
        return bool(self.unreadable or self.across_ids or self.without_match)

    def to_dict(self) -> dict[str, Any]:
        """Return everything, fit for JSON."""
        return asdict(self)


class ImageCheck(Dataset):
    """Reads the images of a data set and says what is wrong.

    Args:
        dataset (BaseDataset): The data set; its pipeline is not run.
        load (LoadPersonImage): How images are read.
    """

    def __init__(self, dataset: BaseDataset, load: LoadPersonImage) -> None:
        self.dataset = dataset
        self.load = load

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Image:
        """Read an image."""
        path = self.dataset.image_name(index)
        try:
            info = self.dataset.get_data_info(index)
        except BadImageError as error:
            return Image(path, -1, -1, False, problem=error.reason)
        facts = path, int(info['gt_label']), int(info['cam_id']), bool(info['is_query'])
        try:
            data = info['img_bytes'] if 'img_bytes' in info else self.load.read_file(path)
            self.load(dict(info, img_bytes=data))
        except BadImageError as error:
            return Image(*facts, problem=error.reason)
        except (OSError, ValueError) as error:
            return Image(*facts, problem=getattr(error, 'strerror', None) or str(error))
        return Image(*facts, digest=hashlib.blake2b(data, digest_size=16).hexdigest())


def read_all(dataset: BaseDataset, load: LoadPersonImage, num_workers: int) -> Iterable:
    """Return batches of what :class:`ImageCheck` says, in the order of the data set.

    Args:
        dataset (BaseDataset): The data set.
        load (LoadPersonImage): How images are read.
        num_workers (int): Processes that read.
    """
    return DataLoader(ImageCheck(dataset, load), BATCH, num_workers=num_workers, collate_fn=list)


def find_problems(name: str, source: str, images: Sequence[Image]) -> Findings:
    """Sum up what is known about the images of a data set.

    Args:
        name (str): Where it stands in the config.
        source (str): Its type and folder.
        images (Sequence[Image]): All of them.
    """
    same_id, across_ids = [], []
    for group in _equal(images):
        several = len({image.pid for image in group}) > 1
        (across_ids if several else same_id).append([image.path for image in group])
    return Findings(
        name,
        source,
        len(images),
        len({image.pid for image in images} - {-1}),
        len({image.cam_id for image in images} - {-1}),
        sum(image.is_query for image in images),
        {image.path: image.problem for image in images if image.problem},
        same_id,
        across_ids,
        _without_match(images),
    )


def shared(first: Sequence[Image], second: Sequence[Image]) -> list[list[str]]:
    """Return the files of equal content that two data sets share.

    Args:
        first (Sequence[Image]): Images of one.
        second (Sequence[Image]): Images of the other.

    Returns:
        list[list[str]]: A pair of files for each such picture.
    """
    known = {image.digest: image.path for image in second if image.digest}
    found = {image.digest: image.path for image in first if image.digest in known}
    return [[path, known[digest]] for digest, path in found.items()]


def _equal(images: Sequence[Image]) -> list[list[Image]]:
    groups = defaultdict(list)
    for image in images:
        if image.digest:
            groups[image.digest].append(image)
    return [group for group in groups.values() if len(group) > 1]


def _without_match(images: Sequence[Image]) -> dict[int, int]:
    """Count the queries of each person without an image in the gallery that counts for them.

    Images of the query's own camera do not count; where it is unknown, its own file does not.
    """
    gallery = [image for image in images if not image.is_query]
    of_person = Counter(image.pid for image in gallery)
    of_camera = Counter((image.pid, image.cam_id) for image in gallery)
    files = Counter((image.pid, image.path) for image in gallery)
    left_out: Counter[int] = Counter()
    for image in images:
        if not image.is_query:
            continue
        known = image.cam_id != -1
        own = of_camera[image.pid, image.cam_id] if known else files[image.pid, image.path]
        left_out[image.pid] += of_person[image.pid] <= own
    return {pid: number for pid, number in sorted(left_out.items()) if number}
