"""Metric of person re-identification."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from mmengine.structures import BaseDataElement
from torch import Tensor
from torch.nn import functional as F

from passreid.clustering.cameras import standardize_by_camera
from passreid.evaluation.functional import (
    CameraTable,
    RankingResult,
    average_query_expansion,
    rank_features,
)
from passreid.registry import METRICS
from passreid.utils.device import array_device
from passreid.utils.distributed import run_in_first

from .person_features import PersonFeatures, concatenate, gather_features, read_batch
from .progress_log import ProgressLog
from .result_file import save_result

_OF_SAMPLES = ('features', 'pids', 'cam_ids', 'is_query')
_OF_QUERIES = (
    'indices',
    'distances',
    'average_precision',
    'first_hit_rank',
    'inverse_negative_penalty',
)


@METRICS.register_module()
class ReIDMetric(BaseMetric):
    """Retrieval of persons by the protocol of Market-1501.

    Of the gallery, images of the identity **and** the camera of the query do not count; when a
    camera is unknown (-1), the image of the query itself alone does not. Queries without a match
    that counts are left out, and the log says how many. Of equal distances the image that comes
    first in the data set is the nearer one.

    Figures are in percent: ``mAP``, ``R1`` to ``R20`` (CMC) and ``mINP``. The model must put
    ``feature`` (D,) into its predictions, and samples must have ``gt_label``, ``cam_id``,
    ``is_query``, ``sample_idx`` and ``img_path``, as those of :class:`ReIDDataset` do.

    Sources: `Scalable Person Re-identification: A Benchmark (ICCV 2015)
    <https://openaccess.thecvf.com/content_iccv_2015/html/
    Zheng_Scalable_Person_Re-Identification_ICCV_2015_paper.html>`_, mINP: `Deep Learning for
    Person Re-identification <https://arxiv.org/abs/2001.04193>`_.

    Args:
        metric (str): 'euclidean' or 'cosine'. Defaults to 'euclidean'.
        normalize (bool): Whether to scale features to unit length first. Defaults to False.
        standardize_cameras (bool): Whether to compare what :func:`standardize_by_camera` makes of
            the features of queries and gallery together. No published figure does.
            Defaults to False.
        topk (Sequence[int]): Ranks of the CMC to report. Defaults to (1, 5, 10, 20).
        rerank (bool | dict): Whether to re-rank by k-reciprocal neighbors, too; a dict sets
            ``k1`` (20), ``k2`` (6) and ``lambda_value`` (0.3). The figures come in addition, their
            names begin with ``rerank_``. Defaults to False.
        query_expansion (bool | dict): Whether to replace each query by its mean with its nearest
            gallery features, which normalizes all of them; a dict sets ``k`` (5) and ``alpha``
            (0), see :func:`average_query_expansion`. Defaults to False.
        tpr_at_fpr (Sequence[float]): Rates of false positives at which to report the rate of true
            positives over all pairs of a query and a gallery image that counts; ``TPR@1e-4`` for
            0.0001. Defaults to ().
        per_camera (bool): Whether to log mAP and Rank-1 for each pair of cameras.
            Defaults to False.
        save_dir (str, optional): Where to write ``result.npz`` (features, labels and rankings, see
            :func:`load_result`) and ``metrics.json``. Defaults to None, which is nowhere.
        save_topk (int): How many gallery images to keep of each ranking. Defaults to 50.
        timeout (float): Seconds that the other processes wait for the ranking of the first.
            Defaults to 21600, 6 hours.
        prefix (str, optional): What precedes the names of the figures. Defaults to 'reid'.

    Examples:
        >>> val_evaluator = dict(type='ReIDMetric', metric='cosine', save_dir='results')
    """

    default_prefix = 'reid'

    def __init__(
        self,
        metric: str = 'euclidean',
        *,
        normalize: bool = False,
        standardize_cameras: bool = False,
        topk: Sequence[int] = (1, 5, 10, 20),
        rerank: bool | Mapping[str, Any] = False,
        query_expansion: bool | Mapping[str, Any] | None = None,
        tpr_at_fpr: Sequence[float] = (),
        per_camera: bool = False,
        save_dir: str | None = None,
        save_topk: int = 50,
        timeout: float = 21600.0,
        prefix: str | None = None,
    ) -> None:
        super().__init__(prefix=prefix)
        if metric not in ('euclidean', 'cosine'):
            raise ValueError(f"metric must be 'euclidean' or 'cosine', but is {metric!r}")
        if not topk or min(topk) < 1:
            raise ValueError(f'topk must be ranks from 1, but is {topk}')
        if any(not 0 <= rate <= 1 for rate in tpr_at_fpr):
            raise ValueError(f'tpr_at_fpr must be rates in [0, 1], but is {tpr_at_fpr}')
        self.metric = metric
        self.normalize = normalize
        self.standardize_cameras = standardize_cameras
        self.topk = tuple(topk)
        self.rerank = _options('rerank', rerank, ('k1', 'k2', 'lambda_value'))
        self.query_expansion = _options('query_expansion', query_expansion, ('k', 'alpha'))
        self.tpr_at_fpr = tuple(tpr_at_fpr)
        self.per_camera = per_camera
        self.save_dir = save_dir
        self.save_topk = save_topk
        self.timeout = timeout

    def process(
        self, data_batch: Any, data_samples: Sequence[dict[str, Any] | BaseDataElement]
    ) -> None:
        """Keep the features of a batch, see :func:`read_batch`."""
        self.results.append(read_batch(data_samples))

    def evaluate(self, size: int) -> dict[str, float]:
        """Gather the features of all processes and rank.

        Args:
            size (int): Length of the data set.

        Returns:
            dict[str, float]: The figures, with the prefix; the same in all processes.

        Raises:
            ValueError: When not every sample of the data set was seen, or there is no query, no
                gallery or no match.
        """
        people = concatenate(self.results) if self.results else None
        # At once, for the batches take as much memory as their table.
        self.results.clear()
        people = gather_features(people)

        def rank() -> dict[str, float]:
            if (found := len(people or ())) != size:
                raise ValueError(
                    f'{found} different samples were evaluated, but the data set has {size}: is '
                    'sample_idx different for each sample, and does the sampler hand out all?'
                )
            values = self.compute_metrics([people])
            return {f'{self.prefix}/{key}': value for key, value in values.items()}

        return run_in_first(rank, f'Ranking {size} images', self.timeout, 'timeout of ReIDMetric')

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Rank the gallery for each query.

        Args:
            results (list[PersonFeatures]): One table of all samples, each of them once.

        Returns:
            dict[str, float]: The figures by name, without the prefix.
        """
        (people,) = results
        if self.standardize_cameras:
            standard = standardize_by_camera(people.features, people.cam_ids)
            people = replace(people, features=standard)
        query, gallery = people.select(people.is_query), people.select(~people.is_query)
        if not len(query) or not len(gallery):
            raise ValueError(
                f'there are {len(query)} queries and {len(gallery)} gallery images: a test set '
                "needs both (split='test'), told apart by the field is_query"
            )
        logger = MMLogger.get_current_instance()
        places = {path: place for place, path in enumerate(gallery.img_paths)}
        rank = partial(
            rank_features,
            *self._features(query, gallery),
            query.pids,
            gallery.pids,
            query.cam_ids,
            gallery.cam_ids,
            max_rank=max(self.topk),
            metric=self.metric,
            topk=self.save_topk if self.save_dir else 0,
            same_image=[places.get(path, -1) for path in query.img_paths],
        )
        plain = rank(
            by_camera=self.per_camera,
            false_positive_rates=self.tpr_at_fpr,
            progress=ProgressLog('ranking'),
        )
        logger.info(
            f'Queries: {len(query)}, of which {(~plain.valid).sum()} are left out, for they have '
            f'no match in the gallery that counts. Gallery: {len(gallery)} images'
        )
        figures = self._figures(plain)
        arrays = {name: getattr(plain, name) for name in _OF_QUERIES}
        if plain.cameras:
            logger.info(_format(plain.cameras))
            table = plain.cameras._asdict()
            arrays |= {f'camera_{name}': values for name, values in table.items()}
        for rate, share in zip(self.tpr_at_fpr, plain.tpr, strict=True):
            name = np.format_float_scientific(rate, trim='-', exp_digits=1).replace('+', '')
            figures[f'TPR@{name}'] = 100 * float(share)
        if self.rerank is not None:
            logger.info(f'Re-ranking {len(people)} images; of many thousands it takes minutes')
            reranked = rank(rerank=self.rerank, progress=ProgressLog('ranking'))
            figures |= {f'rerank_{name}': v for name, v in self._figures(reranked).items()}
            arrays |= {f'rerank_{name}': getattr(reranked, name) for name in _OF_QUERIES}
        if self.save_dir:
            samples = {name: getattr(people, name) for name in _OF_SAMPLES}
            samples['img_paths'] = np.array(people.img_paths, dtype=str)
            save_result(self.save_dir, samples | arrays, figures)
        return figures

    def _features(self, query: PersonFeatures, gallery: PersonFeatures) -> tuple[Tensor, Tensor]:
        """Features to compare: (Q, D) and (G, D), on the device of the ranking."""
        device = array_device()
        of_query, of_gallery = (
            torch.from_numpy(people.features).to(device) for people in (query, gallery)
        )
        if self.query_expansion is not None:
            expanded = average_query_expansion(of_query, of_gallery, **self.query_expansion)
            return torch.from_numpy(expanded).to(device), F.normalize(of_gallery)
        if self.normalize:
            return F.normalize(of_query), F.normalize(of_gallery)
        return of_query, of_gallery

    def _figures(self, ranking: RankingResult) -> dict[str, float]:
        cmc = {f'R{rank}': 100 * float(ranking.cmc[rank - 1]) for rank in self.topk}
        return {'mAP': 100 * ranking.mAP, **cmc, 'mINP': 100 * ranking.mINP}


def _options(
    name: str, value: bool | Mapping[str, Any] | None, known: Sequence[str]
) -> dict[str, Any] | None:
    """Parameters of something that a bool switches on or off and a mapping on; None for off."""
    if value is None or isinstance(value, bool):
        return {} if value else None
    if unknown := sorted(set(value) - set(known)):
        raise ValueError(f'{name} has unknown entries {unknown}; known are {list(known)}')
    return dict(value)


def _format(table: CameraTable) -> str:
    """Lay out mAP and Rank-1 in percent; '-' where no query has a match, '?' is unknown."""
    lines = []
    for name, values in (('mAP', table.mAP), ('R1', table.rank1)):
        lines.append(
            f'{name} by camera of the query (lines) and of the gallery (columns), in percent'
        )
        rows = [['', *map(_camera, table.gallery_cam_ids)]]
        for cam_id, row in zip(table.query_cam_ids, values, strict=True):
            shares = ('-' if np.isnan(share) else f'{100 * share:.1f}' for share in row)
            rows.append([_camera(cam_id), *shares])
        lines += [''.join(f'{cell:>7}' for cell in row) for row in rows]
    return '\n'.join(lines)


def _camera(cam_id: int) -> str:
    return '?' if cam_id < 0 else str(cam_id)
