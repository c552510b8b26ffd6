import copy
import pickle

import pytest

from passreid.datasets.storage.bad_images import (
    BadImageCounter,
    BadImageError,
    TooManyBadImagesError,
)


def test_error_survives_the_way_out_of_a_worker():
    error = BadImageError('a.jpg', 'the file is empty')
    assert str(error) == 'bad image a.jpg: the file is empty'
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    # This is how a data loader raises it anew.
    assert str(BadImageError(str(error))) == str(error)


def test_counts_and_names(log):
    counter = BadImageCounter(5000)
    for idx in (3, 1, 3):
        counter.count_seen()
        counter.count_bad(idx, BadImageError(f'{idx}.jpg', 'broken'))
    assert (counter.seen, counter.bad, counter.indices()) == (3, 3, [1, 3])
    assert log().count('bad image 3.jpg: broken') == 1
    assert log().count('bad image 1.jpg: broken') == 1


@pytest.mark.parametrize(('num_samples', 'grace', 'stops_at'), [(500, 20, 20), (10, 20, 10)])
def test_stops_once_enough_was_seen(num_samples, grace, stops_at):
    counter = BadImageCounter(num_samples, max_share=0.5, grace=grace)
    for seen in range(1, stops_at):
        counter.count_seen()
        counter.count_bad(0, BadImageError('a.jpg', 'broken'))
        assert counter.seen == seen
    counter.count_seen()
    with pytest.raises(TooManyBadImagesError, match=rf'{stops_at} of the {stops_at} .*a\.jpg'):
        counter.count_bad(0, BadImageError('a.jpg', 'broken'))


def test_share_at_the_limit_is_tolerated():
    counter = BadImageCounter(1000, max_share=0.1, grace=10)
    for _ in range(20):
        counter.count_seen()
    counter.count_bad(0, BadImageError('a.jpg'))
    counter.count_bad(1, BadImageError('b.jpg'))
    with pytest.raises(TooManyBadImagesError, match='3 of the 20'):
        counter.count_bad(2, BadImageError('c.jpg'))


@pytest.mark.parametrize('share', [-0.1, 1.1])
def test_impossible_share_is_refused(share):
    with pytest.raises(ValueError, match='max_bad_share must lie between 0 and 1'):
        BadImageCounter(10, share)


def test_a_copy_starts_from_nothing():
    counter = BadImageCounter(10, 0.3, 7)
    counter.count_seen()
    twin = copy.deepcopy(counter)
    assert (twin.seen, twin.max_share, twin.grace, twin.num_samples) == (0, 0.3, 7, 10)


def test_other_ranks_log_as_errors(log, monkeypatch):
    import logging

    levels = []
    monkeypatch.setattr('passreid.datasets.storage.bad_images.get_rank', lambda: 1)
    monkeypatch.setattr(
        'passreid.datasets.storage.bad_images.print_log',
        lambda text, logger, level: levels.append(level),
    )
    BadImageCounter(5000).count_bad(0, BadImageError('a.jpg'))
    assert levels == [logging.ERROR]


def test_names_act_on_no_terminal():
    error = BadImageError('a\x1b[2J\n.jpg', 'what\nelse')
    assert str(error) == r'bad image a\x1b[2J\n.jpg: what\nelse'
    assert error.path == 'a\x1b[2J\n.jpg'
