import pytest
import torch
from plain_vits import without

from passreid.models import PASSHead, PatchHead
from passreid.models.heads import masked_positions

OPTIONS = dict(
    teacher_temperature=0.07, warmup_teacher_temperature=0.04, warmup_teacher_temperature_epochs=30
)
CASES = {
    'multi': (OPTIONS, OPTIONS),
    'global_only': ({}, dict(OPTIONS, warmup_start_epoch=10, loss_weight=0.5)),
}


@pytest.fixture(params=CASES)
def case(request, reference):
    """Heads of [CLS] and of patches, and what was recorded of them."""
    recorded = without(f'{request.param}/', reference('ibot'))
    of_cls, of_patches = CASES[request.param]
    head = PASSHead(recorded['student_cls'].shape[-1], num_parts=0, **of_cls)
    patch_head = PatchHead(recorded['student_patch'].shape[-1], **of_patches)
    return head.double(), patch_head.double(), recorded


def test_teacher_temperatures_follow_the_recorded_schedules(case):
    for head, name in zip(case[:2], ('teacher_temp', 'teacher_temp_patch'), strict=True):
        found = []
        for epoch in range(100):
            head.set_epoch(epoch)
            found.append(head.teacher_temperature)
        torch.testing.assert_close(torch.tensor(found).double(), case[2][name], atol=1e-8, rtol=0)


def test_three_recorded_steps(case):
    """Scores are those of embeddings with the identity for prototypes."""
    head, patch_head, recorded = case
    for step, epoch in enumerate(recorded['epochs'].tolist()):

        def at(name, step=step):
            return recorded[name][step].double() if name in recorded else None

        for one in (head, patch_head):
            one.set_epoch(epoch)
        cls = at('student_cls').requires_grad_()
        local = at('student_local')
        views = cls if local is None else torch.cat((cls, local.requires_grad_()))
        prototypes = [torch.eye(cls.shape[-1]).double()]
        losses = head.loss([views], prototypes, [at('teacher_cls')], prototypes)
        patches = at('student_patch').requires_grad_()
        positions, weights = masked_positions(recorded['mask'][step].flatten(0, 1), 'cpu')
        rows = patches.flatten(0, 1)[positions]
        basis = torch.eye(rows.shape[-1]).double()
        losses |= patch_head.loss(rows, basis, at('teacher_patch'), basis, positions, weights)
        loss = losses['loss_cls'] + losses['loss_patch']
        loss.backward()
        head.update_centers()
        patch_head.update_centers()
        losses['loss'] = loss
        for name in ('loss', 'loss_cls', 'loss_patch'):
            torch.testing.assert_close(losses[name].detach(), at(name), atol=1e-6, rtol=0)
        gradients = dict(grad_cls=cls, grad_patch=patches, grad_local=local)
        for name, leaf in gradients.items():
            if leaf is not None:
                torch.testing.assert_close(leaf.grad, at(name), atol=1e-7, rtol=0, msg=name)
        if step != 1:
            for one, name in ((head, 'center'), (patch_head, 'center_patch')):
                expected = recorded[f'{name}_after{step + 1}'].flatten()
                torch.testing.assert_close(one.centers[0], expected, atol=1e-7, rtol=0)


def test_center_is_of_all_patches_since_the_last_step():
    """Two accumulated batches move it as one does, by the scores of prototypes of any length."""
    whole, halves = PatchHead(8), PatchHead(8)
    prototypes, teacher = 3 * torch.randn(8, 6), torch.randn(4, 5, 6)
    nothing = torch.zeros(0, 6), prototypes, teacher, prototypes, torch.zeros(0).long()
    whole.loss(*nothing, torch.zeros(0))
    for views in teacher.split(2):
        halves.loss(*nothing[:2], views, *nothing[3:], torch.zeros(0))
    whole.update_centers()
    halves.update_centers()
    unit = torch.nn.functional.normalize(prototypes, dim=1)
    expected = 0.1 * (teacher @ unit.T).mean((0, 1))
    torch.testing.assert_close(whole.centers[0], expected)
    torch.testing.assert_close(halves.centers[0], expected)


def test_positions_and_weights():
    masks = torch.zeros(3, 2, 2, dtype=torch.bool)
    masks[0, 1], masks[2, 0, 1] = True, True
    positions, weights = masked_positions(masks, 'cpu')
    assert positions.tolist() == [2, 3, 9]
    assert weights.tolist() == [0.5, 0.5, 1]
