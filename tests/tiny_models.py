"""Small models of each kind, with weights that make images differ."""

import torch
from tiny_runs import ARCH, HEIGHT, WIDTH

from passreid import get_model
from passreid.registry import MODELS
from passreid.utils import register_all_modules

BACKBONE = dict(type='PartViT', arch=ARCH, img_size=(HEIGHT, WIDTH), patch_size=8)
PREPROCESSOR = dict(
    type='ReIDDataPreprocessor', mean=[120.0, 110.0, 100.0], std=[60.0, 50.0, 40.0], to_rgb=True
)
HEAD = dict(type='ReIDHead', in_channels=16, num_classes=5)
NECK = dict(type='BNNeck', in_channels=16, normalize=True)
CONFIGS = {
    'reid': dict(type='ImageClassifier', backbone=BACKBONE, head=HEAD),
    'after neck': dict(
        type='ImageClassifier', backbone=BACKBONE, head=dict(HEAD, test_feature='after_neck')
    ),
    'ics': dict(type='ImageClassifier', backbone=dict(BACKBONE, stem='ics'), head=HEAD),
    'without parts': dict(
        type='ImageClassifier',
        backbone=dict(BACKBONE, num_parts=0),
        head=dict(HEAD, num_parts=0),
    ),
    'cluster': dict(
        type='ClusterContrast', backbone=BACKBONE, neck=NECK, memory=dict(type='ClusterMemory')
    ),
    'pass': dict(
        type='PASS',
        backbone=dict(BACKBONE, interpolate_offset=0.1),
        neck=dict(type='PASSNeck', hidden_channels=24, bottleneck_channels=8, out_channels=32),
        head=dict(type='PASSHead'),
    ),
}
KINDS = list(CONFIGS)


def people_model(kind='reid', **backbone):
    """Build a model whose weights and statistics are far from plain.

    Args:
        kind (str): One of ``KINDS``.
        **backbone: Arguments of the backbone.
    """
    register_all_modules()
    config = dict(CONFIGS[kind], data_preprocessor=PREPROCESSOR)
    config['backbone'] = dict(config['backbone'], **backbone)
    if 'arch' in backbone:
        config['head'] = dict(config['head'], in_channels=backbone['arch']['embed_dims'])
    torch.manual_seed(0)
    model = MODELS.build(config)
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if value.dtype.is_floating_point:
                positive = name.endswith(('running_var', 'norm.weight'))
                value += 0.1 * (torch.rand_like(value) if positive else torch.randn_like(value))
    model.eval()
    return model


def people_batch(count=3, size=(HEIGHT, WIDTH)):
    """Draw images as a data loader gives them: a list of uint8 BGR ``(3, H, W)``."""
    generator = torch.Generator().manual_seed(1)
    return list(torch.randint(0, 256, (count, 3, *size), dtype=torch.uint8, generator=generator))


def rgb(batch):
    """Stack such a batch as what an exported file takes: RGB of uint8."""
    return torch.stack(batch).flip(1)


def save_weights(cfg, path, seed=3):
    """Draw weights for the model of a config, far from where training starts, and save them."""
    model = get_model(cfg)
    torch.manual_seed(seed)
    for weight in model.state_dict().values():
        if weight.ndim > 1:
            weight.copy_(torch.randn_like(weight) * 0.3)
        elif weight.is_floating_point():
            weight.copy_(torch.rand_like(weight) + 0.5)
    torch.save({'state_dict': model.state_dict()}, path)
