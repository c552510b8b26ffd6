from itertools import product

import pytest
import torch
from processes import assert_equal
from torch.nn import functional as F

from passreid.models import PASS, MaskedPASS, PartViT, PASSHead, PASSNeck, PatchHead
from passreid.models.converters import fill_model

ARCH = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)
BATCH = 3


def build(num_parts=3, masked=True):
    """Make a model of 16 x 8 pixels and patches of 4, all of whose values are drawn."""
    torch.manual_seed(0)
    modules = dict(
        backbone=PartViT(ARCH, (16, 8), num_parts, patch_size=4, mask_token=masked),
        neck=PASSNeck(16, num_parts, 24, bottleneck_channels=8, out_channels=20),
        head=PASSHead(20, num_parts, teacher_temperature=0.07),
    )
    patch_head = PatchHead(20, teacher_temperature=0.05, loss_weight=0.5)
    model = MaskedPASS(**modules, patch_head=patch_head) if masked else PASS(**modules)
    with torch.no_grad():
        for value in (*model.parameters(), *model.buffers()):
            value.add_(0.1 * torch.randn_like(value))
    return model.double()


def draw_views(num_parts):
    """Draw views, and masks of which one is empty."""
    generator = torch.Generator().manual_seed(7)
    masks = torch.rand(2 * BATCH, 4, 2, generator=generator) < 0.4
    masks[1] = False
    num_local = 2 * max(1, num_parts) * BATCH
    return dict(
        global_views=torch.randn(2 * BATCH, 3, 16, 8, generator=generator).double(),
        local_views=torch.randn(num_local, 3, 8, 8, generator=generator).double(),
        masks=masks,
    )


def literal_losses(model, views, num_parts):
    """Each term by itself; tokens come from the network, whose numbers are tested there."""
    student = {'backbone': model.backbone, 'neck': model.neck}
    kinds = range(1 + num_parts)

    def tokens(network, images, masks=None, part=None):
        part_ids = None if part is None else torch.full((len(images),), part)
        return network['backbone'](images, part_ids, masks, with_patches=True)[0]

    def scores(network, rows, kind):
        neck = network['neck']
        embeddings = F.normalize(neck.projectors[kind](rows), dim=-1)
        return embeddings @ F.normalize(neck.prototypes[kind].weight, dim=-1).T

    def cross_entropy(of_teacher, of_student, head, kind):
        q = ((of_teacher - head.centers[kind]) / head.teacher_temperature).softmax(-1).detach()
        return -(q * (of_student / 0.1).log_softmax(-1)).sum(-1)

    images, masks = (views[name].split(BATCH) for name in ('global_views', 'masks'))
    teacher = [tokens(model.teacher, view) for view in images]
    whole = [tokens(student, view, mask) for view, mask in zip(images, masks, strict=True)]
    local = []
    for index, view in enumerate(views['local_views'].split(BATCH)):
        part = index // 2 if num_parts else None
        found = tokens(student, view, part=part)
        local.append({0: found[:, 0]} | ({} if part is None else {part + 1: found[:, 1]}))
    terms = []
    for kind, u, v in product(kinds, range(2), range(2 + len(local))):
        rows = whole[v][:, kind] if v < 2 else local[v - 2].get(kind)
        if u != v and rows is not None:
            of_teacher = scores(model.teacher, teacher[u][:, kind], kind)
            of_student = scores(student, rows, kind)
            terms.append(cross_entropy(of_teacher, of_student, model.head, kind).mean())
    patch_terms, all_scores = [], []
    for view, mask in enumerate(masks):
        of_teacher = scores(model.teacher, teacher[view][:, 1 + num_parts :], 0)
        of_student = scores(student, whole[view][:, 1 + num_parts :], 0)
        each = cross_entropy(of_teacher, of_student, model.patch_head, 0)
        hidden = mask.flatten(1)
        patch_terms.append(((each * hidden).sum(1) / hidden.sum(1).clamp(min=1)).mean())
        all_scores.append(of_teacher)
    center = torch.cat(all_scores).detach().mean((0, 1))
    return sum(terms) / len(terms), 0.5 * sum(patch_terms) / 2, center


@pytest.mark.parametrize('num_parts', [0, 1, 3])
def test_loss_equals_its_definition(num_parts):
    model, views = build(num_parts), draw_views(num_parts)
    *expected, center = literal_losses(model, views, num_parts)
    parameters = [value for value in model.parameters() if value.requires_grad]
    expected_gradients = torch.autograd.grad(sum(expected), parameters)
    # Sums are drawn at random too, so that they are seen to be added to.
    sums, count = model.patch_head.score_sums[0].clone(), model.patch_head.score_count.clone()
    losses = model(views, mode='loss')
    of_tokens = losses['loss_cls'] + losses.get('loss_part', 0)
    torch.testing.assert_close([of_tokens, losses['loss_patch']], expected)
    gradients = torch.autograd.grad(of_tokens + losses['loss_patch'], parameters)
    for found, wanted in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(found, wanted)
    seen = model.patch_head.score_count - count
    torch.testing.assert_close((model.patch_head.score_sums[0] - sums) / seen, center)


def test_without_masked_patches_it_is_pass():
    model, views = build(), draw_views(3)
    views['masks'].zero_()
    losses = model(views, mode='loss')
    assert losses.pop('loss_patch') == 0
    plain = build(masked=False)
    fill_model(plain, model.state_dict())
    with pytest.raises(ValueError, match='use MaskedPASS'):
        plain(views, mode='loss')
    masks = views.pop('masks')
    torch.testing.assert_close(losses, plain(views, mode='loss'))
    with pytest.raises(ValueError, match='add MaskPatches'):
        model(views, mode='loss')
    with pytest.raises(ValueError, match='patch_size=4'):
        model(views | dict(masks=masks[:, :1]), mode='loss')
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    # Processes of which one has no mask wait for the gradient all the same.
    assert model.backbone.mask_token.grad is not None


def test_hooks_reach_both_heads():
    model = build()
    model.patch_head.warmup_epochs, model.patch_head.warmup_teacher_temperature = 3, 0.03
    model.set_epoch(1)
    assert model.head.teacher_temperature == 0.07
    assert model.patch_head.teacher_temperature == pytest.approx(0.04)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model(draw_views(3), mode='loss')
    model.update_teacher(0.9)
    after = model.state_dict()
    moved = {name for name in after if not torch.equal(after[name], before[name])}
    assert {'head.centers', 'patch_head.centers', 'teacher.backbone.cls_token'} <= moved
    fresh = build()
    fresh.load_state_dict(after)
    assert_equal(fresh.state_dict(), after)


def test_the_backbone_needs_a_mask_token():
    with pytest.raises(ValueError, match='mask_token=True'):
        MaskedPASS(PartViT(ARCH, 16, patch_size=4), patch_head=PatchHead(4))
