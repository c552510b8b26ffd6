"""Head of supervised re-identification."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from mmpretrain.evaluation import Accuracy
from mmpretrain.structures import DataSample
from torch import Tensor, nn
from torch.nn import functional as F

from passreid.registry import MODELS

from ..layers import BNNeck
from ..losses import hardest_pairs, token_similarity
from ..utils import build_module, put_features

_TEST_FEATURES = ('before_neck', 'after_neck')


@MODELS.register_module()
class ReIDHead(BaseModule):
    """Fused tokens, BN-neck, identity loss and metric loss.

    For :class:`mmpretrain.models.ImageClassifier`. The metric loss acts on the
    fused tokens, the classifier on what the neck makes of them. An identity
    loss gets the scores ``(B, num_classes)`` and the labels ``(B,)``, with
    ``fusion='all'`` those of all tokens, token by token, ``(1 + L) * B``; one
    with a true attribute ``takes_cosines`` gets the cosines between features
    and classifier weights instead. Weights of the losses are their own
    ``loss_weight``. Everything is computed in float32, under autocast too.

    Source: `PASS: Part-Aware Self-Supervised Pre-Training for Person
    Re-Identification <https://arxiv.org/abs/2203.03931>`_, section 3.4.

    Args:
        in_channels (int): Width C of a token.
        num_classes (int, optional): Number of identities; None is a head
            without classifier, for inference. Defaults to None.
        num_parts (int): Number L of [PART] tokens; 0 for a plain ViT.
            Defaults to 3.
        fusion (str): ``'cat'``: [CLS] and the mean of the parts one behind the
            other, ``2 C``; ``'mean'``: their mean, ``C``; ``'all'``, not in the
            published recipe: all tokens one behind the other, ``(1 + L) C``, each
            with its own classifier and metric loss, of which the mean is taken.
            Defaults to ``'cat'``.
        multi_neck (bool): Whether each token is normalised over the batch by
            itself, instead of the fused one. Defaults to True.
        id_loss (dict): Identity loss. Defaults to cross-entropy.
        metric_loss (dict, optional): Metric loss, or None. Defaults to
            :class:`TripletLoss` with soft margin.
        test_feature (str): ``'before_neck'`` or ``'after_neck'``.
            Defaults to ``'before_neck'``.
        similarity_weight (float): Weight of ``loss_similarity``, the
            :func:`token_similarity` of the batch, which keeps tokens of an image
            apart; not in the published recipe, and nothing without parts. Defaults to
            0: without it.
        init_cfg (dict, optional): Initialisation of the classifier. Defaults to
            a normal distribution of standard deviation 0.001.

    Examples:
        >>> import torch
        >>> from passreid.models import ReIDHead
        >>> head = ReIDHead(in_channels=384, num_classes=751)
        >>> head((torch.rand(2, 4, 384),)).shape
        torch.Size([2, 768])
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int | None = None,
        num_parts: int = 3,
        fusion: str = 'cat',
        multi_neck: bool = True,
        id_loss: dict | nn.Module = dict(type='CrossEntropyLoss'),  # noqa: B006
        metric_loss: dict | nn.Module | None = dict(type='TripletLoss'),  # noqa: B006
        test_feature: str = 'before_neck',
        similarity_weight: float = 0.0,
        init_cfg: dict | None = dict(type='Normal', layer='Linear', std=0.001),  # noqa: B006
    ) -> None:
        super().__init__(init_cfg)
        if test_feature not in _TEST_FEATURES:
            raise ValueError(f'test_feature must be one of {_TEST_FEATURES}, not {test_feature!r}')
        self.num_classes = num_classes
        self.num_parts = num_parts
        self.test_feature = test_feature
        self.similarity_weight = similarity_weight
        self.neck = BNNeck(in_channels, num_parts, fusion, multi_neck)
        self.classifier = None
        if num_classes is not None:
            self.classifier = nn.Linear(self.neck.out_channels, num_classes, bias=False)
        self.id_loss = build_module(id_loss)
        self.metric_loss = None if metric_loss is None else build_module(metric_loss)

    @property
    def unneeded_keys(self) -> tuple[str, ...]:
        """Weights that a head without classifier does without, for the report of a load."""
        if self.classifier is not None:
            return ()
        neck = self.neck.state_dict() if self.test_feature == 'before_neck' else ()
        return ('classifier.weight', *(f'neck.{name}' for name in neck))

    def pre_logits(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Give what the classifiers see, ``(B, D)`` float32, token after token with ``'all'``."""
        with torch.autocast(feats[-1].device.type, enabled=False):
            return self.neck(self._tokens(feats))

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Extract test features ``(B, D)`` float32 of unit length.

        The last of ``feats`` counts: tokens ``(B, 1 + L, C)``, or [CLS] alone ``(B, C)``.
        """
        return F.normalize(self.features(feats), dim=1)

    def features(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Give test features ``(B, D)`` float32 as :meth:`forward`, but of any length."""
        if self.test_feature == 'after_neck':
            return self.pre_logits(feats)
        return self.neck.fuse(self._tokens(feats))

    def predict(
        self, feats: tuple[Tensor, ...], data_samples: list[DataSample] | None = None
    ) -> list[DataSample]:
        """Put test features ``(D,)`` float32 of unit length into samples."""
        return put_features(self(feats), data_samples)

    def loss(self, feats: tuple[Tensor, ...], data_samples: list[DataSample]) -> dict[str, Tensor]:
        """Compute the summands ``loss_id``, ``loss_triplet`` and ``loss_similarity``.

        The second needs a metric loss, the third ``similarity_weight`` and parts. For the log there
        are ``accuracy`` (of the batch and the mean classifier, in percent), ``hardest_positive``
        and ``hardest_negative``: means of the Euclidean distances of the fused tokens to the
        farthest image of the same and the nearest of another identity, before the neck (0 in a
        batch of one identity).
        """
        if self.classifier is None:
            raise ValueError(
                'ReIDHead(num_classes=None) has no classifier and cannot be trained: '
                'set num_classes to the number of identities'
            )
        tokens = self._tokens(feats)
        labels = self._labels(data_samples, len(self.classifier.weight)).to(
            tokens.device, non_blocking=True
        )
        with torch.autocast(tokens.device.type, enabled=False):
            fused = self.neck.fuse(tokens)
            before, after = self._split(fused), self._split(self.neck(tokens))
            weights = self._split(self.classifier.weight)
            if getattr(self.id_loss, 'takes_cosines', False):
                after, weights = F.normalize(after, dim=-1), F.normalize(weights, dim=-1)
            scores = torch.cat(list(map(F.linear, after, weights)))
            repeated = labels.repeat(len(after))
            losses = {'loss_id': self.id_loss(scores, repeated)}
            if self.metric_loss is not None:
                metric = [self.metric_loss(feature, labels) for feature in before]
                losses['loss_triplet'] = sum(metric) / len(metric)
            if self.similarity_weight and self.num_parts:
                losses['loss_similarity'] = self.similarity_weight * token_similarity(tokens)
            pairs = hardest_pairs(fused.detach(), labels)
            accuracy = Accuracy.calculate(scores.detach(), repeated, thrs=(None,))[0][0]
            return losses | {
                'accuracy': accuracy.squeeze(),
                'hardest_positive': pairs.positive.mean(),
                'hardest_negative': pairs.mean(pairs.negative),
            }

    def _split(self, features: Tensor) -> Tensor:
        """Split ``(N, D)`` into ``(T, N, D / T)``, for each token or, T = 1, for the fused one."""
        groups = 1 + self.num_parts if self.neck.fusion == 'all' else 1
        return features.unflatten(1, (groups, -1)).transpose(0, 1)

    def _tokens(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Tokens ``(B, 1 + L, C)``, at least float32."""
        tokens = feats[-1]
        if tokens.ndim == 2:
            tokens = tokens.unsqueeze(1)
        if tokens.shape[1] != 1 + self.num_parts:
            raise ValueError(
                f'ReIDHead(num_parts={self.num_parts}) takes {1 + self.num_parts} tokens an image, '
                f'the backbone gives {tokens.shape[1]}: set num_parts of both alike'
            )
        return tokens.to(torch.promote_types(tokens.dtype, torch.float32))

    @staticmethod
    def _labels(data_samples: Sequence[DataSample], num_classes: int) -> Tensor:
        """Labels ``(B,)``, checked where that does not wait for a device."""
        labels = torch.cat([sample.gt_label for sample in data_samples])
        if labels.device.type == 'cpu':
            wrong = labels[(labels < 0) | (labels >= num_classes)]
            if len(wrong):
                raise ValueError(
                    f'Label {wrong[0].item()} is none of the {num_classes} classes of ReIDHead '
                    f'(0 to {num_classes - 1}): relabel the identities or set num_classes'
                )
        return labels
