import warnings

import pytest
import torch
from mmengine.runner import activation_checkpointing
from torch import nn

from passreid.utils.activation_checkpointing import repair_activation_checkpointing


class Network(nn.Module):
    """With everything that a second computation can spoil."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.BatchNorm1d(6, momentum=None)
        )

    def forward(self, inputs):
        return self.body(inputs).square().mean()


@pytest.fixture
def repaired(monkeypatch):
    monkeypatch.setattr(activation_checkpointing, 'wrap_forward', None)
    repair_activation_checkpointing()


def trained(modules):
    torch.manual_seed(0)
    network = Network()
    if modules:
        activation_checkpointing.turn_on_activation_checkpointing(network, modules)
    for _ in range(3):
        network(torch.randn(5, 4)).backward()
    gradients = {name: value.grad for name, value in network.named_parameters()}
    return gradients | dict(network.named_buffers())


@pytest.mark.parametrize('modules', ['body', ['body.0', 'body.1', 'body.2']])
def test_nothing_changes(repaired, modules):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        found = trained(modules)
    expected = trained(None)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


def test_evaluation_is_not_recomputed(repaired):
    network = Network().eval()
    inputs = torch.randn(5, 4)
    with torch.no_grad():
        expected = network(inputs)
        activation_checkpointing.turn_on_activation_checkpointing(network, 'body')
        assert torch.equal(network(inputs), expected)
