"""Images of a folder as an exported file takes them."""

import cv2
import numpy as np
import torch
from torch import Tensor

from passreid.apis.inference_pipeline import list_folder
from passreid.datasets.storage.decoding import LoadPersonImage
from passreid.deployment import ExportInfo


def folder_images(info: ExportInfo, folder: str, most: int) -> Tensor:
    """Load the first images of a folder and its folders, at most so many, for a file to take."""
    load, size = LoadPersonImage(), info.input_size[::-1]
    images = [load(dict(img_path=path))['img'] for path in list_folder(folder)[:most]]
    batch = np.stack([cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images])
    return info.prepare(torch.from_numpy(batch).permute(0, 3, 1, 2).flip(1).float())
