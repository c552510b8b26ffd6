"""Models as files that run without passreid."""

try:
    import onnxruntime  # noqa: F401
    import onnxscript  # noqa: F401
except ImportError as error:
    raise ImportError(f'{error}: pip install onnx onnxruntime onnxscript') from error

from .exportable_model import ExportableModel, ExportInfo
from .onnx_export import ExportMismatchError, export_onnx, verify_export
from .quantize import quantize_onnx
from .runtimes import ExportedModel, ExportedTestModel

__all__ = [
    'ExportInfo',
    'ExportMismatchError',
    'ExportableModel',
    'ExportedModel',
    'ExportedTestModel',
    'export_onnx',
    'quantize_onnx',
    'verify_export',
]
