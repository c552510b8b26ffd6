import logging
import os

import pytest

from passreid.utils.messages import is_worth_reading, printable


def test_only_known_records_are_dropped():
    for text, kept in {
        '"FileClient" will be deprecated in future. Please use io functions': False,
        'head.neck.norms.0.bias is skipped since its requires_grad=False': False,
        'the loss is not finite': True,
    }.items():
        record = logging.LogRecord('mmengine', logging.WARNING, '', 0, text, None, None)
        assert is_worth_reading(record) is kept


@pytest.mark.parametrize(
    ('text', 'shown'),
    [
        ('Łódź 人物 🚶.jpg', 'Łódź 人物 🚶.jpg'),
        ('\x1b]0;x\x07\n', r'\x1b]0;x\x07\n'),
        (os.fsdecode(b'\xff.jpg'), r'\udcff.jpg'),
        ('\u202egpj.exe', r'\u202egpj.exe'),
    ],
)
def test_what_acts_on_a_terminal_is_escaped(text, shown):
    assert printable(text) == shown
