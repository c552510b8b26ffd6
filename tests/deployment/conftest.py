"""One exported file for all tests."""

import pytest
from tiny_models import people_batch, people_model, rgb

from passreid.deployment import ExportableModel, export_onnx

# Wide enough for weights to be most of a file.
ARCH = dict(embed_dims=128, num_layers=2, num_heads=2, feedforward_channels=256)


@pytest.fixture(scope='session')
def exported(tmp_path_factory):
    """A model and its file."""
    model = ExportableModel(people_model(arch=ARCH), config='vit')
    path = tmp_path_factory.mktemp('exported') / 'folder' / 'model.onnx'
    export_onnx(model, path, images=rgb(people_batch()))
    return model, path
