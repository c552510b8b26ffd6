"""What an exported file says about itself."""

import hashlib
import json
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from passreid.version import __version__


@dataclass(frozen=True)
class ExportInfo:
    """What whoever runs an exported file has to know; it travels in the file.

    Args:
        config (str): Name of the config that the model was built from, '' when not known.
        input_size (tuple[int, int]): Size (h, w) of the images in pixels.
        raw_input (bool): Whether images are values in [0, 255], which the graph normalises.
            Otherwise ``(image - mean) / std`` is for the caller to compute.
        mean (tuple[float, ...]): Mean of the R, G, B channels in [0, 255].
        std (tuple[float, ...]): Standard deviation of the R, G, B channels.
        normalize (bool): Whether features have unit length.
        flip (bool): Whether features are averaged over an image and its mirror image.
        feature_dim (int): Length D of a feature.
        fingerprint (str): 16 characters that stand for the weights and the options above:
            features of two files can be compared when theirs are the same. A quantised file has
            another one than what it was made from.
        quantized (bool): Whether weights are 8-bit integers. Defaults to False.
        channel_order (str): Of the images. Defaults to 'RGB'.
        passreid (str): Version of the package. Defaults to that which runs.
    """

    config: str
    input_size: tuple[int, int]
    raw_input: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    normalize: bool
    flip: bool
    feature_dim: int
    fingerprint: str
    quantized: bool = False
    channel_order: str = 'RGB'
    passreid: str = __version__

    def to_json(self) -> str:
        """Return the text that is put into a file."""
        return json.dumps(asdict(self))

    def noise(self, batch_size: int) -> Tensor:
        """Draw images of the right size and range, always the same.

        Args:
            batch_size (int): B.

        Returns:
            Tensor: ``(B, 3, H, W)`` float32.
        """
        generator = torch.Generator().manual_seed(0)
        images = 255 * torch.rand(batch_size, 3, *self.input_size, generator=generator)
        return images if self.raw_input else self.prepare(images)

    def prepare(self, images: Tensor) -> Tensor:
        """Normalise RGB images ``(B, 3, H, W)`` float32 in [0, 255] by mean and std."""
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (self.mean, self.std))
        return (images - mean) / std

    @classmethod
    def from_json(cls, text: str) -> 'ExportInfo':
        """Read what :meth:`to_json` wrote."""
        values = json.loads(text)
        for name in ('input_size', 'mean', 'std'):
            values[name] = tuple(values[name])
        return cls(**values)


def fingerprint(module: nn.Module, *options: object) -> str:
    """Return 16 characters that stand for the weights of a module and for options.

    Args:
        module (nn.Module): The module.
        *options (object): What else features depend on; anything with a stable ``repr``.
    """
    digest = hashlib.sha256(repr(options).encode())
    for name, tensor in module.state_dict().items():
        digest.update(f'{name} {tuple(tensor.shape)}'.encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
