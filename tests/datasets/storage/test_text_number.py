import pytest

from passreid.datasets.storage.text_number import text_number


@pytest.mark.parametrize(
    ('text', 'number'), [('0', 0), ('0042', 42), ('-1', -1), ('9' * 15, 10**15 - 1)]
)
def test_decimal_numbers_stand_for_themselves(text, number):
    assert text_number(text) == number


@pytest.mark.parametrize('text', ['anna', 'Łukasz Żak', '-2', '1.5', '²', '٣', '9' * 40, '\udcff'])
def test_other_texts_are_hashed(text):
    assert 0 <= text_number(text) < 2**52
    assert text_number(text) == text_number(text)


def test_hash_never_changes():
    assert text_number('anna') == 1501356105369965


def test_texts_differ():
    assert len({text_number(f'person {number}') for number in range(2000)}) == 2000
