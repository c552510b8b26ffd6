"""Memory of clusters."""

import torch
from mmengine.dist import all_gather, get_world_size
from torch import Tensor, nn
from torch.nn import functional as F

from passreid.registry import MODELS


def gather_batch(values: Tensor) -> Tensor:
    """Values ``(B, ...)`` of all processes, in their order ``(W * B, ...)``, without gradient."""
    return torch.cat(all_gather(values.contiguous())) if get_world_size() > 1 else values


@MODELS.register_module()
class ClusterMemory(nn.Module):
    """Contrast features with the centers of clusters, which follow the features.

    The loss is the cross-entropy of the cosines between a feature and all centers by a
    temperature. Its gradient goes to the features alone. In training, each call then moves the
    centers that the batch shows: ``m <- normalise(momentum * m + (1 - momentum) * f)``. In a
    distributed run the features of all processes move them, in the order of the processes, so
    that the memories stay equal.

    Source: Dai et al., `Cluster Contrast for Unsupervised Person Re-Identification
    <https://arxiv.org/abs/2103.11568>`_, ACCV 2022, section 3.

    Args:
        temperature (float): Of the cosines. Defaults to 0.05.
        momentum (float): Weight of the old center. Defaults to 0.2.
        use_hard (bool): Whether only the image of the batch that is the least similar to its
            center moves it, of equally similar ones the first. Otherwise all move it, one after
            the other in the order of the batch. Defaults to True.

    Examples:
        >>> import torch
        >>> from passreid.models import ClusterMemory
        >>> memory = ClusterMemory()
        >>> memory.set_centers(torch.eye(3))
        >>> memory(torch.eye(3)[:2], torch.tensor([0, 1])).item() < 1e-6
        True
    """

    centers: Tensor

    def __init__(
        self, temperature: float = 0.05, momentum: float = 0.2, use_hard: bool = True
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.momentum = momentum
        self.use_hard = use_hard
        self.register_buffer('centers', torch.empty(0, 0), persistent=False)

    def set_centers(self, centers: Tensor) -> None:
        """Start from other clusters: centers ``(K, D)`` of any length but 0."""
        self.centers = F.normalize(centers.detach().to(self.centers.device, torch.float32), dim=1)

    def state(self) -> dict[str, Tensor]:
        """What the memory holds, by name: the tensors themselves, which no call changes."""
        return dict(self.named_buffers())

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Go on, bit by bit, with what :meth:`state` gave; other entries are ignored."""
        for name, held in self.state().items():
            setattr(self, name, state[name].to(held.device))

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Compute the mean loss, a float32 scalar, and, in training, move the centers.

        Features are ``(B, D)`` of any length, as many in every process; labels are clusters
        ``(B,)`` int64, -1 for images that do not count. The loss is 0 when no image counts.
        """
        with torch.autocast(features.device.type, enabled=False):
            features = F.normalize(features.float(), dim=1)
            loss = F.cross_entropy(self.scores(features), labels, ignore_index=-1, reduction='sum')
            # A batch may hold nothing that counts.
            loss = loss / (labels >= 0).sum().clamp_min(1)
            if self.training:
                self.follow(features, labels)
        return loss

    def scores(self, features: Tensor) -> Tensor:
        """Compute logits ``(B, K)`` of unit ``features (B, D)``: cosines by the temperature."""
        return features @ self.centers.T / self.temperature

    @torch.no_grad()
    def follow(self, features: Tensor, labels: Tensor) -> None:
        """Move the centers of ``labels (B,)`` towards unit ``features (B, D)``."""
        features, labels = gather_batch(features), gather_batch(labels)
        # The label -1 means the last row.
        centers = F.pad(self.centers, (0, 0, 0, 1))
        same = labels[:, None] == labels
        start = centers[labels]
        # Each row is an image, but moves the center of its cluster, as all of the same cluster do.
        if self.use_hard:
            similarity = (features * start).sum(1).expand_as(same)
            hardest = similarity.where(same, similarity.new_tensor(torch.inf)).argmin(1)
            moved = self._step(start, features[hardest])
        else:
            moved = self._one_after_the_other(start, features, same)
        # A new tensor, for the graph of the loss holds the old one.
        self.centers = centers.index_put_((labels,), moved)[:-1]

    def _one_after_the_other(self, start: Tensor, features: Tensor, same: Tensor) -> Tensor:
        """Move each center of ``start`` by all images of its cluster, in order."""
        places = torch.arange(len(same), device=same.device)
        previous = places.where(same & (places < places[:, None]), -1).amax(1)
        last = places.where(same, -1).amax(1)
        # Pass n makes the center after the n-th image of each cluster the right one, without
        # asking the device how many images there are. With a small momentum later ones need no
        # more passes: each image leaves at most this share of a deviation.
        share = self.momentum / max(1 - 2 * self.momentum, self.momentum)
        moved = start
        for _ in range(sum(share**number > 2**-25 for number in range(len(same)))):
            before = moved[previous].where((previous >= 0)[:, None], start)
            moved = self._step(before, features)
        return moved[last]

    def _step(self, centers: Tensor, features: Tensor) -> Tensor:
        return F.normalize(self.momentum * centers + (1 - self.momentum) * features, dim=1)

    def extra_repr(self) -> str:
        """Settings, for the printed model."""
        return f'temperature={self.temperature}, momentum={self.momentum}, use_hard={self.use_hard}'
