"""Data preprocessors: what happens to a batch on the model's device before the model."""

from .pass_data_preprocessor import PASSDataPreprocessor
from .reid_data_preprocessor import ReIDDataPreprocessor

__all__ = ['PASSDataPreprocessor', 'ReIDDataPreprocessor']
