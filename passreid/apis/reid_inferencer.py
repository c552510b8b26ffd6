"""Crops in, features or a ranked gallery out."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmpretrain.apis.base import BaseInferencer
from mmpretrain.structures import DataSample
from platformdirs import user_cache_path

from passreid.clustering.cameras import CameraScales, camera_scales, standardize_by_camera
from passreid.models.converters import load_weights
from passreid.models.tta import FlipTTAModel
from passreid.registry import TRANSFORMS, register_all_modules
from passreid.search import Gallery, GalleryRecord, LocalStore, Match, SearchFilter
from passreid.tracks.frames import crop_boxes
from passreid.utils.device import array_device
from passreid.visualization import RankedItem, RankedQuery, draw_rank_list, write_png

from .gallery_index import FeatureBatch, IndexSummary, Records, Source, record_path, update_gallery
from .get_model import get_model
from .inference_pipeline import (
    ImageBatch,
    ImageInput,
    inference_pipeline,
    list_inputs,
    load_batches,
    model_fingerprint,
    unit_features,
)


class ReIDInferencer(BaseInferencer):
    """Features of person crops, and who of a gallery looks like them.

    Images are loaded as in the test of the model's config, and features are those of
    ``tools/test.py``, scaled to unit length: the cosine of two of them is their product.

    Args:
        model (str | Path | Config | BaseModel): A config file, a config, a name of
            ``ReIDInferencer.list_models('pass*')``, or what :func:`passreid.get_model` made. Models
            of pre-training (the teacher's features), fine-tuning and cluster contrast will do.
        pretrained (str | Path, optional): The weights: all that ``tools/test.py`` takes. Without
            them a model that is built here is random, of which it warns. Defaults to None.
        gallery (str | Path | list | np.ndarray | Gallery, optional): Where to search: a folder of
            images, whose features are kept, so that only new and changed files are read next
            time; paths and arrays, whose features stay in memory; or a store that :meth:`index`
            has filled. Defaults to None: features alone.
        device (str | torch.device, optional): Where the model runs. Defaults to the accelerator
            where there is one.
        flip (bool): Whether to average the features of an image and its mirror image, at twice the
            time. Defaults to False.
        batch_size (int): Images at a time. Defaults to 32.
        num_workers (int): Processes that load images. Defaults to 0.
        cache_dir (str | Path, optional): Where the features of a folder are kept. Defaults to None:
            the cache folder of the user, ``~/.cache/passreid`` on Linux.
        records (Callable | Iterable, optional): Cameras, times and fields of the files of the
            gallery, see :meth:`index`. Defaults to None: nothing is known.
        standardize_cameras (bool): Whether to compare what :func:`standardize_by_camera` makes of
            the features; the gallery, whose records have the cameras, is copied into memory for
            that as it is now. Similarities are lower than of plain features. Defaults to False.
        **kwargs: Override entries of the config of the model.

    Examples:
        >>> import numpy as np
        >>> from passreid import ReIDInferencer
        >>> inferencer = ReIDInferencer('pass-supervised_vit-t8_synthetic')
        >>> inferencer.extract(np.zeros((2, 128, 64, 3), np.uint8)).shape
        (2, 256)
    """

    def __init__(
        self,
        model: str | Path | Config | BaseModel,
        pretrained: str | Path | None = None,
        gallery: ImageInput | Sequence | Gallery | None = None,
        *,
        device: str | torch.device | None = None,
        flip: bool = False,
        batch_size: int = 32,
        num_workers: int = 0,
        cache_dir: str | Path | None = None,
        records: Records | None = None,
        standardize_cameras: bool = False,
        **kwargs,
    ) -> None:
        register_all_modules(init_default_scope=False)
        super().__init__(
            _build(model, pretrained, kwargs), pretrained=False, device=device or array_device()
        )
        self.flip, self.batch_size, self.num_workers = flip, batch_size, num_workers
        self._tested = FlipTTAModel(module=self.model) if flip else self.model
        # Images of the gallery that are no files, in RGB by the path of their record.
        self._arrays: dict[str, np.ndarray] = {}
        self.gallery = None if gallery is None else self._open_gallery(gallery, cache_dir, records)
        self._scales: CameraScales | None = None
        if standardize_cameras:
            self._standardize()

    def __call__(
        self,
        inputs: ImageInput | Sequence,
        topk: int = 10,
        where: SearchFilter | Sequence[SearchFilter | None] | None = None,
        min_similarity: float | None = None,
        out_dir: str | Path | None = None,
        return_datasamples: bool = False,
        batch_size: int | None = None,
        exclude_self: bool = True,
        cameras: Sequence[int] | None = None,
    ) -> list[list[Match]] | list[DataSample] | np.ndarray:
        """Search the gallery for those who look like the queries; without a gallery, extract.

        Args:
            inputs (str | Path | np.ndarray | Sequence): Queries: a file, a folder, an image
                ``(H, W, 3)`` uint8 in BGR as OpenCV reads it, a batch ``(N, H, W, 3)``, or a list
                of these. They need not be of one size.
            topk (int): At most so many images for each. Defaults to 10.
            where (SearchFilter | Sequence[SearchFilter | None], optional): Cameras, times and
                fields to search, for all queries or for each. Defaults to None: everything.
            min_similarity (float, optional): What is less similar is left out;
                ``tools/analysis_tools/choose_threshold.py`` finds a value. Defaults to None.
            out_dir (str | Path, optional): Folder for a picture of each query and what was found,
                ``NAME.png``. Defaults to None: none.
            return_datasamples (bool): Whether to return samples with ``feature`` and, in a gallery,
                ``matches``. Defaults to False.
            batch_size (int, optional): Images at a time. Defaults to None: that of the inferencer.
            exclude_self (bool): Whether a query whose own file is in the gallery is no result for
                itself. Defaults to True.
            cameras (Sequence[int], optional): That of each query, for ``standardize_cameras``; -1
                where unknown. Defaults to None: unknown.

        Returns:
            list[list[Match]] | np.ndarray | list[DataSample]: For each query what was found, most
            similar first; without a gallery what :meth:`extract` returns.
        """
        queries = list_inputs(inputs)
        if cameras is not None and (self._scales is None or len(cameras) != len(queries)):
            raise ValueError(
                f'cameras are for a gallery with standardize_cameras=True, one for each of the '
                f'{len(queries)} queries'
            )
        if self.gallery is None and not (where is min_similarity is out_dir is None):
            raise ValueError(
                'there is no gallery to search: give ReIDInferencer one, as in '
                "ReIDInferencer(model, weights, gallery='folder/')"
            )
        batches = self.preprocess(queries, batch_size)
        samples = [sample for batch in batches for sample in self.forward(batch.data)]
        features = unit_features(samples)
        if self.gallery is None:
            return samples if return_datasamples else features
        if where is None or isinstance(where, SearchFilter):
            where = [where] * len(queries)
        if exclude_self:
            where = [_not_itself(*pair) for pair in zip(queries, where, strict=True)]
        if self._scales is not None:
            known = np.full(len(queries), -1) if cameras is None else np.asarray(cameras)
            features = standardize_by_camera(features, known, self._scales)
        found = self.gallery.search(features, topk, where, min_similarity)
        if out_dir is not None:
            self.visualize(queries, found, out_dir)
        if not return_datasamples:
            return found
        for sample, matches in zip(samples, found, strict=True):
            sample.set_field(matches, 'matches', field_type='metainfo')
        return samples

    def extract(self, inputs: ImageInput | Sequence, batch_size: int | None = None) -> np.ndarray:
        """Extract features of images, see :meth:`__call__`: ``(N, D)`` float32 of unit length.

        Raises:
            BadImageError: When an image cannot be read; names it.
        """
        batches = self.preprocess(list_inputs(inputs), batch_size)
        return np.concatenate([unit_features(self.forward(batch.data)) for batch in batches])

    def embed(self, frame: np.ndarray, boxes: Any, margin: float = 0.0) -> np.ndarray:
        """Extract features of the people in a frame: ``(N, D)`` float32 of unit length.

        Args:
            frame (np.ndarray): ``(H, W, 3)`` uint8 in BGR, as OpenCV reads it.
            boxes (np.ndarray | supervision.Detections): ``(N, 4)``: x1, y1, x2, y2 in pixels.
            margin (float): Share of a box that is added to its height and width. Defaults to 0.

        Raises:
            ValueError: When a box is empty or outside the frame; names its index.
        """
        crops = crop_boxes(frame, boxes, margin)
        return self.extract(crops) if crops else np.empty((0, self.dim), np.float32)

    def index(
        self,
        source: Source,
        store: Gallery,
        records: Records | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> IndexSummary:
        """Make a store hold the features of a folder or of files; see :func:`update_gallery`.

        Args:
            source (str | Path | Iterable): The folder, or paths of the files.
            store (Gallery): Made with ``dim`` and ``fingerprint`` of this inferencer.
            records (Callable | Iterable, optional): Cameras, times and fields: a function from the
                path of an image to its :class:`GalleryRecord`, or records.
            progress (Callable, optional): Called with the number of images read and of those to
                read. Defaults to None, a line in the log every 20 seconds.

        Raises:
            StaleGalleryError: When the store has the features of another model.
            TooManyBadImagesError: When more than half of the images cannot be read.
        """
        store.check_model(self.dim, self.fingerprint)
        return update_gallery(self._feature_batches, source, store, records, progress)

    @cached_property
    def dim(self) -> int:
        """Length D of a feature."""
        return self.extract(np.zeros((64, 32, 3), np.uint8)).shape[1]

    @cached_property
    def fingerprint(self) -> str:
        """What tells features of this inferencer from others; computed once."""
        return model_fingerprint(self.model, self.config.model, self._steps, self.flip)

    def preprocess(
        self, inputs: list[str | np.ndarray], batch_size: int | None = None
    ) -> Iterator[ImageBatch]:
        """Load images in batches; :class:`BadImageError` names one that cannot be read."""
        size = self.batch_size if batch_size is None else batch_size
        for batch in load_batches(inputs, self.pipeline, size, self.num_workers):
            for error in batch.unreadable.values():
                raise error
            yield batch

    @torch.no_grad()
    def forward(self, inputs: dict) -> list[DataSample]:
        """Run the model on a batch; samples have a ``feature`` ``(D,)``."""
        return self._tested.test_step(inputs)

    def visualize(
        self, inputs: list[str | np.ndarray], matches: list[list[Match]], out_dir: str | Path
    ) -> list[Path]:
        """Draw the rank list of each query as a PNG file, named as its file or by its place."""
        written: list[Path] = []
        for place, (query, found) in enumerate(zip(inputs, matches, strict=True)):
            items = [
                RankedItem(r.path, None, r.cam_id, None, s, r.time, self._arrays.get(r.path))
                for r, s in ((match.record, match.similarity) for match in found)
            ]
            name = query if isinstance(query, str) else f'query {place}'
            image = query[..., ::-1] if isinstance(query, np.ndarray) else None
            path = Path(out_dir) / f'{Path(name).stem}.png'
            if path in written:
                path = path.with_stem(f'{path.stem}-{place}')
            write_png(draw_rank_list([RankedQuery(name, None, -1, None, items, image)]), path)
            written.append(path)
        return written

    def _standardize(self) -> None:
        """Replace the gallery by a copy in memory with standardised features."""
        if not isinstance(self.gallery, LocalStore):
            raise ValueError('standardize_cameras needs a gallery on this machine')
        features, records = self.gallery.read()
        if len({feature.tobytes() for feature in features}) < 2:
            raise ValueError('standardize_cameras needs a gallery of several images')
        cam_ids = np.array([record.cam_id for record in records])
        self._scales = camera_scales(features, cam_ids)
        self.gallery = LocalStore(self.dim, self.fingerprint)
        self.gallery.add(standardize_by_camera(features, cam_ids, self._scales), records)

    def _init_pipeline(self, cfg: Config) -> Compose:
        self._steps = inference_pipeline(cfg)
        return Compose([TRANSFORMS.build(step) for step in self._steps])

    def _feature_batches(self, paths: Sequence[str]) -> Iterator[FeatureBatch]:
        for batch in load_batches(paths, self.pipeline, self.batch_size, self.num_workers):
            features = np.empty((0, self.dim), np.float32)
            if batch.data:
                features = unit_features(self.forward(batch.data))
            yield batch.indices, features, batch.unreadable

    def _open_gallery(
        self,
        gallery: ImageInput | Sequence | Gallery,
        cache_dir: str | Path | None,
        records: Records | None,
    ) -> Gallery:
        if isinstance(gallery, Gallery):
            gallery.check_model(self.dim, self.fingerprint)
            return gallery
        if isinstance(gallery, str | os.PathLike) and not os.path.isfile(gallery):
            return self._open_folder(os.fsdecode(gallery), cache_dir, records)
        images = list_inputs(gallery)
        store = LocalStore(self.dim, self.fingerprint)
        arrays = {f'array {n}': i for n, i in enumerate(images) if isinstance(i, np.ndarray)}
        if arrays:
            features = self.extract(list(arrays.values()))
            store.add(features, [GalleryRecord(name) for name in arrays])
        self._arrays = {name: image[..., ::-1] for name, image in arrays.items()}
        self.index([image for image in images if isinstance(image, str)], store, records)
        return store

    def _open_folder(
        self, folder: str, cache_dir: str | Path | None, records: Records | None
    ) -> Gallery:
        """Open the kept features of a folder, brought up to date, or make them."""
        if not os.path.isdir(folder):
            raise FileNotFoundError(f'there is no folder {folder} to search')
        # Each folder and each model has features of its own.
        source = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:16]
        parent = Path(cache_dir or user_cache_path('passreid'))
        parent.mkdir(parents=True, exist_ok=True)
        place = parent / f'gallery-{source}-{self.fingerprint[:16]}'
        logger = MMLogger.get_current_instance()
        # One process does the work while others wait.
        with FileLock(f'{place}.lock'):
            try:
                store = LocalStore(self.dim, self.fingerprint, place)
            except ValueError as error:
                logger.warning(f'{error}. It is a cache: it is made anew')
                shutil.rmtree(place)
                store = LocalStore(self.dim, self.fingerprint, place)
            summary = self.index(folder, store, records)
        logger.info(f'{folder}: {summary}; features are kept in {place}')
        return store


def _build(
    model: str | Path | Config | BaseModel, pretrained: str | Path | None, options: dict
) -> BaseModel:
    """Return a model with its weights."""
    if not isinstance(model, BaseModel):
        if pretrained is None:
            name = model if isinstance(model, str | Path) else 'The model'
            MMLogger.get_current_instance().warning(
                f'{name} has RANDOM weights, and so its features mean nothing: name a checkpoint '
                'with `pretrained`'
            )
        return get_model(model, pretrained, **options)
    if options:
        raise ValueError(f'the model is built already: it takes no {", ".join(sorted(options))}')
    if pretrained is not None:
        load_weights(model, pretrained)
    return model


def _not_itself(query: str | np.ndarray, where: SearchFilter | None) -> SearchFilter:
    """Leave out the paths under which a gallery may have the file of a query."""
    where = where or SearchFilter()
    if isinstance(query, np.ndarray):
        return where
    own = {query, record_path(query), os.path.realpath(query)}
    return replace(where, not_paths={*where.not_paths, *own})
