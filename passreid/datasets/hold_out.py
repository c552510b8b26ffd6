"""Dividing labelled images into train, query and gallery by a rule."""

from collections.abc import Collection

import numpy as np


def hold_out(
    pids: np.ndarray,
    cam_ids: np.ndarray,
    test_ids: float | Collection[int],
    seed: int = 0,
) -> np.ndarray:
    """Divide images into train, query and gallery, the persons of train and test apart.

    For each test person and camera with at least two images, one of them becomes a query, at
    random, and the others go to the gallery. A person with a single image in each camera has
    one query, if there are two images at all.

    Args:
        pids (np.ndarray): (N,) int; images of pid -1 (junk) go to the gallery, where data sets
            drop them.
        cam_ids (np.ndarray): (N,) int, -1 when unknown.
        test_ids (float | Collection[int]): Share of the persons that are held out for test,
            between 0 and 1, or these persons.
        seed (int): Seed of the choices. Defaults to 0.

    Returns:
        np.ndarray: Split of each image, (N,) str: 'train', 'query' or 'gallery'.

    Raises:
        ValueError: When a share leaves no person for train or test, or a person is unknown.
    """
    generator = np.random.default_rng(seed)
    persons = np.unique(pids[pids != -1])
    is_test = np.isin(pids, _choose_persons(persons, test_ids, generator))
    # Sorted by person and camera, in random order within.
    order = np.lexsort((generator.random(len(pids)), cam_ids, pids))
    order = order[is_test[order]]
    is_query = np.zeros(len(pids), bool)
    is_query[order] = _are_queries(pids[order], cam_ids[order])
    return np.where(is_query, 'query', np.where(is_test | (pids == -1), 'gallery', 'train'))


def _choose_persons(
    persons: np.ndarray, test_ids: float | Collection[int], generator: np.random.Generator
) -> list[int]:
    if isinstance(test_ids, Collection):
        if unknown := sorted(set(test_ids) - set(persons.tolist())):
            raise ValueError(f'test_ids names persons without an image: {unknown[:5]}')
        return list(test_ids)
    number = round(test_ids * len(persons))
    if not 0 < number < len(persons):
        raise ValueError(
            f'test_ids={test_ids} makes {number} of {len(persons)} persons the test set: both '
            'train and test need at least one'
        )
    return generator.permutation(persons)[:number].tolist()


def _are_queries(pids: np.ndarray, cam_ids: np.ndarray) -> np.ndarray:
    """Tell for images sorted by person and camera which become queries, (N,) bool."""
    new_person = np.diff(pids, prepend=pids[:1] - 1) != 0
    new_camera = new_person | (np.diff(cam_ids, prepend=cam_ids[:1] - 1) != 0)
    # The first of several images of a person and camera.
    has_next = np.append(~new_camera[1:], False)[: len(pids)]
    queries = new_camera & has_next
    # Persons without such a camera: their first image, if there is another.
    person = np.cumsum(new_person) - 1
    number = np.bincount(person)
    lacks_query = np.bincount(person, weights=queries) == 0
    return queries | (new_person & (lacks_query & (number > 1))[person])
