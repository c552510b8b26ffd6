from itertools import product

import pytest
import torch
from mmpretrain.structures import DataSample
from processes import assert_equal

from passreid.models import PASS, PartViT, PASSHead, PASSNeck
from passreid.models.converters import fill_model

ARCH = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)


def new_model(num_parts=3, **backbone):
    torch.manual_seed(0)
    return PASS(
        backbone=PartViT(ARCH, (16, 8), num_parts, patch_size=4, **backbone),
        neck=PASSNeck(16, num_parts, 24, bottleneck_channels=8, out_channels=20),
        head=PASSHead(20, num_parts, teacher_temperature=0.07),
    )


def build(num_parts=3, **backbone):
    model = new_model(num_parts, **backbone)
    model.init_weights()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def draw_views(num_parts, local_per_part, batch):
    torch.manual_seed(7)
    num_local = max(1, num_parts) * local_per_part
    return dict(
        global_views=torch.randn(2 * batch, 3, 16, 8),
        local_views=torch.randn(num_local * batch, 3, 8, 8),
    )


def literal_loss(model, views, num_parts, local_per_part, batch):
    """Every term of the definition by itself, over views handled one at a time."""
    global_views = views['global_views'].unflatten(0, (2, batch))
    local_views = views['local_views'].unflatten(0, (-1, batch))
    kinds = range(1 + num_parts)

    def logits(network, images, part):
        """Scores by token kind; a local view of area ``part`` has two tokens."""
        part_ids = None if part is None else torch.full((len(images),), part)
        (tokens,) = network['backbone'](images, part_ids)
        present = kinds if part is None else (0, part + 1)
        scores = {}
        for token, kind in zip(tokens.unbind(1), present, strict=True):
            embedding = network['neck'].projectors[kind](token)
            embedding = embedding / embedding.norm(dim=1, keepdim=True)
            prototypes = network['neck'].prototypes[kind].weight
            prototypes = prototypes / prototypes.norm(dim=1, keepdim=True)
            scores[kind] = embedding @ prototypes.T
        return scores

    student = {'backbone': model.backbone, 'neck': model.neck}
    of_teacher = [logits(model.teacher, images, None) for images in global_views]
    of_student = [logits(student, images, None) for images in global_views]
    for index, images in enumerate(local_views):
        part = index // local_per_part if num_parts else None
        of_student.append(logits(student, images, part))
    terms = []
    for kind, u, v in product(kinds, range(2), range(len(of_student))):
        if v == u or kind not in of_student[v]:
            continue
        centered = of_teacher[u][kind] - model.head.centers[kind]
        q = torch.softmax(centered / model.head.teacher_temperature, dim=1).detach()
        log_p = torch.log_softmax(of_student[v][kind] / 0.1, dim=1)
        terms.append(-(q * log_p).sum(1).mean())
    return sum(terms) / len(terms), len(terms)


@pytest.mark.parametrize(
    ('num_parts', 'local_per_part', 'batch', 'num_terms'),
    [(3, 3, 2, 44), (3, 1, 3, 20), (2, 4, 1, 38), (4, 2, 2, 42), (1, 2, 2, 12), (0, 4, 3, 10)],
)
def test_loss_equals_its_definition(num_parts, local_per_part, batch, num_terms):
    model = build(num_parts)
    model.head.centers.normal_(0, 0.3)
    views = draw_views(num_parts, local_per_part, batch)
    expected, found_terms = literal_loss(model, views, num_parts, local_per_part, batch)
    assert found_terms == num_terms
    parameters = [p for p in model.parameters() if p.requires_grad]
    expected_gradients = torch.autograd.grad(expected, parameters)
    losses = model(views, mode='loss')
    loss = losses['loss_cls'] + losses.get('loss_part', 0)
    gradients = torch.autograd.grad(loss, parameters)
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=0)
    for found, wanted in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-4)


def test_numbers_of_parts_must_agree():
    with pytest.raises(ValueError, match='backbone 3, neck 2, head 2'):
        PASS(
            PartViT(ARCH, img_size=16, patch_size=4),
            PASSNeck(16, num_parts=2, out_channels=4),
            PASSHead(4, num_parts=2),
        )


def assert_teacher_is_student(model):
    student = {k: v for k, v in model.state_dict().items() if k.startswith(('backbone.', 'neck.'))}
    assert_equal(dict(model.teacher.state_dict()), student)


class TestTeacher:
    def test_has_no_stochastic_depth(self):
        model = build(drop_path_rate=0.9, drop_rate=0.5)
        model.train()
        images = torch.randn(2, 3, 16, 8)
        first, second = (model.teacher['backbone'](images)[0] for _ in range(2))
        assert torch.equal(first, second)
        first, second = (model.backbone(images)[0] for _ in range(2))
        assert not torch.equal(first, second)

    def test_starts_from_the_student(self):
        model = new_model(stem='ics')
        model.init_weights()
        assert_teacher_is_student(model)
        assert model.teacher['backbone'].part_positions[2].abs().min() > 0

    def test_of_an_init_cfg_of_the_whole_model_is_kept(self, tmp_path):
        weights = build().state_dict()
        torch.save(weights, tmp_path / 'pass.pth')
        model = new_model()
        model.init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'pass.pth'))
        model.init_weights()
        assert_equal(model.state_dict(), weights)

    def test_is_the_student_of_a_file_without_one(self):
        model, weights = new_model(), build().state_dict()
        student = {k: v for k, v in weights.items() if not k.startswith('teacher.')}
        report = fill_model(model, student)
        assert_equal({name: model.state_dict()[name] for name in student}, student)
        assert_teacher_is_student(model)
        assert report.clean

    def test_update_moves_parameters_not_buffers(self):
        model = build(stem='ics')
        before = {k: v.clone() for k, v in model.teacher.state_dict().items()}
        student = {**model.state_dict()}
        model.head.score_count.fill_(1)
        model.backbone.patch_embed.stem[1].batch_norm.running_mean.fill_(3)
        model.update_teacher(0.9)
        parameters = dict(model.teacher.named_parameters())
        for key, old in before.items():
            new = model.teacher.state_dict()[key]
            expected = 0.9 * old + 0.1 * student[key] if key in parameters else old
            torch.testing.assert_close(new, expected, msg=key)


def test_predicted_features_are_the_teachers():
    model, images = build(), torch.randn(3, 3, 16, 8)
    samples = model(images, [DataSample() for _ in range(3)], mode='predict')
    tokens = model.teacher['backbone'](images)[0]
    fused = torch.cat((tokens[:, 0], tokens[:, 1:].mean(1)), dim=1)
    found = torch.stack([sample.feature for sample in samples])
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, torch.nn.functional.normalize(fused))


def test_part_separation():
    model = build()
    views = torch.randn(6, 3, 16, 8)
    figures = model.part_separation(views)
    assert len(figures) == 7
    assert all(0 < figures[f'attention_height_{k}'] < 1 for k in ('cls', 1, 2, 3))
    backbone = model.teacher['backbone']
    # A [PART] token with the weights of [CLS] is [CLS].
    backbone.part_tokens[1].copy_(backbone.cls_token)
    backbone.part_positions[1].copy_(backbone.cls_position)
    figures = model.part_separation(views)
    assert figures['part_cosine_2'] == pytest.approx(1, abs=1e-5)
    assert figures['part_cosine_1'] < 0.99
    torch.testing.assert_close(figures['attention_height_2'], figures['attention_height_cls'])
    assert backbone.training == model.backbone.training
