"""The training step of PASS, composed plainly from the paper, to compare with."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from passreid.models import PASS
from passreid.models.layers import resize_table


class PlainPASS(nn.Module):
    """PASS with the weights and temperatures of a model and without its short cuts.

    One forward pass for each area, all layers for all tokens, scores of all views and tokens,
    one term of the loss after the other, and loops over the parameters.
    """

    def __init__(self, model: PASS) -> None:
        super().__init__()
        self.student = deepcopy(nn.ModuleDict({'backbone': model.backbone, 'neck': model.neck}))
        self.teacher = deepcopy(model.teacher)
        self.student_temperature = model.head.student_temperature
        self.teacher_temperature = model.head.teacher_temperature
        rows = len(model.neck.prototypes), len(model.neck.prototypes[0].weight)
        self.register_buffer('centers', torch.zeros(rows))
        self.num_parts = model.backbone.num_parts
        for network in (self.student, self.teacher):
            for layer in network['backbone'].layers:
                layer.attn.scaled_dot_product_attention = F.scaled_dot_product_attention

    def loss(self, global_views: Tensor, local_views: Tensor) -> Tensor:
        """Mean of all terms for the views, which come as in :meth:`PASS.loss`."""
        parts = range(self.num_parts)
        with torch.no_grad():
            targets = _encode(self.teacher['backbone'], global_views, parts).unbind(1)
        student = self.student['backbone']
        of_global = _encode(student, global_views, parts)
        of_local = [
            _encode(student, views, [part])
            for part, views in enumerate(local_views.chunk(self.num_parts))
        ]
        tokens = [torch.cat([of_global[:, 0], *(tokens[:, 0] for tokens in of_local)])]
        tokens += [torch.cat([of_global[:, 1 + part], of_local[part][:, 1]]) for part in parts]
        return self.head_loss(tokens, targets)

    def head_loss(self, tokens: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
        """Mean of all terms for the tokens of student and teacher, [CLS] first."""
        batch = len(targets[0]) // 2
        with torch.no_grad():
            teacher_scores = _scores(self.teacher['neck'], targets)
            probabilities = [
                ((scores - center) / self.teacher_temperature).softmax(-1).split(batch)
                for scores, center in zip(teacher_scores, self.centers, strict=True)
            ]
            for scores, center in zip(teacher_scores, self.centers, strict=True):
                center.mul_(0.9).add_(scores.mean(0), alpha=0.1)
        total, num_terms = torch.zeros((), device=tokens[0].device), 0
        scores_of_tokens = _scores(self.student['neck'], tokens)
        for views, of_teacher in zip(scores_of_tokens, probabilities, strict=True):
            scores_of_views = (views / self.student_temperature).split(batch)
            for u, probability in enumerate(of_teacher):
                for v, scores in enumerate(scores_of_views):
                    if u != v:
                        term = -(probability * scores.log_softmax(-1)).sum(-1).mean()
                        total, num_terms = total + term, num_terms + 1
        return total / num_terms

    def build_optimizer(self) -> torch.optim.AdamW:
        """Build the optimizer of the student, without weight decay for vectors."""
        weights = [p for p in self.student.parameters() if p.ndim > 1]
        vectors = [p for p in self.student.parameters() if p.ndim <= 1]
        groups = [{'params': weights}, {'params': vectors, 'weight_decay': 0.0}]
        return torch.optim.AdamW(groups, lr=5e-4, weight_decay=0.04)

    def clip_gradients(self, max_norm: float = 3.0) -> None:
        """Clip the gradient of each parameter by itself."""
        for parameter in self.student.parameters():
            nn.utils.clip_grad_norm_(parameter, max_norm)

    @torch.no_grad()
    def update_teacher(self, momentum: float) -> None:
        """Move the teacher towards the student."""
        pairs = zip(self.teacher.parameters(), self.student.parameters(), strict=True)
        for teacher, student in pairs:
            teacher.mul_(momentum).add_(student, alpha=1 - momentum)


def _encode(backbone: nn.Module, images: Tensor, parts: Sequence[int]) -> Tensor:
    """Tokens (B, 1 + P, C): [CLS] and those of the ``parts``."""
    patches, grid = backbone.patch_embed(images)
    patches = patches + resize_table(
        backbone.pos_embed,
        backbone.patch_resolution,
        grid,
        backbone.interpolate_mode,
        backbone.interpolate_offset,
    )
    tokens = [backbone.cls_token + backbone.cls_position]
    tokens += [backbone.part_tokens[part] + backbone.part_positions[part] for part in parts]
    prefix = torch.cat(tokens, 1).expand(len(images), -1, -1).to(patches.dtype)
    x = torch.cat([prefix, patches], 1)
    for layer in backbone.layers:
        x = layer(x)
    return backbone.ln1(x)[:, : len(tokens)]


def _scores(neck: nn.Module, tokens: Sequence[Tensor]) -> list[Tensor]:
    """Scores (R, K) of each kind of token against its prototypes."""
    kinds = zip(neck.projectors, neck.prototypes, tokens, strict=True)
    return [
        F.linear(F.normalize(projector(rows), dim=-1), F.normalize(prototypes.weight, dim=-1))
        for projector, prototypes, rows in kinds
    ]
