"""Small vision transformers of other projects, drawn at random, in their files' forms."""

import timm
import torch

from passreid.models import PartViT

WIDTH = 32
ARCH = dict(embed_dims=WIDTH, num_layers=2, num_heads=2, feedforward_channels=4 * WIDTH)


def timm_vit(size=64, patch=16, seed=0, **options):
    """Return a timm ViT whose every parameter is a draw, so that none is neutral."""
    settings = dict(img_size=size, patch_size=patch, embed_dim=WIDTH, depth=2, num_heads=2)
    return jittered(timm.models.VisionTransformer(**settings, **options), seed)


def jittered(model, seed=0):
    """Add noise to each parameter, in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    model.eval()
    return model


def part_vit(num_parts=0, img_size=64, arch=ARCH, **options):
    """Return a fresh PartViT of the same widths, in evaluation mode."""
    torch.manual_seed(1)
    model = PartViT(arch, img_size=img_size, num_parts=num_parts, **options)
    model.init_weights()
    model.eval()
    return model


def images(size=64):
    """Return a batch of two."""
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(2))


def dino_container(weights, head='head.mlp.0.weight'):
    """Return the checkpoint of DINO's training; the student's weights are all one larger."""
    teacher = {f'backbone.{name}': value for name, value in weights.items()}
    teacher[head] = torch.ones(3, WIDTH)
    student = {f'module.{name}': value + 1 for name, value in teacher.items()}
    return {'student': student, 'teacher': teacher, 'optimizer': {}, 'epoch': 7}


def below(prefix, weights):
    """Put a prefix before each name."""
    return {prefix + name: value for name, value in weights.items()}


def without(prefix, weights):
    """Take those whose names begin with a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
