import numpy as np
import pytest
from literal_definitions import literal_ranking, random_people

from passreid.evaluation.functional import rank_features


@pytest.mark.parametrize('seed', range(15))
def test_each_pair_is_the_literal_score_with_that_camera_alone(seed):
    _, labels, same_image = random_people(seed)
    rng = np.random.default_rng(seed)
    query, gallery = (rng.integers(0, 3, (len(pids), 4)) for pids in labels[:2])
    table = rank_features(
        query, gallery, *labels, same_image=same_image, by_camera=True, chunk_size=3
    ).cameras
    q_camids, g_camids = labels[2:]
    np.testing.assert_array_equal(table.query_cam_ids, np.unique(q_camids))
    np.testing.assert_array_equal(table.gallery_cam_ids, np.unique(g_camids))
    distances = ((query[:, None] - gallery[None]) ** 2).sum(-1)
    for column, camera in enumerate(table.gallery_cam_ids):
        literal = literal_ranking(distances, *labels, same_image, camera)
        for row, query_camera in enumerate(table.query_cam_ids):
            valid = [
                score
                for score, own in zip(literal, q_camids, strict=True)
                if own == query_camera and 'first' in score
            ]
            if valid:
                expected = np.mean([score['average_precision'] for score in valid])
                assert table.mAP[row, column] == pytest.approx(expected)
                expected = np.mean([score['first'] == 1 for score in valid])
                assert table.rank1[row, column] == pytest.approx(expected)
            else:
                assert np.isnan(table.mAP[row, column])
                assert np.isnan(table.rank1[row, column])


def test_only_on_request():
    result = rank_features(np.eye(2), np.eye(2), [1, 2], [1, 2], [0, 0], [1, 1])
    assert result.cameras is None
    assert result.tpr.shape == (0,)
    assert result.indices.shape == result.distances.shape == (2, 0)
