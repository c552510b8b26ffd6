"""Weights as 8-bit integers."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

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
) -> float:
    """Turn the weights of matrix products into int8; activations are quantised as they come.

    Args:
        path (str | Path): A float file of :func:`export_onnx`.
        out (str | Path): The file to write, ``.onnx``.
        per_channel (bool): Whether each column of a weight has a scale of its own, which is much
            closer to the original. Defaults to True.
        reduce_range (bool): Whether weights have 7 bits, for processors without VNNI, whose sums of
            products overflow otherwise. Defaults to False.
        min_cosine (float): Least cosine of features of noise with those of ``path``; 0.95.

    Returns:
        float: The least cosine there was.

    Raises:
        ExportMismatchError: When a cosine is smaller than ``min_cosine``; nothing is written then.
    """
    import onnx
    from onnxruntime import quantization

    original = ExportedModel(path)
    if original.info.quantized:
        raise ValueError(f'{path} is quantised already: give the file that it was made from')
    with written_whole(out) as partial:
        prepared = partial.with_name('prepared.onnx')
        # Folds constants: weights that the graph cuts out of larger ones are quantised as well.
        quantization.quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        quantization.quantize_dynamic(
            prepared,
            partial,
            # Nearly all of the time. A convolution of integers is slower than one of floats.
            op_types_to_quantize=['MatMul', 'Gemm'],
            per_channel=per_channel,
            reduce_range=reduce_range,
        )
        prepared.unlink()
        # Its features are not to be mixed with those of the original.
        changed = f'{original.info.fingerprint} int8 {(per_channel, reduce_range)}'
        fingerprint = sha256(changed.encode()).hexdigest()[:16]
        info = replace(original.info, quantized=True, fingerprint=fingerprint)
        graph = onnx.load(partial)
        onnx.helper.set_model_props(graph, {INFO_KEY: info.to_json()})
        onnx.save(graph, partial)
        images = original.info.noise(8)
        least = F.cosine_similarity(ExportedModel(partial)(images), original(images)).min().item()
        if not least >= min_cosine:
            raise ExportMismatchError(
                f'{partial.name}: features of int8 have a cosine of {least:.4f} with those of '
                f'{path}, less than {min_cosine}'
            )
        return least
