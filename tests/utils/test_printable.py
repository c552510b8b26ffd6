import os

import pytest

from passreid.utils.printable import printable


@pytest.mark.parametrize('text', ['a b.jpg', 'Łódź', '人物.png', '🚶.jpg', r'a\b', ''])
def test_letters_stay(text):
    assert printable(text) is text


@pytest.mark.parametrize(
    ('text', 'shown'),
    [
        ('a\nb', r'a\nb'),
        ('\x1b]0;x\x07', r'\x1b]0;x\x07'),
        (os.fsdecode(b'\xff.jpg'), r'\udcff.jpg'),
        ('\u202egpj.exe', r'\u202egpj.exe'),
        ('ü\r', r'ü\r'),
    ],
)
def test_what_acts_is_escaped(text, shown):
    assert printable(text) == shown
