import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmpretrain.structures import DataSample
from torch.nn import functional as F

from passreid.apis import build_runner
from passreid.models import FlipTTAModel, ReIDDataPreprocessor
from passreid.registry import DATASETS, METRICS, MODELS


@MODELS.register_module()
class LeftHalf(BaseModel):
    """Its feature is a projection of the left half of the image."""

    def __init__(self):
        super().__init__(data_preprocessor=ReIDDataPreprocessor())
        self.linear = torch.nn.Linear(12, 5)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        features = self.linear(inputs[..., :2].flatten(1))
        data_samples = data_samples or [DataSample() for _ in features]
        for sample, feature in zip(data_samples, features, strict=True):
            sample.feature = feature
        return data_samples


@DATASETS.register_module()
class FourImages(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        image = torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(index))
        return {'inputs': image, 'data_samples': DataSample(metainfo=dict(sample_idx=index))}


@METRICS.register_module()
class KeepFeatures(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results += [(sample['sample_idx'], sample['feature']) for sample in data_samples]

    def compute_metrics(self, results):
        KeepFeatures.seen = torch.stack([feature for _, feature in sorted(results)])
        return {}


def literal(model, images):
    """Compute the averaged features from the two images."""
    one, other = (
        F.normalize(model.linear(half.flatten(1)))
        for half in (images[..., :2], images[..., 2:].flip(3))
    )
    return F.normalize(one + other).detach()


def images():
    return torch.stack([FourImages()[index]['inputs'] for index in range(4)])


def test_features_of_both_images_are_averaged():
    model = LeftHalf()
    samples = [FourImages()[index]['data_samples'] for index in range(4)]
    result = FlipTTAModel(model).test_step(dict(inputs=images(), data_samples=samples))
    assert result == samples
    features = torch.stack([sample.feature for sample in result])
    torch.testing.assert_close(features, literal(model, images()))
    torch.testing.assert_close(features.norm(dim=1), torch.ones(4))
    assert features.dtype == torch.float32


def test_mirror_images_have_the_same_feature():
    tta = FlipTTAModel(LeftHalf())
    one, other = (
        torch.stack([sample.feature for sample in tta.test_step(dict(inputs=batch))])
        for batch in (images(), images().flip(3))
    )
    torch.testing.assert_close(one, other)


def test_in_a_runner_with_a_checkpoint(tmp_path):
    trained = LeftHalf()
    checkpoint = tmp_path / 'trained.pth'
    torch.save(dict(state_dict=trained.state_dict()), checkpoint)
    loader = dict(
        dataset=dict(type='FourImages'),
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='default_collate'),
        batch_size=3,
    )
    runner = build_runner(
        dict(
            model=dict(type='LeftHalf'),
            test_dataloader=loader,
            test_evaluator=dict(type='KeepFeatures'),
            test_cfg={},
            load_from=str(checkpoint),
            custom_hooks=[dict(type='FlipTTAHook')],
            work_dir=str(tmp_path),
        )
    )
    runner.test()
    assert isinstance(runner.model, FlipTTAModel)
    torch.testing.assert_close(KeepFeatures.seen, literal(trained, images()))
