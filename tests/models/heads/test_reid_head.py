import pytest
import torch
from mmpretrain.structures import DataSample
from plain_vits import without
from torch.nn import functional as F

from passreid.models import ReIDHead, token_similarity
from passreid.models.converters import from_pass_checkpoint

VARIANTS = [(fusion, multi) for fusion in ('cat', 'mean') for multi in (True, False)]
IDS = [f'{fusion}_{"multi" if multi else "single"}' for fusion, multi in VARIANTS]


@pytest.fixture(scope='module')
def recorded(reference):
    return reference('reid_head')


def samples_of(labels):
    return [DataSample().set_gt_label(label) for label in labels]


def in_our_names(weights):
    return without('head.', from_pass_checkpoint(weights, kind='supervised'))


def recorded_head(recorded, name, fusion, multi_neck, **kwargs):
    head = ReIDHead(32, num_classes=10, fusion=fusion, multi_neck=multi_neck, **kwargs)
    head.load_state_dict(in_our_names(without(f'{name}/sd/', recorded)), strict=True)
    return head


@pytest.mark.parametrize(('fusion', 'multi_neck'), VARIANTS, ids=IDS)
class TestRecordedNumbers:
    @pytest.fixture
    def name(self, request):
        return request.node.callspec.id

    def test_training(self, recorded, name, fusion, multi_neck):
        head = recorded_head(recorded, name, fusion, multi_neck)
        tokens, target = recorded['tokens'].clone().requires_grad_(), recorded['target']
        before = head.neck.fuse(tokens)
        torch.testing.assert_close(before, recorded[f'{name}/train/feat'], atol=2e-5, rtol=0)
        scores = recorded[f'{name}/train/cls_score']
        found = head.classifier(head.pre_logits((tokens,)))
        torch.testing.assert_close(found, scores, atol=2e-5, rtol=0)
        losses = head.loss((tokens,), samples_of(target))
        summands = {'ce': losses['loss_id'], 'triplet': losses['loss_triplet']}
        summands['total'] = summands['ce'] + summands['triplet']
        for which, loss in summands.items():
            expected = recorded[f'{name}/loss/{which}']
            torch.testing.assert_close(loss.detach(), expected, atol=1e-5, rtol=0)
            gradient = torch.autograd.grad(loss, tokens, retain_graph=True)[0]
            expected = recorded[f'{name}/grad_tokens/{which}']
            torch.testing.assert_close(gradient, expected, atol=1e-6, rtol=0)
        summands['total'].backward()
        gradients = in_our_names(without(f'{name}/grad_param/', recorded))
        trained = {k: v.grad for k, v in head.named_parameters() if v.requires_grad}
        required = dict.fromkeys(recorded[f'{name}/requires_grad'], torch.ones(1))
        assert set(trained) == set(gradients) == set(in_our_names(required))
        for key, gradient in trained.items():
            torch.testing.assert_close(gradient, gradients[key], atol=1e-6, rtol=0)
        for ours, theirs in {'hardest_positive': 'dist_ap', 'hardest_negative': 'dist_an'}.items():
            expected = recorded[f'{name}/loss/{theirs}'].mean()
            torch.testing.assert_close(losses[ours], expected, atol=2e-5, rtol=0)
        right = scores.argmax(1) == target
        torch.testing.assert_close(losses['accuracy'], 100 * right.float().mean())
        assert sorted(key for key in losses if 'loss' in key) == ['loss_id', 'loss_triplet']
        assert not any(losses[key].requires_grad for key in losses if 'loss' not in key)

    def test_buffers_and_test_features(self, recorded, name, fusion, multi_neck):
        head = recorded_head(recorded, name, fusion, multi_neck)
        head.loss((recorded['tokens'],), samples_of(recorded['target']))
        buffers = dict(head.named_buffers())
        after = in_our_names(without(f'{name}/after/', recorded))
        assert set(after) == set(buffers)
        for key, value in after.items():
            torch.testing.assert_close(buffers[key], value, atol=2e-5, rtol=0)
        head.eval()
        for which in ('before', 'after'):
            head.test_feature = f'{which}_neck'
            expected = F.normalize(recorded[f'{name}/eval/{which}'])
            features = head((recorded['tokens_eval'],))
            torch.testing.assert_close(features, expected, atol=2e-5, rtol=0)
            raw = head.features((recorded['tokens_eval'],))
            torch.testing.assert_close(raw, recorded[f'{name}/eval/{which}'], atol=2e-5, rtol=0)


def test_predictions_are_put_into_the_samples():
    head = ReIDHead(8).eval()
    given = samples_of([3, 4])
    result = head.predict((torch.randn(2, 4, 8, dtype=torch.bfloat16),), given)
    assert result == given
    for sample in result:
        assert sample.feature.shape == (16,) and sample.feature.dtype == torch.float32
        torch.testing.assert_close(sample.feature.norm(), torch.tensor(1.0))
    assert [sample.gt_label.item() for sample in result] == [3, 4]
    assert head.predict((torch.randn(2, 4, 8),))[1].feature.shape == (16,)


def test_distances_of_a_batch_without_other_identities():
    head, tokens = ReIDHead(8, num_classes=2), torch.randn(4, 4, 8)
    losses = head.loss((tokens,), samples_of([1, 1, 1, 1]))
    assert losses['hardest_negative'] == losses['loss_triplet'] == 0
    farthest = torch.cdist(*[head.neck.fuse(tokens)] * 2).amax(1)
    torch.testing.assert_close(losses['hardest_positive'], farthest.mean())


@pytest.mark.parametrize('fusion', ['cat', 'mean', 'all'])
def test_without_parts(fusion):
    head = ReIDHead(8, num_classes=2, num_parts=0, fusion=fusion)
    tokens = torch.randn(4, 1, 8)
    losses = head.loss((tokens,), samples_of([0, 0, 1, 1]))
    assert losses['loss_id'].isfinite()
    torch.testing.assert_close(head((tokens,)), F.normalize(tokens[:, 0]))
    torch.testing.assert_close(head((tokens[:, 0],)), head((tokens,)))


@pytest.mark.parametrize(
    ('multi_neck', 'id_loss'),
    [(True, 'CrossEntropyLoss'), (False, 'CrossEntropyLoss'), (True, 'CircleLoss')],
)
def test_all_tokens_side_by_side(multi_neck, id_loss):
    options = dict(num_classes=3, id_loss=dict(type=id_loss))
    head = ReIDHead(8, fusion='all', multi_neck=multi_neck, **options)
    head.init_weights()
    tokens, samples = torch.randn(6, 4, 8), samples_of([0, 0, 1, 1, 2, 2])
    torch.testing.assert_close(head((tokens,)), F.normalize(torch.cat(tokens.unbind(1), 1)))
    losses = head.loss((tokens,), samples)
    alone = []
    for token, weight in zip(tokens.unbind(1), head.classifier.weight.split(8, 1), strict=True):
        single = ReIDHead(8, num_parts=0, **options)
        single.classifier.weight.data.copy_(weight.detach())
        alone.append(single.loss((token,), samples))
    for name in ('loss_id', 'loss_triplet', 'accuracy'):
        mean = sum(own[name] for own in alone) / 4
        torch.testing.assert_close(losses[name], mean, msg=name)
    farthest = torch.cdist(tokens.flatten(1), tokens.flatten(1)).view(3, 2, 3, 2).amax((1, 3))
    torch.testing.assert_close(losses['hardest_positive'], farthest.diagonal().mean())


def test_similar_tokens_cost_by_their_weight():
    tokens, samples = torch.randn(6, 4, 8, requires_grad=True), samples_of([0, 0, 1, 1, 2, 2])
    plain, penalised = (ReIDHead(8, 3, similarity_weight=weight) for weight in (0, 0.5))
    penalised.load_state_dict(plain.state_dict())
    losses = penalised.loss((tokens,), samples)
    of_similarity, expected = losses.pop('loss_similarity'), 0.5 * token_similarity(tokens)
    torch.testing.assert_close(of_similarity, expected)
    gradients = [torch.autograd.grad(value, tokens)[0] for value in (of_similarity, expected)]
    torch.testing.assert_close(*gradients)
    torch.testing.assert_close(losses, plain.loss((tokens,), samples))
    without_parts = ReIDHead(8, 3, num_parts=0, similarity_weight=0.5)
    assert 'loss_similarity' not in without_parts.loss((tokens[:, :1],), samples)


def test_initial_weights():
    head = ReIDHead(64, num_classes=500)
    head.init_weights()
    assert head.classifier.weight.std().item() == pytest.approx(0.001, rel=0.02)
    assert head.classifier.bias is None


def test_losses_on_cosines():
    head = ReIDHead(8, num_classes=5, id_loss=dict(type='CircleLoss'), metric_loss=None)
    head.init_weights()
    seen = []
    head.id_loss.register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
    tokens = torch.randn(4, 4, 8)
    losses = head.loss((tokens,), samples_of([0, 4, 1, 1]))
    assert set(losses) == {'loss_id', 'accuracy', 'hardest_positive', 'hardest_negative'}
    ((cosines, labels),) = seen
    features = head.pre_logits((tokens,))
    expected = F.cosine_similarity(features[:, None], head.classifier.weight[None], dim=-1)
    torch.testing.assert_close(cosines, expected)
    assert labels.tolist() == [0, 4, 1, 1]


def test_what_is_wrong_is_named():
    tokens = torch.randn(2, 4, 8)
    for label in (10, -1):
        with pytest.raises(ValueError, match=f'Label {label} is none of the 10 classes'):
            ReIDHead(8, num_classes=10).loss((tokens,), samples_of([3, label]))
    head = ReIDHead(8)
    assert 'classifier.weight' not in head.state_dict()
    with pytest.raises(ValueError, match='set num_classes'):
        head.loss((tokens,), samples_of([0, 1]))
    with pytest.raises(ValueError, match=r'takes 4 tokens an image, .* gives 3'):
        head((tokens[:, 1:],))
    with pytest.raises(ValueError, match="fusion must be 'cat', 'mean' or 'all', not 'sum'"):
        ReIDHead(8, fusion='sum')
    with pytest.raises(ValueError, match="test_feature .* not 'bn'"):
        ReIDHead(8, test_feature='bn')
