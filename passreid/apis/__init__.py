"""Entry points for programs and notebooks."""

from passreid.models.converters import load_weights

from .build_runner import build_runner, load_config
from .get_model import get_model
from .hub import from_pretrained, push_to_hub, save_pretrained, save_timm
from .prepare_test import prepare_test
from .reid_inferencer import ReIDInferencer
from .track_features import LinkedCameras, TrackFeatures, extract_tracks, link_cameras

__all__ = [
    'LinkedCameras',
    'ReIDInferencer',
    'TrackFeatures',
    'build_runner',
    'extract_tracks',
    'from_pretrained',
    'get_model',
    'link_cameras',
    'load_config',
    'load_weights',
    'prepare_test',
    'push_to_hub',
    'save_pretrained',
    'save_timm',
]
