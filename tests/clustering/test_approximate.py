import sys

import numpy as np
import pytest
import torch
from literal_definitions import people

from passreid.clustering import approximate, cluster_pseudo_labels, cluster_statistics
from passreid.clustering.approximate import approximate_neighbors
from passreid.clustering.neighbors import mutual_neighbors


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

    monkeypatch.setattr(approximate, 'mutual_neighbors', fail)


def test_most_neighbors_are_found(surface, approximate_only):
    found = approximate_neighbors(surface, 30)
    exact = mutual_neighbors(surface, 30)[0]
    recall = np.mean([np.isin(*pair).mean() for pair in zip(found, exact, strict=True)])
    assert 0.95 < recall < 1
    assert (found[:, 0] == np.arange(3000)).all()
    assert (np.diff(np.sort(found)) > 0).all()
    distances = (surface[:, None].double() - surface[found]).square().sum(2)
    assert (distances.diff(dim=1) > -1e-6).all()
    np.testing.assert_array_equal(approximate_neighbors(surface, 30), found)


def test_clusters_apart_are_found(surface, approximate_only):
    persons = torch.arange(150).repeat_interleave(20)
    centers = torch.zeros(150, 48).index_add_(0, persons, surface) / 20
    features = surface + 3 * centers[persons]
    exact, found = (
        cluster_pseudo_labels(features, k1=20, search=name) for name in ('exact', 'faiss')
    )
    assert cluster_statistics(exact, true_ids=persons).ari > 0.99
    np.testing.assert_array_equal(found, exact)


def test_all_lists_find_all_neighbors(surface, approximate_only, monkeypatch):
    monkeypatch.setattr(approximate, 'MOST', 2)
    monkeypatch.setattr(approximate, 'RECALL', 1)
    np.testing.assert_array_equal(
        approximate_neighbors(surface[:500], 20), mutual_neighbors(surface[:500], 20)[0]
    )


def test_lists_that_hold_too_few_are_not_all_that_is_searched(approximate_only, monkeypatch):
    monkeypatch.setattr(approximate, 'LISTS', 10)  # About two items each.
    monkeypatch.setattr(approximate, 'RECALL', 0)
    features = torch.from_numpy(people(0, 400, 400)[0])
    found = approximate_neighbors(features, 12)
    assert (found[:, 0] == np.arange(400)).all()
    assert (np.diff(np.sort(found)) > 0).all()
    assert found.min() == 0


@pytest.mark.parametrize('number', [1, 5, 900])
def test_exact_where_lists_do_not_help(number):
    features = torch.randn(number, 64, generator=torch.Generator().manual_seed(0))
    expected = mutual_neighbors(features, 30)[0]
    np.testing.assert_array_equal(approximate_neighbors(features, 30), expected)


def test_without_faiss_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'faiss', None)
    with pytest.raises(ImportError, match='pip install faiss-cpu'):
        cluster_pseudo_labels(np.eye(9), search='faiss')
