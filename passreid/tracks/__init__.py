"""Tracks of cameras: reading, features, and one identity over all cameras."""

from .frames import crop_boxes, read_frames, sharpness, visible_shares
from .linking import LinkedTracks, average_features, cannot_link, link_tracks
from .scores import score_tracks
from .track_files import Tracks, read_tracks, write_tracks

__all__ = [
    'LinkedTracks',
    'Tracks',
    'average_features',
    'cannot_link',
    'crop_boxes',
    'link_tracks',
    'read_frames',
    'read_tracks',
    'score_tracks',
    'sharpness',
    'visible_shares',
    'write_tracks',
]
