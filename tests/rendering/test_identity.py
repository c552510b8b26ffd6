from collections import Counter

import numpy as np
import pytest

from passreid.rendering.identity import sample_identity


@pytest.fixture(scope='module')
def people():
    return {
        domain: [sample_identity(np.random.default_rng([7, n]), domain) for n in range(400)]
        for domain in 'ab'
    }


def test_same_numbers_give_the_same_person(people):
    assert sample_identity(np.random.default_rng([7, 3]), 'a') == people['a'][3]
    assert len({repr(person) for person in people['a']}) == 400


def test_wardrobes_follow_the_season(people):
    summer, winter = (Counter(p.upper.kind for p in people[domain]) for domain in 'ab')
    assert not {'coat', 'puffer'} & set(summer)
    assert winter['coat'] + winter['puffer'] + winter['jacket'] > 180
    assert summer['tee'] > 4 * winter['tee']
    assert not any(p.lower.kind == 'shorts' for p in people['b'])


@pytest.mark.parametrize('domain', ['a', 'b'])
def test_all_that_tells_people_apart_occurs(people, domain):
    everyone = people[domain]
    assert {p.bag.kind for p in everyone if p.bag} == {'backpack', 'cross bag', 'tote', 'carrier'}
    assert {'plain', 'stripes', 'bars', 'checks'} <= {p.upper.texture for p in everyone}
    assert len({p.head.hair for p in everyone}) == 8
    assert 0 < sum(p.head.hat is not None for p in everyone) < 200
    for person in everyone:
        assert np.abs(np.subtract(person.upper.color, person.upper.second)).sum() > 100
