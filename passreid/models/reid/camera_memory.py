"""Memory of the clusters as each camera sees them."""

import torch
from mmengine.dist import get_world_size
from torch import Tensor
from torch.nn import functional as F

from passreid.registry import MODELS

from .cluster_memory import ClusterMemory, gather_batch


@MODELS.register_module()
class CameraMemory(ClusterMemory):
    """Contrast features with camera-aware proxies: centers of the images of one cluster and camera.

    The loss within cameras is the cross-entropy of the cosines between a feature and the proxies
    of its own camera. The loss across cameras contrasts the proxies of its cluster (positives,
    among which the target is spread evenly) with those of other clusters that are the most
    similar to it (negatives). Gradients go to the features alone. In training, each call then
    moves the proxies of its images, one image after the other in the order of the batch, as
    :class:`ClusterMemory` does.

    Images without a cluster, of an unknown camera, or of a cluster and camera without a proxy do
    not count. Means are over the images of all processes, which all must make the call.

    Source: CAP, Wang et al., `Camera-aware Proxies for Unsupervised Person Re-Identification
    <https://arxiv.org/abs/2012.10674>`_, AAAI 2021, section 3; PPLR, Cho et al., `Part-based
    Pseudo Label Refinement for Unsupervised Person Re-identification
    <https://arxiv.org/abs/2203.14675>`_, CVPR 2022. Where fewer than ``num_negatives`` proxies
    belong to other clusters, the code of both adds proxies of the own cluster; here there are
    fewer negatives.

    Args:
        temperature (float): Of the cosines. Defaults to 0.07.
        momentum (float): Weight of the old proxy; 1 leaves the proxies as they are. Defaults to
            0.2.
        num_negatives (int): Proxies of other clusters that count, at most. Defaults to 50.
        intra_weight (float): Of the loss within cameras: the mean over the images of each camera,
            summed over the cameras. Defaults to 1.
        inter_weight (float): Of the loss across cameras. Defaults to 0.5.
        start_epoch (int): Epoch, from 0, from which the loss across cameras counts. Defaults to 5.
        inter_loss (str): ``'cap'``: the proxy of the image itself is a positive; averaged and
            summed as within cameras. ``'pplr'``: the positives are of other cameras; the mean over
            all images, of which those without a positive contribute 0. PPLR itself has an
            ``intra_weight`` of 0, a ``momentum`` of 1 and a ``start_epoch`` of 0. Defaults to
            ``'cap'``.

    Raises:
        ValueError: If ``inter_loss`` is neither.

    Examples:
        >>> import torch
        >>> from passreid.models import CameraMemory
        >>> memory = CameraMemory(start_epoch=0)
        >>> memory.set_proxies(torch.eye(4), torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1]))
        >>> losses = memory(torch.eye(4)[:1], labels=torch.tensor([0]), cam_ids=torch.tensor([0]))
        >>> {name: round(loss.item(), 2) for name, loss in losses.items()}
        {'loss_intra': 0.0, 'loss_inter': 3.57}
    """

    clusters: Tensor
    cameras: Tensor

    def __init__(
        self,
        temperature: float = 0.07,
        momentum: float = 0.2,
        num_negatives: int = 50,
        intra_weight: float = 1.0,
        inter_weight: float = 0.5,
        start_epoch: int = 5,
        inter_loss: str = 'cap',
    ) -> None:
        super().__init__(temperature, momentum, use_hard=False)
        if inter_loss not in ('cap', 'pplr'):
            raise ValueError(f"inter_loss is {inter_loss!r}, expected 'cap' or 'pplr'")
        self.num_negatives = num_negatives
        self.intra_weight = intra_weight
        self.inter_weight = inter_weight
        self.start_epoch = start_epoch
        self.inter_loss = inter_loss
        self.register_buffer('clusters', torch.empty(0, dtype=torch.long), persistent=False)
        self.register_buffer('cameras', torch.empty(0, dtype=torch.long), persistent=False)
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Take the epoch, from 0, which says whether the loss across cameras counts."""
        self.epoch = epoch

    def set_proxies(self, proxies: Tensor, clusters: Tensor, cameras: Tensor) -> None:
        """Start from other proxies: what :func:`~passreid.clustering.camera_proxies` found.

        Args:
            proxies (Tensor): ``(P, D)`` of any length but 0; without any the losses are 0.
            clusters (Tensor): Cluster of each, ``(P,)`` int64.
            cameras (Tensor): Camera of each, ``(P,)`` int64; a pair occurs once.
        """
        self.set_centers(proxies)
        self.clusters = clusters.to(self.clusters.device, torch.long)
        self.cameras = cameras.to(self.cameras.device, torch.long)

    def forward(  # type: ignore[override]
        self, features: Tensor, labels: Tensor, cam_ids: Tensor
    ) -> dict[str, Tensor]:
        """Compute the weighted losses and, in training, move the proxies.

        Args:
            features (Tensor): ``(B, D)`` of any length, as many in every process.
            labels (Tensor): Clusters ``(B,)`` int64; -1 for images without one.
            cam_ids (Tensor): Cameras ``(B,)`` int64; -1 where unknown.

        Returns:
            dict[str, Tensor]: ``loss_intra`` and ``loss_inter``, float32 scalars; 0 when no image
            counts, the latter also before ``start_epoch``.
        """
        if not len(self.centers):
            return dict.fromkeys(('loss_intra', 'loss_inter'), 0 * features.float().sum())
        with torch.autocast(features.device.type, enabled=False):
            features = F.normalize(features.float(), dim=1)
            scores = self.scores(features)
            cluster = labels[:, None] == self.clusters
            camera = cam_ids[:, None] == self.cameras
            own = cluster & camera
            known = own.any(1)
            proxies = own.int().argmax(1).where(known, -1)
            all_proxies = gather_batch(proxies)
            counts = all_proxies >= 0
            of_camera = (cam_ids[:, None] == self.cameras[all_proxies]) & counts
            # Shares of the images in means over all processes, which average the gradients.
            by_camera = get_world_size() * known / of_camera.sum(1).clamp_min(1)
            by_image = get_world_size() * known / counts.sum().clamp_min(1)

            intra = self._contrast(scores, own, camera)
            if self.inter_loss == 'cap':
                positive, shares = cluster, by_camera
            else:
                positive, shares = cluster & ~camera, by_image
            inter = self._contrast(scores, positive, positive | self._negatives(scores, cluster))
            inter_weight = self.inter_weight if self.epoch >= self.start_epoch else 0.0
            losses = dict(
                loss_intra=self.intra_weight * (by_camera * intra).sum(),
                loss_inter=inter_weight * (shares * inter).sum(),
            )
            if self.training and self.momentum != 1:
                self.follow(features, proxies)
        return losses

    def _negatives(self, scores: Tensor, cluster: Tensor) -> Tensor:
        """Say which proxies ``(B, P)`` of other clusters have the highest scores."""
        number = min(self.num_negatives, scores.shape[1])
        others = scores.detach().masked_fill(cluster, -torch.inf)
        hardest = others.topk(number, sorted=False).indices
        return torch.zeros_like(cluster).scatter_(1, hardest, True) & ~cluster

    @staticmethod
    def _contrast(scores: Tensor, positive: Tensor, listed: Tensor) -> Tensor:
        """Cross-entropy ``(B,)`` over ``listed`` of an even spread over ``positive``; 0 without."""
        numbers = positive.sum(1)
        total = scores.masked_fill(~listed, -torch.inf).logsumexp(1)
        mean = scores.masked_fill(~positive, 0).sum(1) / numbers.clamp_min(1)
        return (total - mean).where(numbers > 0, 0.0)

    def extra_repr(self) -> str:
        """Settings, for the printed model."""
        names = 'temperature momentum num_negatives intra_weight inter_weight start_epoch'
        settings = [f'{name}={getattr(self, name)}' for name in names.split()]
        return ', '.join([*settings, f'inter_loss={self.inter_loss!r}'])
