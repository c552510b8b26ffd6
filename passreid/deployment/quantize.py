"""Weights as 8-bit integers."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from torch.nn import functional as F

from .export_info import ExportInfo
from .exported_model import INFO_KEY, ExportedModel, open_exported
from .files import import_optional, written_whole
from .verify_export import ExportMismatchError

# Products with weights are nearly all of the time. A convolution of integers is slower than one of
# floats, and there is one alone, which sees the image: its error would reach everything.
_OPERATORS = ('MatMul', 'Gemm')


def quantize_onnx(
    path: str | Path,
    out: str | Path,
    *,
    per_channel: bool = True,
    reduce_range: bool = False,
    min_cosine: float = 0.95,
) -> float:
    """Turn the weights of matrix products into int8; activations are quantised as they come.

    The file becomes about four times smaller. Whether it is faster depends on the processor: those
    with VNNI instructions gain most. Needs no images, but tell what it costs in accuracy by
    ``tools/deployment/test_onnx.py``.

    Args:
        path (str | Path): A float file of :func:`export_onnx`.
        out (str | Path): The file to write, ``.onnx``.
        per_channel (bool): Whether each column of a weight has a scale of its own. Costs nothing
            and is much closer to the original. Defaults to True.
        reduce_range (bool): Whether weights have 7 bits, for processors without VNNI, whose sums of
            products overflow otherwise. Defaults to False.
        min_cosine (float): The least cosine of features with those of ``path`` on noise.
            Defaults to 0.95.

    Returns:
        float: The least cosine there was.

    Raises:
        ImportError: When onnx or onnxruntime is missing.
        FileNotFoundError: When there is no such file.
        ValueError: When it is quantised already, is no ONNX file of passreid, or a name does not
            end with ``.onnx``.
        ExportMismatchError: When a cosine is smaller than ``min_cosine``; nothing is written then.
    """
    onnx = import_optional('onnx')
    quantization = import_optional('onnxruntime.quantization')
    shape_inference = import_optional('onnxruntime.quantization.shape_inference')
    original = open_exported(path)
    if original.info.quantized:
        raise ValueError(f'{path} is quantised already: give the file that it was made from')
    with written_whole(out, '.onnx') as partial:
        prepared = partial.with_name('prepared.onnx')
        # Folds constants: weights that the graph cuts out of larger ones are quantised as well.
        shape_inference.quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        quantization.quantize_dynamic(
            prepared,
            partial,
            op_types_to_quantize=list(_OPERATORS),
            per_channel=per_channel,
            reduce_range=reduce_range,
            weight_type=quantization.QuantType.QInt8,
        )
        prepared.unlink()
        graph = onnx.load(partial)
        _describe(graph, _quantized_info(original.info, per_channel, reduce_range))
        onnx.checker.check_model(graph)
        onnx.save(graph, partial)
        return _compare(open_exported(partial), original, min_cosine)


def _quantized_info(info: ExportInfo, *options: object) -> ExportInfo:
    """Describe the new file; its features are not to be mixed with those of the old one."""
    changed = sha256(f'{info.fingerprint} int8 {options}'.encode()).hexdigest()[:16]
    return replace(info, quantized=True, fingerprint=changed)


def _describe(graph: Any, info: ExportInfo) -> None:
    """Replace what a graph says about itself."""
    del graph.metadata_props[:]
    graph.metadata_props.add(key=INFO_KEY, value=info.to_json())


def _compare(quantized: ExportedModel, original: ExportedModel, min_cosine: float) -> float:
    """Return the least cosine of the features of both for the same noise, or raise."""
    images = original.info.noise(8)
    least = F.cosine_similarity(quantized(images), original(images)).min().item()
    if not least >= min_cosine:
        raise ExportMismatchError(
            f'{quantized.path.name}: features of int8 have a cosine of {least:.4f} with those of '
            f'{original.path}, less than {min_cosine}'
        )
    return least
