"""The scores of camera pairs as text."""

import numpy as np

from passreid.evaluation.functional import CameraTable

_WIDTH = 7


def format_camera_table(table: CameraTable) -> str:
    """Lay out mAP and Rank-1 of each pair of cameras, one below the other.

    Args:
        table (CameraTable): Scores in [0, 1].

    Returns:
        str: Two tables in percent: a line for each camera of queries, a column for each of the
        gallery; '-' where no query has a match, '?' for the unknown camera.
    """
    return '\n'.join(
        line
        for name, values in (('mAP', table.mAP), ('R1', table.rank1))
        for line in (
            f'{name} by camera of the query (lines) and of the gallery (columns), in percent',
            _line('', map(_camera, table.gallery_cam_ids)),
            *(
                _line(_camera(camera), map(_percent, row))
                for camera, row in zip(table.query_cam_ids, values, strict=True)
            ),
        )
    )


def _line(first: str, cells) -> str:
    return f'{first:>{_WIDTH}}' + ''.join(f'{cell:>{_WIDTH}}' for cell in cells)


def _camera(cam_id: int) -> str:
    return '?' if cam_id < 0 else f'{cam_id}'


def _percent(share: float) -> str:
    return '-' if np.isnan(share) else f'{100 * share:.1f}'
