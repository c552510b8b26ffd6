import sys

import numpy as np
import pytest
import torch
from literal_definitions import people

from passreid.clustering import approximate_neighbours as module
from passreid.clustering import cluster_pseudo_labels, cluster_statistics, mutual_neighbours
from passreid.clustering.approximate_neighbours import approximate_neighbours, put_first


@pytest.fixture
def surface():
    """Features of people that depend on few things, as a list search needs it."""
    generator = torch.Generator().manual_seed(0)
    persons = torch.randn(150, 6, generator=generator)
    looks = persons.repeat_interleave(20, 0) + 0.2 * torch.randn(3000, 6, generator=generator)
    return looks @ torch.randn(6, 48, generator=generator) / 48**0.5


@pytest.fixture
def approximate_only(monkeypatch):
    def fail(*_):
        raise AssertionError('searched exactly')

    monkeypatch.setattr(module, 'mutual_neighbours', fail)


def test_most_neighbours_are_found(surface, approximate_only):
    found = approximate_neighbours(surface, 30)
    exact = mutual_neighbours(surface, 30).indices
    recall = np.mean([np.isin(*pair).mean() for pair in zip(found, exact, strict=True)])
    assert 0.95 < recall < 1
    assert (found[:, 0] == np.arange(3000)).all()
    assert (np.diff(np.sort(found)) > 0).all()
    distances = (surface[:, None].double() - surface[found]).square().sum(2)
    assert (distances.diff(dim=1) > -1e-6).all()
    np.testing.assert_array_equal(approximate_neighbours(surface, 30), found)


def test_clusters_apart_are_found(surface, approximate_only):
    persons = torch.arange(150).repeat_interleave(20)
    centres = torch.zeros(150, 48).index_add_(0, persons, surface) / 20
    features = surface + 3 * centres[persons]
    exact, found = (
        cluster_pseudo_labels(features, k1=20, search=name) for name in ('exact', 'faiss')
    )
    assert cluster_statistics(exact, true_ids=persons).ari > 0.99
    np.testing.assert_array_equal(found, exact)


def test_all_lists_find_all_neighbours(surface, approximate_only, monkeypatch):
    monkeypatch.setattr(module, 'MOST', 2)
    monkeypatch.setattr(module, 'RECALL', 1)
    np.testing.assert_array_equal(
        approximate_neighbours(surface[:500], 20), mutual_neighbours(surface[:500], 20).indices
    )


def test_lists_that_hold_too_few_are_not_all_that_is_searched(approximate_only, monkeypatch):
    monkeypatch.setattr(module, 'LISTS', 10)  # About two items each.
    monkeypatch.setattr(module, 'RECALL', 0)
    features = torch.from_numpy(people(0, 400, 400)[0])
    found = approximate_neighbours(features, 12)
    assert (found[:, 0] == np.arange(400)).all()
    assert (np.diff(np.sort(found)) > 0).all()
    assert found.min() == 0


def test_exact_where_lists_do_not_help():
    features = torch.randn(900, 64, generator=torch.Generator().manual_seed(0))
    expected = mutual_neighbours(features, 30).indices
    np.testing.assert_array_equal(approximate_neighbours(features, 30), expected)


def test_many_copies(approximate_only):
    features = torch.from_numpy(people(3, 10, 10)[0]).repeat(50, 1)
    found = approximate_neighbours(features, 8)
    for item, indices in enumerate(found):
        assert indices[0] == item
        assert (indices % 10 == item % 10).all()
    assert (np.diff(np.sort(found)) > 0).all()


@pytest.mark.parametrize('number', [1, 2, 5])
def test_few_items(number):
    features = torch.from_numpy(people(3, number, number)[0])
    expected = mutual_neighbours(features, 30).indices
    np.testing.assert_array_equal(approximate_neighbours(features, 30), expected)


def test_progress_reaches_the_end(surface, monkeypatch):
    monkeypatch.setattr(module, 'CHUNK', 1024)
    calls = []
    approximate_neighbours(surface, 5, lambda *call: calls.append(call))
    assert calls == [(1024, 3000), (2048, 3000), (3000, 3000)]


def test_each_item_moves_to_the_start():
    indices = np.array([[0, 7, 9], [7, 1, 9], [7, 9, 2], [7, 8, 9]])
    put_first(np.arange(4), indices)
    assert indices.tolist() == [[0, 7, 9], [1, 7, 9], [2, 7, 9], [3, 7, 8]]


def test_without_faiss_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'faiss', None)
    with pytest.raises(ImportError, match='pip install faiss-cpu'):
        cluster_pseudo_labels(np.eye(9), search='faiss')
