from math import log

import pytest
import torch
from plain_vits import below, without
from torch.nn import functional as F

from passreid.models import PASSHead, PASSNeck
from passreid.models.converters import from_pass_checkpoint

TOKENS = 4


@pytest.fixture(scope='module')
def recorded(reference):
    return reference('head_loss')


def network(recorded, which):
    weights = from_pass_checkpoint(below('head.', without(f'{which}/', recorded)))
    neck = PASSNeck(32, 3, hidden_channels=64, bottleneck_channels=16, out_channels=128)
    neck.load_state_dict(without('neck.', weights), strict=True)
    return neck


def scores(neck, tokens):
    pairs = zip(neck(tokens), neck.prototypes, strict=True)
    return [rows @ F.normalize(layer.weight, dim=1).T for rows, layer in pairs]


def test_logits_equal_the_recorded_ones(recorded):
    teacher, student = network(recorded, 'teacher'), network(recorded, 'student')
    logits = torch.stack(scores(teacher, recorded['step0/teacher_in'].unbind()))
    torch.testing.assert_close(logits, recorded['step0/teacher_out'], atol=2e-5, rtol=0)
    logits = torch.stack(scores(student, recorded['step0/student_in_global'].unbind()))
    torch.testing.assert_close(logits, recorded['step0/student_out_global'], atol=2e-5, rtol=0)
    for part, (of_cls, of_part) in enumerate(recorded['step0/student_in_local']):
        inputs = [of_cls] * TOKENS
        inputs[part + 1] = of_part
        logits = scores(student, inputs)
        expected = recorded['step0/student_out_local'][part]
        torch.testing.assert_close(logits[0], expected[0], atol=2e-5, rtol=0)
        torch.testing.assert_close(logits[part + 1], expected[1], atol=2e-5, rtol=0)


def test_three_recorded_steps(recorded):
    student, teacher = network(recorded, 'student'), network(recorded, 'teacher')
    head = PASSHead(out_channels=128)
    for step in range(3):
        of_global = recorded[f'step{step}/student_in_global'].clone().requires_grad_()
        of_local = recorded[f'step{step}/student_in_local'].clone().requires_grad_()
        tokens = [torch.cat((of_global[0], *of_local[:, 0]))]
        tokens += [torch.cat((of_global[k + 1], of_local[k, 1])) for k in range(3)]
        with torch.no_grad():
            targets = teacher(recorded[f'step{step}/teacher_in'].unbind())
        prototypes = ([layer.weight for layer in net.prototypes] for net in (student, teacher))
        losses = head.loss(student(tokens), next(prototypes), targets, next(prototypes))
        student.zero_grad()
        loss = losses['loss_cls'] + losses['loss_part']
        loss.backward()
        head.update_centers()
        torch.testing.assert_close(loss.detach(), recorded[f'step{step}/loss'], atol=1e-5, rtol=0)
        for inputs, name in ((of_global, 'global'), (of_local, 'local')):
            expected = recorded[f'step{step}/grad_in_{name}']
            torch.testing.assert_close(inputs.grad, expected, atol=1e-6, rtol=0)
        if step == 0:
            check_parameter_gradients(student, recorded)
        if step != 1:
            expected = recorded[f'center/after{step + 1}']
            torch.testing.assert_close(head.centers, expected, atol=1e-6, rtol=0)


def check_parameter_gradients(student, recorded):
    names = [name for name in recorded if name.startswith('step0/grad_param/')]
    assert len(names) == 7
    parameters = dict(student.named_parameters())
    for name in names:
        theirs = 'head.' + name.removeprefix('step0/grad_param/')
        ours = next(iter(from_pass_checkpoint({theirs: torch.ones(1)})))
        gradient = parameters[ours.removeprefix('neck.')].grad
        # The largest is 1.6, which float32 holds to 1.2e-7, and processors add in other orders.
        torch.testing.assert_close(gradient, recorded[name], atol=1e-6, rtol=1e-6, msg=name)


def test_summands_are_weighted_by_their_terms():
    head = PASSHead(out_channels=8, num_parts=1, student_temperature=1e9)

    def unit(*shape):
        return F.normalize(torch.randn(*shape), dim=-1)

    losses = head.loss(
        [unit(views * 5, 6) for views in (11, 5)],
        [unit(8, 6) for _ in range(2)],
        [unit(2 * 5, 6) for _ in range(2)],
        [unit(8, 6) for _ in range(2)],
    )
    # A uniform student has a cross-entropy of ln 8 in every term, whatever the teacher says.
    uniform = torch.tensor(8.0).log()
    torch.testing.assert_close(losses['loss_cls'], uniform * 20 / 28)
    torch.testing.assert_close(losses['loss_part'], uniform * 8 / 28)
    assert [name for name in losses if 'loss' in name] == ['loss_cls', 'loss_part']


def test_centers_wait_for_the_optimiser_step():
    """Two accumulated batches move the centers as one large batch does."""
    whole, halves = (PASSHead(out_channels=8, num_parts=0) for _ in range(2))
    prototypes, views = [torch.randn(8, 6)], torch.randn(2, 6, 6)

    def call(head, images):
        embeddings = [views[:, images].flatten(0, 1)]
        head.loss(embeddings, prototypes, embeddings, prototypes)

    call(whole, slice(0, 6))
    call(halves, slice(0, 2))
    assert not halves.centers.any()
    call(halves, slice(2, 6))
    whole.update_centers()
    halves.update_centers()
    assert whole.centers.abs().max() > 0.01
    torch.testing.assert_close(halves.centers, whole.centers, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ('kind', 'options'),
    [
        ('default', {}),
        ('warm', dict(warmup_teacher_temperature=0.04, warmup_teacher_temperature_epochs=30)),
    ],
)
def test_teacher_temperature_follows_the_recorded_schedule(reference, kind, options):
    head = PASSHead(8, teacher_temperature=0.07 if options else 0.04, **options)
    found = []
    for epoch in range(100):
        head.set_epoch(epoch)
        found.append(head.teacher_temperature)
    expected = reference('schedules')[f'pretrain/teacher_temp_{kind}']
    torch.testing.assert_close(torch.tensor(found), expected, atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize(
    ('scores', 'expected'),
    [
        (torch.zeros(4, 8), (log(8), 0, 0)),
        (100 * torch.eye(8)[[3] * 4], (0, log(8), 0)),
        (100 * torch.eye(4, 8), (0, log(2), log(4))),
    ],
    ids=['uniform collapse', 'collapse to one prototype', 'each image its own prototype'],
)
def test_health(scores, expected):
    """Figures of a teacher whose scores are given, temperature 1."""
    head = PASSHead(out_channels=8, num_parts=0, teacher_temperature=1.0)
    student = torch.eye(4)[[0, 1] * 4]
    losses = head.loss([student], [torch.randn(8, 4)], [scores], [torch.eye(8)])
    found = [losses[f'teacher_{name}'] for name in ('entropy', 'kl_uniform', 'information')]
    assert torch.stack(found).tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_health_is_exact_under_autocast(dtype):
    """Of scores that the type holds exactly; of thousands of images their sum leaves float16."""
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randint(-1, 2, (8192, 4), generator=generator).float()
    prototypes = 2 * torch.eye(4)
    figures = []
    for enabled in (False, True):
        head = PASSHead(4, num_parts=0, teacher_temperature=0.04)
        with torch.autocast('cpu', dtype, enabled=enabled):
            losses = head.loss([embeddings], [prototypes], [embeddings], [prototypes])
        figures.append({name: losses[name] for name in losses if 'loss' not in name})
    torch.testing.assert_close(figures[1], figures[0])
