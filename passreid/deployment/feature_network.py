"""What makes features of images, of each kind of model."""

from copy import deepcopy

from mmengine.model import BaseModel
from mmpretrain.models import ImageClassifier
from torch import Tensor, nn

from passreid.models import PASS, ClusterContrast, ReIDHead
from passreid.models.layers import fuse_tokens


class _OfHead(nn.Module):
    """A classifier without its classes."""

    def __init__(self, model: ImageClassifier) -> None:
        super().__init__()
        self.backbone, self.head = deepcopy(model.backbone), deepcopy(model.head)
        self.neck = deepcopy(model.neck) if model.with_neck else nn.Identity()
        self.head.classifier = None

    def forward(self, images: Tensor) -> Tensor:
        return self.head.features(self.neck(self.backbone(images)))


class _OfNeck(nn.Module):
    """A contrast of clusters without its memory."""

    def __init__(self, model: ClusterContrast) -> None:
        super().__init__()
        self.backbone, self.neck = deepcopy(model.backbone), deepcopy(model.neck)

    def forward(self, images: Tensor) -> Tensor:
        return self.neck(self.backbone(images)[-1])


class _OfTeacher(nn.Module):
    """The teacher of pre-training without its projectors."""

    def __init__(self, model: PASS) -> None:
        super().__init__()
        self.backbone = deepcopy(model.teacher['backbone'])

    def forward(self, images: Tensor) -> Tensor:
        return fuse_tokens(self.backbone(images)[-1], 'cat')


def feature_network(model: BaseModel) -> nn.Module:
    """Copy the part of a model that its test features come from.

    Args:
        model (BaseModel): An ``ImageClassifier`` with :class:`ReIDHead`, :class:`ClusterContrast`
            or :class:`PASS`.

    Returns:
        nn.Module: Takes normalised images ``(B, 3, H, W)`` and gives ``(B, D)``: the feature that a
        test compares, before it is scaled to unit length. It is in evaluation mode and needs no
        gradients; its ``backbone`` is that of the features.

    Raises:
        TypeError: When the model is of none of these kinds.
    """
    network: nn.Module
    if isinstance(model, PASS):
        network = _OfTeacher(model)
    elif isinstance(model, ClusterContrast):
        network = _OfNeck(model)
    elif isinstance(model, ImageClassifier) and isinstance(model.head, ReIDHead):
        network = _OfHead(model)
    else:
        raise TypeError(
            f'{type(model).__name__} cannot be exported: it has to be an ImageClassifier with '
            'ReIDHead, a ClusterContrast or a PASS'
        )
    network.train(False)
    return network.float().requires_grad_(False)
