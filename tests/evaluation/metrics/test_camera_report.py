import numpy as np

from passreid.evaluation.functional import CameraTable
from passreid.evaluation.metrics.camera_report import format_camera_table


def test_layout():
    table = CameraTable(
        query_cam_ids=np.array([-1, 2]),
        gallery_cam_ids=np.array([0, 10]),
        mAP=np.array([[0.5, 1], [np.nan, 0.12345]]),
        rank1=np.array([[0.25, 0], [np.nan, 1]]),
    )
    assert format_camera_table(table).splitlines() == [
        'mAP by camera of the query (lines) and of the gallery (columns), in percent',
        '             0     10',
        '      ?   50.0  100.0',
        '      2      -   12.3',
        'R1 by camera of the query (lines) and of the gallery (columns), in percent',
        '             0     10',
        '      ?   25.0    0.0',
        '      2      -  100.0',
    ]
