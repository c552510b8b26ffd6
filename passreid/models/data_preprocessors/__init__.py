"""Data preprocessors: what happens to a batch on the model's device before the model."""

from .pass_data_preprocessor import PASSDataPreprocessor

__all__ = ['PASSDataPreprocessor']
