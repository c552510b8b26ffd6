"""Weights, and activations as well, as 8-bit integers."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from .onnx_export import ExportMismatchError, written_whole
from .runtimes import INFO_KEY, ExportedModel


def quantize_onnx(
    path: str | Path,
    out: str | Path,
    *,
    per_channel: bool = True,
    reduce_range: bool = False,
    min_cosine: float = 0.95,
    images: Tensor | None = None,
) -> float:
    """Turn the weights of matrix products into int8.

    Activations are quantised as they come, or with ranges measured once on images.

    Args:
        path (str | Path): A float file of :func:`export_onnx`.
        out (str | Path): The file to write, ``.onnx``.
        per_channel (bool): Whether each column of a weight has a scale of its own, which is much
            closer to the original. Defaults to True.
        reduce_range (bool): Whether weights have 7 bits, for processors without VNNI, whose sums of
            products overflow otherwise. Defaults to False.
        min_cosine (float): Least cosine of features with those of ``path``, of ``images`` or else
            of noise; 0.95.
        images (Tensor, optional): Typical images, as the file takes them, on which the ranges of
            activations are measured. Defaults to None: activations are quantised as they come.

    Returns:
        float: The least cosine there was.

    Raises:
        ExportMismatchError: When a cosine is smaller than ``min_cosine``; nothing is written then.
    """
    import onnx
    from onnxruntime import quantization

    class _Images(quantization.CalibrationDataReader):
        """Images in batches."""

        def __init__(self, images: Tensor) -> None:
            self.batches = iter(images.split(8))

        def get_next(self) -> dict | None:
            batch = next(self.batches, None)
            return None if batch is None else {'images': batch.numpy()}

    original = ExportedModel(path)
    if original.info.quantized:
        raise ValueError(f'{path} is quantised already: give the file that it was made from')
    with written_whole(out) as partial:
        prepared = partial.with_name('prepared.onnx')
        # Folds constants: weights that the graph cuts out of larger ones are quantised as well.
        quantization.quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        # Nearly all of the time. A convolution of integers is slower than one of floats.
        options: dict[str, Any] = dict(
            op_types_to_quantize=['MatMul', 'Gemm'],
            per_channel=per_channel,
            reduce_range=reduce_range,
        )
        if images is None:
            quantization.quantize_dynamic(prepared, partial, **options)
        else:
            quantization.quantize_static(prepared, partial, _Images(images), **options)
        prepared.unlink()
        # Its features are not to be mixed with those of the original.
        changed = f'{original.info.fingerprint} int8 {(per_channel, reduce_range, images is None)}'
        fingerprint = sha256(changed.encode()).hexdigest()[:16]
        info = replace(original.info, quantized=True, fingerprint=fingerprint)
        graph = onnx.load(partial)
        onnx.helper.set_model_props(graph, {INFO_KEY: info.to_json()})
        onnx.save(graph, partial)
        images = original.info.noise(8) if images is None else images
        least = F.cosine_similarity(ExportedModel(partial)(images), original(images)).min().item()
        if not least >= min_cosine:
            raise ExportMismatchError(
                f'{partial.name}: features of int8 have a cosine of {least:.4f} with those of '
                f'{path}, less than {min_cosine}'
            )
        return least
