import numpy as np
import pytest
import torch
from literal_definitions import neighbor_lists, people, squared_distances

from passreid.clustering import cross_agreement
from passreid.clustering.neighbors import mutual_neighbors


def literal_agreement(features, parts, k):
    """Jaccard indices, image by image, of features whose distances float32 holds exactly."""

    def sets(of_one):
        lists = neighbor_lists(squared_distances(of_one), k + 1)
        return [set(members[1:]) for members in lists]

    columns = []
    for part in np.moveaxis(parts, 1, 0):
        pairs = zip(sets(features), sets(part), strict=True)
        columns.append([len(a & b) / len(a | b) for a, b in pairs])
    return np.array(columns, np.float32).T


def signs(seed, number):
    """Features (N, 16) of 1/4 and -1/4, and three noisy copies (N, 3, 16): many are alike."""
    rng = np.random.default_rng(seed)
    features = rng.choice([-0.25, 0.25], (6, 16))[rng.integers(0, 6, number)]
    flips = rng.random((number, 3, 16)) < 0.1
    parts = np.where(flips, -features[:, None], features[:, None])
    return features.astype(np.float32), parts.astype(np.float32)


def test_recorded_neighbors(reference):
    recorded = reference('pplr')
    spaces = [recorded['features_g'], *recorded['features_p'].unbind(2)]
    found = [mutual_neighbors(features.contiguous(), 21)[0][:, 1:] for features in spaces]
    np.testing.assert_array_equal(found, recorded['ranks_k20'])


@pytest.mark.parametrize('k', [20, 5])
@pytest.mark.parametrize('length', [1, 3])
def test_recorded_agreement(reference, k, length):
    recorded = reference('pplr')
    parts = length * recorded['features_p'].transpose(1, 2)
    found = cross_agreement(recorded['features_g'], parts, k)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, recorded[f'agreement_k{k}'])


@pytest.mark.parametrize(('number', 'k'), [(60, 20), (60, 1), (40, 7), (12, 20), (2, 20)])
def test_definition(number, k):
    features, parts = signs(number, number)
    found = cross_agreement(features, parts, k)
    np.testing.assert_array_equal(found, literal_agreement(features, parts, k))


def test_an_image_is_no_neighbor_of_itself_among_copies():
    """Four copies of each image: the three others are its neighbors, whatever comes first."""
    features = np.repeat(people(0, 10, 10)[0], 4, axis=0)
    parts = np.stack([features, features[:, ::-1], np.roll(features, 1, axis=0)], axis=1)
    found = cross_agreement(features, parts, k=3)
    # Rolled by one, the groups of copies begin an image later: of three neighbors two are common.
    inner, first = [1, 1, 0.5], [1, 1, 0]
    np.testing.assert_array_equal(found, np.array([first, inner, inner, inner] * 10, np.float32))


def test_no_neighbors():
    assert cross_agreement(np.ones((1, 4)), np.ones((1, 2, 4))).tolist() == [[0, 0]]


def test_refusals():
    features, parts = torch.rand(5, 4), torch.rand(5, 3, 4)
    with pytest.raises(ValueError, match='k is 0'):
        cross_agreement(features, parts, 0)
    for wrong in (parts[:4], parts[:, 0]):
        with pytest.raises(ValueError, match=r'parts have shape .* expected \(5, parts, dim'):
            cross_agreement(features, wrong)
    parts[3, 1, 2] = torch.nan
    with pytest.raises(ValueError, match='row 3 of parts'):
        cross_agreement(features, parts)
