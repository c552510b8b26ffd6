"""Weights of small models that make images differ."""

import torch

from passreid import get_model


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
