"""Features of all images, and labels by clustering them anew before each epoch."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from mmengine.dataset import DefaultSampler
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils._pytree import tree_map
from torch.utils.data import DataLoader

from passreid import clustering
from passreid.evaluation.metrics import person_features
from passreid.evaluation.metrics.progress_log import ProgressLog
from passreid.registry import HOOKS
from passreid.utils.device import array_device
from passreid.utils.distributed import run_in_first, unwrap_model

BEST = 'best_clusters.pth'


@torch.no_grad()
def extract_features(
    model: BaseModel, dataloader: DataLoader, what: str = 'extracting features'
) -> person_features.PersonFeatures | None:
    """Run a model in test mode over images, each process over its own; all must call this.

    Returns:
        PersonFeatures | None: In the first process the features of all images, each once, in the
        order of the data set; None in the others.
    """
    was_training = model.training
    model.eval()
    progress = ProgressLog(what)
    parts = []
    for number, batch in enumerate(dataloader, start=1):
        parts.append(person_features.read_batch(model.test_step(batch)))
        progress(number, len(dataloader))
    model.train(was_training)
    people = person_features.gather_features(person_features.concatenate(parts) if parts else None)
    if people is None and is_main_process():
        raise ValueError(f'there are no images in {dataloader.dataset}')
    return people


@HOOKS.register_module()
class PseudoLabelHook(Hook):
    """Cluster the features of all training images before each epoch and train on the clusters.

    All processes extract features, the first one clusters them; then the sampler (``set_labels``)
    and the model (``set_pseudo_labels``) learn the outcome. Images without a cluster, and those
    that cannot be read, take no part in the epoch. True ids of the data set serve the log alone.
    Checkpoints hold the labels and the memory.

    Source: `PASS <https://arxiv.org/abs/2203.03931>`_, section 4.4; `Cluster Contrast
    <https://arxiv.org/abs/2103.11568>`_, section 3.

    Args:
        pipeline (Sequence[dict | Callable]): Transforms of the test.
        standardize_cameras (bool): Whether images are clustered by what
            :func:`standardize_by_camera` makes of their features. Defaults to False, as published.
        patience (int, optional): Keep the weights with the best clusters, by
            :func:`cluster_silhouette`, in ``best_clusters.pth``, and stop when clusters have been
            worse than at the start for so many epochs. Defaults to None, as published.
        timeout (float): Seconds that the other processes wait for the clusters of the first.
            Defaults to 21600, 6 hours.
        **settings: Of :func:`find_clusters`: ``eps``, ``min_samples``, ``k1``, ``k2``, ``search``.
    """

    def __init__(
        self,
        pipeline: Sequence[dict | Callable],
        *,
        standardize_cameras: bool = False,
        patience: int | None = None,
        timeout: float = 21600.0,
        **settings: Any,
    ) -> None:
        self.pipeline = pipeline
        self.standardize_cameras = standardize_cameras
        self.patience = patience
        self.timeout = timeout
        self.settings = settings
        # Silhouettes of the first and of the best clusters, the epoch of the best, and the last
        # epoch in which they were not worse than the first.
        self._best: dict[str, float] = {}
        # Epoch and labels (N,) of the last clustering; from a checkpoint the memory as well.
        self._state: dict[str, Any] | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take over the labels of a run that is resumed."""
        if runner._resume:
            self._state = checkpoint.get('pseudo_labels')
            self._best = (self._state or {}).get('best', {})

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add labels and memory; before the first epoch there are none."""
        if self._state is None:
            return
        state = unwrap_model(runner.model).pseudo_label_state()
        checkpoint['pseudo_labels'] = state | {'epoch': self._state['epoch'], 'best': self._best}

    def before_train(self, runner: Runner) -> None:
        """Check the settings and the checkpoint, and prepare the loader of the features."""
        # Two images show what is wrong with the settings before the features of all are extracted.
        clustering.cluster_pseudo_labels(np.eye(2, dtype=np.float32), **self.settings)
        loader = runner.train_dataloader
        if self._state is not None and len(self._state['labels']) != len(loader.dataset):
            raise ValueError(
                f'The checkpoint has labels of {len(self._state["labels"])} images, the data set '
                f'has {len(loader.dataset)}: resume with the images the run was started with'
            )
        dataset = loader.dataset.with_pipeline(self.pipeline)
        same = 'batch_size num_workers pin_memory collate_fn worker_init_fn multiprocessing_context'
        self._loader = DataLoader(
            dataset,
            sampler=DefaultSampler(dataset, shuffle=False, round_up=False),
            persistent_workers=loader.num_workers > 0,
            **{name: getattr(loader, name) for name in same.split()},
        )

    def before_train_epoch(self, runner: Runner) -> None:
        """Cluster; in an epoch that is resumed, go on with its labels."""
        state = self._state
        model = unwrap_model(runner.model)
        model.set_epoch(runner.epoch)
        if state is not None and state['epoch'] == runner.epoch:
            model.load_pseudo_label_state(state)
        else:
            outcome, silhouette = self._in_first(runner, self._cluster)
            model.set_pseudo_labels(**outcome)
            state = self._state = dict(epoch=runner.epoch, labels=outcome['labels'])
            self._judge(runner, silhouette)
        runner.train_dataloader.sampler.set_labels(state['labels'].cpu().numpy())

    def after_train(self, runner: Runner) -> None:
        """Judge the clusters of the last weights, and name the best."""
        if self.patience is None or not self._best:
            return
        if self._state is not None and self._state['epoch'] < runner.epoch:
            self._judge(runner, self._in_first(runner, self._silhouette))
        runner.logger.info(
            'The best clusters (silhouette {best:.4f}, at the start {start:.4f}) are of the '
            'weights after {epoch} epochs, which are in '.format(**self._best)
            + f'{runner.work_dir}/{BEST}'
        )
        if not self._best['epoch']:
            runner.logger.warning('Training made the clusters worse: keep what it started from')

    def _judge(self, runner: Runner, silhouette: float | None) -> None:
        """Keep the weights with the best clusters so far, and stop when they only got worse."""
        if silhouette is None or self.patience is None:
            return
        found = self._best = self._best or dict(start=silhouette, best=-np.inf, epoch=0, fine=0)
        if silhouette >= found['start']:
            found['fine'] = runner.epoch
        if silhouette > found['best']:
            found.update(best=silhouette, epoch=runner.epoch)
            meta = dict(epoch=runner.epoch, iter=runner.iter)
            runner.save_checkpoint(runner.work_dir, BEST, None, False, False, meta)
        elif runner.epoch - found['fine'] >= self.patience and runner.epoch < runner.max_epochs:
            text = f'Clusters have been worse than at the start for {self.patience} epochs'
            runner.logger.warning(f'{text}: training stops')
            runner.train_loop.stop_training = True

    def _in_first(self, runner: Runner, work: Callable) -> Any:
        """Extract features in all processes, and let the first one work on them."""
        model = unwrap_model(runner.model)
        model.with_parts = True
        try:
            people = extract_features(runner.model, self._loader, 'features to cluster')
        finally:
            model.with_parts = False
        return run_in_first(
            partial(work, runner, people),
            f'Clustering {len(runner.train_dataloader.dataset)} images',
            self.timeout,
            'timeout of PseudoLabelHook',
        )

    def _find(self, runner: Runner, people: Any) -> tuple[list, list, clustering.Clusters]:
        """Return features ``(N, D)`` and those of parts, the same standardised, and clusters."""
        own = unwrap_model(runner.model).split_features(people.features)
        near = own
        if self.standardize_cameras:
            near = [clustering.standardize_by_camera(one, people.cam_ids) for one in own]
        options = dict(device=array_device(), progress=ProgressLog('neighbors'), **self.settings)
        return own, near, clustering.find_clusters(near[0], **options)

    def _silhouette(self, runner: Runner, people: Any) -> float:
        _, near, clusters = self._find(runner, people)
        return clustering.cluster_silhouette(near[0], clusters.labels, people.cam_ids)

    def _cluster(self, runner: Runner, people: Any) -> tuple[dict[str, Any], float | None]:
        """Return what the model learns of the clusters and their silhouette; log and check them."""
        start = time.perf_counter()
        (own, *parts), near, clusters = self._find(runner, people)
        found = clusters.labels
        dataset: Any = self._loader.dataset
        labels = np.full(len(dataset), -1)
        labels[people.sample_ids] = found
        previous = None if self._state is None else self._state['labels'].cpu()
        statistics = clustering.cluster_statistics(labels, previous, dataset.pids, dataset.cam_ids)
        text = _summary(statistics, len(labels), len(labels) - len(found))
        seconds = time.perf_counter() - start
        text += f'; eps {clusters.eps:g}, k1 {clusters.k1}; {seconds:.1f} s'
        runner.logger.info(f'Epoch {runner.epoch + 1}: {text}')
        figures = {f'clusters/{k}': v for k, v in statistics._asdict().items() if v is not None}
        silhouette = None
        if self.patience is not None:
            silhouette = clustering.cluster_silhouette(near[0], found, people.cam_ids)
            figures['clusters/silhouette'] = silhouette
            runner.logger.info(f'Silhouette of the clusters across cameras: {silhouette:.4f}')
        runner.visualizer.add_scalars(figures, step=runner.epoch + 1)
        if (statistics.one_camera or 0) > 0.8:
            runner.logger.warning(
                'Most clusters hold the images of one camera: training on them teaches the model '
                'to tell cameras apart. Start from weights that know people better'
            )
        if statistics.num_clusters < 2:
            change = 'lower eps' if statistics.num_clusters else 'raise eps or lower min_samples'
            kept = f'. The best weights so far are in {BEST}' if self._best else ''
            raise ValueError(
                f'There are {statistics.num_clusters} clusters by eps={clusters.eps:g}, '
                f'k1={clusters.k1} and {self.settings}: {change}, or start from weights that know '
                f'people better{kept}'
            )
        model = unwrap_model(runner.model)
        centers, *of_parts = (clustering.cluster_centers(one, found) for one in (own, *parts))
        outcome: dict[str, Any] = dict(labels=labels, centers=centers)
        if model.camera_memory is not None:
            outcome['proxies'] = clustering.camera_proxies(own, found, people.cam_ids)
            if not len(outcome['proxies'][0]):
                runner.logger.warning('camera_memory adds nothing: cameras are unknown')
        if parts:
            agreement = np.zeros((len(labels), len(parts)), np.float32)
            agreement[people.sample_ids] = clustering.cross_agreement(
                near[0],
                np.stack(near[1:], axis=1),
                search=self.settings.get('search', 'exact'),
                device=array_device(),
            )
            outcome['parts'] = np.stack(of_parts, axis=1), agreement
        return tree_map(torch.from_numpy, outcome), silhouette


def _summary(found: clustering.ClusterStatistics, num_images: int, num_unreadable: int) -> str:
    text = (
        f'{found.num_clusters} clusters of {found.smallest} to {found.largest} images (median '
        f'{found.median:g}), {found.num_outliers} of {num_images} images in none'
    )
    for value, words in (
        (num_unreadable or None, ' ({} of them cannot be read)'),
        (found.moved, '; {:.1%} moved'),
        (found.one_camera, '; {:.0%} of the clusters hold one camera'),
        (found.ari, '; true ids, not used in training: ARI {:.3f}'),
        (found.nmi, ', NMI {:.3f}'),
    ):
        text += '' if value is None else words.format(value)
    return text
