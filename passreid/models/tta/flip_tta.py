"""Features averaged over an image and its mirror image."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseTTAModel
from mmpretrain.structures import DataSample
from torch.nn import functional as F

from passreid.registry import MODELS
from passreid.utils.distributed import unwrap_model

from ..utils import put_features


@MODELS.register_module()
class FlipTTAModel(BaseTTAModel):
    """Average the feature of an image and that of its mirror image.

    Unlike other wrappers of mmengine for test-time augmentation it takes plain
    batches: images are loaded once and mirrored on the model's device.
    Checkpoints of the wrapped model load as they are. Any model will do that
    puts a ``feature`` into its predictions.

    Args:
        module (dict | nn.Module): The tested model, in a distributed wrapper or
            not.

    Examples:
        For the tests of a run, in its config:

        >>> custom_hooks = [dict(type='FlipTTAHook')]
    """

    def test_step(self, data: dict) -> list[DataSample]:
        """Predict a batch of a data loader; see :meth:`merge_preds`."""
        model = unwrap_model(self.module)
        batch = model.data_preprocessor(data, False)
        predictions = model(**batch, mode='predict')
        # Without samples: the model would write into those it has just returned.
        mirrored = model(batch['inputs'].flip(-1), mode='predict')
        return self.merge_preds(list(zip(predictions, mirrored, strict=True)))

    def merge_preds(self, data_samples_list: Sequence[Sequence[DataSample]]) -> list[DataSample]:
        """Merge the predictions for the views of each image into the first of them.

        Its ``feature``, ``(D,)`` float32, is the mean of the normalised features, normalised.
        """
        views = torch.stack(
            [torch.stack([view.feature for view in views]) for views in data_samples_list]
        )
        features = F.normalize(F.normalize(views.float(), dim=-1).mean(1), dim=-1)
        return put_features(features, [views[0] for views in data_samples_list])
