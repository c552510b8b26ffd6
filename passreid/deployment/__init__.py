"""Models as files that run without passreid."""

from .export_info import ExportInfo
from .exportable_model import ExportableModel
from .exported_model import ExportedModel, open_exported
from .exported_test_model import ExportedTestModel, use_exported
from .onnx_export import export_onnx
from .quantize import quantize_onnx
from .torch_export import export_program, export_torchscript
from .verify_export import ExportMismatchError, verify_export

__all__ = [
    'ExportInfo',
    'ExportMismatchError',
    'ExportableModel',
    'ExportedModel',
    'ExportedTestModel',
    'export_onnx',
    'export_program',
    'export_torchscript',
    'open_exported',
    'quantize_onnx',
    'use_exported',
    'verify_export',
]
