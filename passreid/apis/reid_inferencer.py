"""Crops in, features or a ranked gallery out."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmpretrain.apis.base import BaseInferencer
from mmpretrain.structures import DataSample

from passreid.datasets.lost_workers import named_lost_samples
from passreid.models.converters import load_weights
from passreid.models.tta import FlipTTAModel
from passreid.registry import TRANSFORMS
from passreid.search import GalleryRecord, GalleryStore, Match, MemoryStore, SearchFilter
from passreid.search.stale_gallery import check_origin
from passreid.utils.device import array_device
from passreid.utils.setup_env import register_all_modules

from .folder_gallery import open_folder_gallery
from .gallery_index import FeatureBatch, IndexSummary, Records, record_path, update_gallery
from .get_model import get_model
from .image_inputs import ImageBatch, ImageInput, list_inputs, load_batches
from .inference_pipeline import inference_pipeline
from .matches_picture import draw_matches
from .model_fingerprint import model_fingerprint
from .unit_features import unit_features


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
        gallery (str | Path | list | np.ndarray | GalleryStore, optional): Where to search: a
            folder of images, whose features are kept on disk and memory-mapped, so that only
            new and changed files are read next time; paths and arrays, whose features stay in
            memory; or a store that :meth:`index` has filled. Defaults to None: features alone.
        device (str | torch.device, optional): Where the model runs. Defaults to the accelerator
            where there is one.
        flip (bool): Whether to average the features of an image and its mirror image, at twice the
            time. Defaults to False.
        batch_size (int): Images at a time. Defaults to 32.
        num_workers (int): Processes that load images where there is more than one batch. Defaults
            to 0.
        cache_dir (str | Path, optional): Where the features of a folder are kept. Defaults to None:
            ``.passreid_cache`` in the folder or, where that cannot be written, below
            ``~/.cache/passreid``.
        records (Callable | Iterable, optional): Cameras, times and fields of the files of the
            gallery, see :meth:`index`. Defaults to None: nothing is known.
        **kwargs: Override entries of the config of the model.

    Raises:
        ValueError: When a built model does not know its config.
        StaleGalleryError: When a store has the features of another model.
        TooManyBadImagesError: When more than half of the gallery cannot be read.

    Examples:
        >>> from passreid import ReIDInferencer
        >>> inferencer = ReIDInferencer(
        ...     'configs/supervised/vit-s16_market1501-256x128.py', 'market.pth', gallery='crops/'
        ... )  # doctest: +SKIP
        >>> for match in inferencer('query.jpg', topk=5)[0]:  # doctest: +SKIP
        ...     print(f'{match.similarity:.2f}', match.record.path)
        0.91 /data/crops/0042_c3.jpg
        0.84 /data/crops/0042_c1.jpg

        Features alone, of a model that was not trained:

        >>> import numpy as np
        >>> inferencer = ReIDInferencer('pass-supervised_vit-t8_synthetic')
        >>> inferencer.extract(np.zeros((2, 128, 64, 3), np.uint8)).shape
        (2, 256)
    """

    def __init__(
        self,
        model: str | Path | Config | BaseModel,
        pretrained: str | Path | None = None,
        gallery: ImageInput | Sequence | GalleryStore | None = None,
        *,
        device: str | torch.device | None = None,
        flip: bool = False,
        batch_size: int = 32,
        num_workers: int = 0,
        cache_dir: str | Path | None = None,
        records: Records | None = None,
        **kwargs,
    ) -> None:
        register_all_modules(init_default_scope=False)
        super().__init__(
            _build(model, pretrained, kwargs), pretrained=False, device=device or array_device()
        )
        self.flip = flip
        self.batch_size = batch_size
        self.num_workers = num_workers
        self._tested = FlipTTAModel(module=self.model) if flip else self.model
        # Images of the gallery that are no files, by the path of their record.
        self._arrays: dict[str, np.ndarray] = {}
        self.gallery = None if gallery is None else self._open_gallery(gallery, cache_dir, records)

    @named_lost_samples()
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

        Returns:
            list[list[Match]] | np.ndarray | list[DataSample]: For each query what was found, most
            similar first; without a gallery what :meth:`extract` returns.

        Raises:
            BadImageError: When a query cannot be read; names it.
            ValueError: When a search is asked for and there is no gallery.
        """
        queries = list_inputs(inputs)
        if self.gallery is None and not (where is min_similarity is out_dir is None):
            raise ValueError(
                'there is no gallery to search: give ReIDInferencer one, as in '
                "ReIDInferencer(model, weights, gallery='folder/')"
            )
        samples = [
            sample
            for batch in self.preprocess(queries, batch_size)
            for sample in self.forward(batch.data)
        ]
        features = unit_features(samples)
        if self.gallery is None:
            return samples if return_datasamples else features
        found = self._search(queries, features, topk, where, min_similarity, exclude_self)
        if out_dir is not None:
            self.visualize(queries, found, out_dir)
        return self.postprocess(samples, found, return_datasamples)

    @named_lost_samples()
    def extract(self, inputs: ImageInput | Sequence, batch_size: int | None = None) -> np.ndarray:
        """Extract features.

        Args:
            inputs (str | Path | np.ndarray | Sequence): Images, see :meth:`__call__`.
            batch_size (int, optional): Images at a time. Defaults to None: that of the inferencer.

        Returns:
            np.ndarray: ``(N, D)`` float32 of unit length, in the order of the inputs.

        Raises:
            BadImageError: When an image cannot be read; names it.
        """
        batches = self.preprocess(list_inputs(inputs), batch_size)
        return np.concatenate([unit_features(self.forward(batch.data)) for batch in batches])

    @named_lost_samples()
    def index(
        self,
        source: str | os.PathLike | Iterable[str | os.PathLike],
        store: GalleryStore,
        records: Records | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> IndexSummary:
        """Make a store hold the features of a folder or of files; see :func:`update_gallery`.

        Args:
            source (str | Path | Iterable): The folder, or paths of the files.
            store (GalleryStore): Made with ``dim`` and ``fingerprint`` of this inferencer.
            records (Callable | Iterable, optional): Cameras, times and fields: a function from the
                path of an image to its :class:`GalleryRecord`, or records.
            progress (Callable, optional): Called with the number of images read and of those to
                read. Defaults to None, a line in the log every 20 seconds.

        Returns:
            IndexSummary: What was done.

        Raises:
            StaleGalleryError: When the store has the features of another model.
            TooManyBadImagesError: When more than half of the images cannot be read.

        Examples:
            >>> from passreid.search import GalleryRecord, open_store
            >>> def record(path):
            ...     return GalleryRecord(path, cam_id=int(path.split('_c')[1][0]))
            >>> with open_store(
            ...     'gallery.db', inferencer.dim, inferencer.fingerprint
            ... ) as store:  # doctest: +SKIP
            ...     print(inferencer.index('crops/', store, record))
            15913 added, 0 updated, 0 deleted, 0 unchanged, 0 unreadable
        """
        self._check_store(store)
        return update_gallery(self._feature_batches, source, store, records, progress)

    @cached_property
    def dim(self) -> int:
        """Length D of a feature."""
        return self.extract(np.zeros((64, 32, 3), np.uint8)).shape[1]

    @cached_property
    def fingerprint(self) -> str:
        """What tells features of this inferencer from others; see :func:`model_fingerprint`.

        It is computed once: weights that are changed afterwards make it wrong.
        """
        return model_fingerprint(self.model, self.config.model, self._steps, self.flip)

    def preprocess(
        self, inputs: list[str | np.ndarray], batch_size: int | None = None
    ) -> Iterator[ImageBatch]:
        """Load images; see :func:`load_batches`.

        Args:
            inputs (list[str | np.ndarray]): Paths and images.
            batch_size (int, optional): Images at a time. Defaults to None: that of the inferencer.

        Yields:
            ImageBatch: The next images; ``data`` is not empty.

        Raises:
            BadImageError: When an image cannot be read; names it.
        """
        size = self.batch_size if batch_size is None else batch_size
        for batch in load_batches(inputs, self.pipeline, size, self.num_workers):
            for error in batch.unreadable.values():
                raise error
            yield batch

    @torch.no_grad()
    def forward(self, inputs: dict) -> list[DataSample]:
        """Run the model on a batch.

        Args:
            inputs (dict): ``inputs`` and ``data_samples``, as ``test_step`` of a model takes them.

        Returns:
            list[DataSample]: With ``feature`` ``(D,)``.
        """
        return self._tested.test_step(inputs)

    def visualize(
        self, inputs: list[str | np.ndarray], matches: list[list[Match]], out_dir: str | Path
    ) -> list[Path]:
        """Draw the rank list of each query; see :func:`draw_matches`."""
        return draw_matches(inputs, matches, out_dir, self._arrays)

    def postprocess(
        self,
        samples: list[DataSample],
        matches: list[list[Match]],
        return_datasamples: bool = False,
    ) -> list[list[Match]] | list[DataSample]:
        """Return what was found, or the samples with it in ``matches``."""
        if not return_datasamples:
            return matches
        for sample, found in zip(samples, matches, strict=True):
            sample.set_field(found, 'matches', field_type='metainfo')
        return samples

    def _init_pipeline(self, cfg: Config) -> Compose:
        self._steps = inference_pipeline(cfg)
        return Compose([TRANSFORMS.build(step) for step in self._steps])

    def _search(
        self,
        queries: list[str | np.ndarray],
        features: np.ndarray,
        topk: int,
        where: SearchFilter | Sequence[SearchFilter | None] | None,
        min_similarity: float | None,
        exclude_self: bool,
    ) -> list[list[Match]]:
        assert self.gallery is not None
        own = [_own_paths(query) if exclude_self else set() for query in queries]
        # More are asked for than wanted, since a filter of each query would mean a search of each.
        spare = max(map(len, own)) if topk > 0 else 0
        found = self.gallery.search(features, topk + spare, where, min_similarity)
        return [
            [match for match in matches if match.record.path not in paths][:topk]
            for matches, paths in zip(found, own, strict=True)
        ]

    def _feature_batches(self, paths: Sequence[str]) -> Iterator[FeatureBatch]:
        for batch in load_batches(paths, self.pipeline, self.batch_size, self.num_workers):
            samples = self.forward(batch.data) if batch.data else []
            features = unit_features(samples) if samples else np.empty((0, self.dim), np.float32)
            yield batch.indices, features, batch.unreadable

    def _open_gallery(
        self,
        gallery: ImageInput | Sequence | GalleryStore,
        cache_dir: str | Path | None,
        records: Records | None,
    ) -> GalleryStore:
        if isinstance(gallery, GalleryStore):
            if cache_dir is not None or records is not None:
                raise ValueError('a store takes no cache_dir and no records: `index` fills it')
            self._check_store(gallery)
            return gallery
        if isinstance(gallery, str | os.PathLike) and not os.path.isfile(gallery):
            update = partial(self.index, gallery, records=records)
            return open_folder_gallery(gallery, self.dim, self.fingerprint, update, cache_dir)
        images = list_inputs(gallery)
        store = MemoryStore(self.dim, self.fingerprint)
        self._arrays = {
            f'array {place}': image
            for place, image in enumerate(images)
            if isinstance(image, np.ndarray)
        }
        if self._arrays:
            features = self.extract(list(self._arrays.values()))
            store.add(features, [GalleryRecord(name) for name in self._arrays])
        if paths := [image for image in images if isinstance(image, str)]:
            self.index(paths, store, records)
        return store

    def _check_store(self, store: GalleryStore) -> None:
        check_origin('given', (store.dim, store.model), (self.dim, self.fingerprint))


def _build(
    model: str | Path | Config | BaseModel, pretrained: str | Path | None, options: dict
) -> BaseModel:
    """Return a model with its weights, which knows its config."""
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
    if not isinstance(getattr(model, '_config', None), Config):
        raise ValueError(
            f'this {type(model).__name__} does not know its config, which says how images are '
            'loaded: make it with passreid.get_model, or set model._config'
        )
    if pretrained is not None:
        load_weights(model, pretrained)
    return model


def _own_paths(query: str | np.ndarray) -> set[str]:
    """Return the paths under which a gallery may have the file of a query."""
    if isinstance(query, np.ndarray):
        return set()
    return {query, record_path(query), os.path.realpath(query)}
