"""Features of all images of a data loader."""

import torch
from mmengine.dist import is_main_process
from mmengine.model import BaseModel
from torch.utils.data import DataLoader

from passreid.evaluation.metrics.person_features import (
    PersonFeatures,
    concatenate,
    gather_features,
    read_batch,
)
from passreid.evaluation.metrics.progress_log import ProgressLog


@torch.no_grad()
def extract_features(
    model: BaseModel, dataloader: DataLoader, what: str = 'extracting features'
) -> PersonFeatures | None:
    """Run a model in test mode over images, each process over its own; all must call this.

    Args:
        model (BaseModel): The model, or a distributed wrapper of it; its ``test_step`` puts
            ``feature`` into the samples. Whether it trains is the same afterwards.
        dataloader (DataLoader): The images.
        what (str): What the log calls it.

    Returns:
        PersonFeatures | None: In the first process the features of all images, each once, in the
        order of the data set; None in the others.

    Raises:
        ValueError: When there are no images, or a feature is missing or not finite.
    """
    was_training = model.training
    model.eval()
    progress = ProgressLog(what)
    parts = []
    for number, batch in enumerate(dataloader, start=1):
        parts.append(read_batch(model.test_step(batch)))
        progress(number, len(dataloader))
    model.train(was_training)
    people = gather_features(concatenate(parts) if parts else None)
    if people is None and is_main_process():
        raise ValueError(f'there are no images in {dataloader.dataset}')
    return people
