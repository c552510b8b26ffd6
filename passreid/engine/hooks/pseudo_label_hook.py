"""Labels by clustering, anew before each epoch."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from passreid.clustering import (
    ClusterStatistics,
    cluster_centers,
    cluster_pseudo_labels,
    cluster_statistics,
)
from passreid.evaluation.metrics.person_features import PersonFeatures
from passreid.evaluation.metrics.progress_log import ProgressLog
from passreid.registry import DATA_SAMPLERS, HOOKS
from passreid.utils.device import array_device
from passreid.utils.distributed import run_in_first, unwrap_model

from ..feature_extraction import extract_features

_KEY = 'pseudo_labels'
# Share of the clusters.
_MANY = 0.8


@HOOKS.register_module()
class PseudoLabelHook(Hook):
    """Cluster the features of all training images before each epoch and train on the clusters.

    The images go through ``pipeline`` and the model in test mode, in all processes. The first
    one clusters the features, see :func:`cluster_pseudo_labels`; then the sampler
    (``set_labels``) and the model (``set_pseudo_labels``) learn the outcome. Images without a
    cluster, and those that cannot be read, take no part in the epoch. True ids of the data set
    serve the log alone.

    Checkpoints hold the labels and the memory, so that a run that was stopped within an epoch
    goes on as if it had not been.

    Source: `PASS <https://arxiv.org/abs/2203.03931>`_, section 4.4; `Cluster Contrast
    <https://arxiv.org/abs/2103.11568>`_, section 3.

    Args:
        pipeline (Sequence[dict | Callable]): Transforms of the test.
        eps (float): Jaccard distance up to which two images are near. Defaults to 0.6.
        min_samples (int): Images near an image, itself counted, that make it grow a cluster.
            Defaults to 4.
        k1 (int): Size of the neighbourhood, an image itself counted. Defaults to 30.
        k2 (int): Neighbours to average over, an image itself counted. Defaults to 6.
        search (str): ``'exact'``, or ``'faiss'`` for approximate neighbours of many hundred
            thousand images. Defaults to ``'exact'``.
        batch_size (int, optional): Images of a process to extract features of at once. Defaults
            to that of the training.
        timeout (float): Seconds that the other processes wait for the clusters of the first.
            Defaults to 21600, 6 hours.
    """

    def __init__(
        self,
        pipeline: Sequence[dict | Callable],
        eps: float = 0.6,
        min_samples: int = 4,
        k1: int = 30,
        k2: int = 6,
        search: str = 'exact',
        batch_size: int | None = None,
        timeout: float = 21600.0,
    ) -> None:
        self.pipeline = pipeline
        self.settings: dict[str, Any] = dict(
            eps=eps, min_samples=min_samples, k1=k1, k2=k2, search=search
        )
        self.batch_size = batch_size
        self.timeout = timeout
        # Epoch and labels (N,) of the last clustering; from a checkpoint centres (K, D) as well.
        self._state: dict[str, Any] | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take over the labels of a run that is resumed."""
        if runner._resume:
            self._state = checkpoint.get(_KEY)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add labels and memory; before the first epoch there are none."""
        if self._state is None:
            return
        state = unwrap_model(runner.model).pseudo_label_state()
        checkpoint[_KEY] = {name: value.cpu() for name, value in state.items()}
        checkpoint[_KEY]['epoch'] = self._state['epoch']

    def before_train(self, runner: Runner) -> None:
        """Prepare the loader that features come from.

        Raises:
            ImportError: When faiss is wanted and not installed.
            TypeError: When data set, sampler or model cannot take labels.
            ValueError: When the checkpoint that is resumed belongs to other images, or a setting
                of the clustering is out of range.
        """
        # Two images show what is wrong with the settings before the features of all are extracted.
        cluster_pseudo_labels(np.eye(2, dtype=np.float32), **self.settings)
        loader = runner.train_dataloader
        for part, method, advice in (
            (loader.sampler, 'set_labels', 'use CrossCameraIdentitySampler'),
            (unwrap_model(runner.model), 'set_pseudo_labels', 'use ClusterContrast'),
            (loader.dataset, 'with_pipeline', 'use a data set of passreid, without wrappers'),
            (loader.dataset, 'pids', 'use a ReIDDataset, or LUPerson for a folder'),
        ):
            if not hasattr(part, method):
                raise TypeError(
                    f'PseudoLabelHook cannot work with {type(part).__name__}, which has no '
                    f'{method}: {advice}'
                )
        if self._state is not None and len(self._state['labels']) != len(loader.dataset):
            raise ValueError(
                f'The checkpoint has labels of {len(self._state["labels"])} images, the data set '
                f'has {len(loader.dataset)}: resume with the images the run was started with'
            )
        dataset = loader.dataset.with_pipeline(self.pipeline)
        self._loader = DataLoader(
            dataset,
            batch_size=self.batch_size or loader.batch_size,
            sampler=DATA_SAMPLERS.build(
                dict(type='DefaultSampler', shuffle=False, round_up=False),
                default_args=dict(dataset=dataset),
            ),
            num_workers=loader.num_workers,
            persistent_workers=loader.num_workers > 0,
            pin_memory=loader.pin_memory,
            collate_fn=loader.collate_fn,
            worker_init_fn=loader.worker_init_fn,
            multiprocessing_context=loader.multiprocessing_context,
        )

    def before_train_epoch(self, runner: Runner) -> None:
        """Cluster; in an epoch that is resumed, go on with its labels.

        Raises:
            ValueError: When the outcome is nothing to train on.
        """
        state = self._state
        model = unwrap_model(runner.model)
        if state is not None and state['epoch'] == runner.epoch:
            model.load_pseudo_label_state(state)
        elif runner.iter > runner.epoch * len(runner.train_dataloader):
            raise ValueError(
                'The checkpoint was written within an epoch and holds no pseudo labels of it: '
                'resume from one that PseudoLabelHook took part in'
            )
        else:
            labels, centres = self._cluster(runner, None if state is None else state['labels'])
            model.set_pseudo_labels(labels, centres)
            state = self._state = dict(epoch=runner.epoch, labels=labels)
        runner.train_dataloader.sampler.set_labels(state['labels'].cpu().numpy())

    def _cluster(
        self, runner: Runner, previous: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return labels (N,) and centres (K, D), the same in all processes."""
        people = extract_features(runner.model, self._loader, 'features to cluster')
        labels, centres = run_in_first(
            partial(self._find_clusters, runner, people, previous),
            f'Clustering {len(runner.train_dataloader.dataset)} images',
            self.timeout,
            'timeout of PseudoLabelHook',
        )
        return torch.from_numpy(labels), torch.from_numpy(centres)

    def _find_clusters(
        self,
        runner: Runner,
        people: PersonFeatures | None,
        previous: torch.Tensor | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        assert people is not None
        dataset: Any = self._loader.dataset
        start = time.perf_counter()
        found = cluster_pseudo_labels(
            people.features,
            **self.settings,
            device=array_device(),
            progress=ProgressLog('neighbours'),
        )
        labels = np.full(len(dataset), -1)
        labels[people.sample_ids] = found
        statistics = cluster_statistics(
            labels, None if previous is None else previous.cpu(), dataset.pids, dataset.cam_ids
        )
        seconds = time.perf_counter() - start
        self._report(runner, statistics, len(labels), len(labels) - len(found), seconds)
        self._check(statistics)
        return labels, cluster_centers(people.features, found)

    def _report(
        self,
        runner: Runner,
        found: ClusterStatistics,
        num_images: int,
        num_unreadable: int,
        seconds: float,
    ) -> None:
        """Log what a clustering found."""
        text = (
            f'Epoch {runner.epoch + 1}: {found.num_clusters} clusters of {found.smallest} to '
            f'{found.largest} images (median {found.median:g}), {found.num_outliers} of '
            f'{num_images} images in none'
        )
        if num_unreadable:
            text += f' ({num_unreadable} of them cannot be read)'
        if found.moved is not None:
            text += f'; {found.moved:.1%} moved'
        if found.one_camera is not None:
            text += f'; {found.one_camera:.0%} of the clusters hold one camera'
        if found.ari is not None:
            text += f'; true ids, not used in training: ARI {found.ari:.3f}, NMI {found.nmi:.3f}'
        runner.logger.info(f'{text}; {seconds:.1f} s')
        if found.one_camera is not None and found.one_camera > _MANY:
            runner.logger.warning(
                'Most clusters hold the images of one camera: training on them teaches the model '
                'to tell cameras apart instead of persons. Start from weights that know people '
                'better, as of a model that was fine-tuned with labels of any set'
            )
        figures = {f'clusters/{name}': value for name, value in found._asdict().items()}
        runner.visualizer.add_scalars(
            {name: value for name, value in figures.items() if value is not None},
            step=runner.epoch + 1,
        )

    def _check(self, found: ClusterStatistics) -> None:
        """Raise an error when there is nothing to tell apart."""
        eps, min_samples = self.settings['eps'], self.settings['min_samples']
        if not found.num_clusters:
            raise ValueError(
                f'No image has a cluster: none has {min_samples} images within eps={eps} of it. '
                'Raise eps, lower min_samples, or start from weights that know people better'
            )
        if found.num_clusters == 1:
            raise ValueError(
                f'All images with a cluster are in one: with eps={eps} they hang together. Lower '
                'eps, raise min_samples, or start from weights that know people better'
            )
