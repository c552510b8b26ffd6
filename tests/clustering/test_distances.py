import pytest
import torch
from torch.nn import functional as F

from passreid.clustering.distances import distance_chunks, squared_lengths


@pytest.fixture
def sides():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(23, 9, generator=generator), torch.randn(40, 9, generator=generator)


@pytest.mark.parametrize('chunk_size', [None, 1, 10, 23])
def test_euclidean_is_squared(sides, chunk_size):
    chunks = [c.clone() for c in distance_chunks(*sides, chunk_size=chunk_size)]
    torch.testing.assert_close(torch.cat(chunks), torch.cdist(*sides).square(), atol=1e-5, rtol=0)


@pytest.mark.parametrize('chunk_size', [None, 10])
def test_cosine_is_one_less_cosine(sides, chunk_size):
    chunks = [c.clone() for c in distance_chunks(*sides, 'cosine', chunk_size)]
    expected = 1 - F.cosine_similarity(sides[0][:, None], sides[1][None], dim=-1)
    torch.testing.assert_close(torch.cat(chunks), expected, atol=1e-6, rtol=0)


def test_chunks_share_their_memory(sides):
    places = {chunk.data_ptr() for chunk in distance_chunks(*sides, chunk_size=5)}
    assert len(places) == 1


def test_squared_lengths(sides, monkeypatch):
    monkeypatch.setattr('passreid.clustering.row_chunks.ELEMENTS', 20)
    monkeypatch.setattr('passreid.clustering.row_chunks.LEAST_ROWS', 2)
    torch.testing.assert_close(squared_lengths(sides[0]), sides[0].norm(dim=1) ** 2)


@pytest.mark.parametrize('size', [1e19, 1e30, float('inf')])
def test_lengths_whose_distances_overflow_are_refused(size):
    features = torch.ones(3, 2)
    features[2, 1] = size
    with pytest.raises(ValueError, match='overflow, as in row 2'):
        squared_lengths(features)
