import pytest
from random_galleries import NASTY

from passreid.search import SearchFilter
from passreid.search.milvus_filter import any_of, filter_expression, literal

# Of Milvus's grammar: what ends a string in double quotes, or must not be in one.
ENDS = '"\n\r'


@pytest.mark.parametrize('text', [*NASTY, '', '\\"', '"' * 3, '\\'])
def test_text_stays_one_literal(text):
    written = literal(text)
    assert written[0] == written[-1] == '"'
    read, rest = '', written[1:-1]
    while rest:
        assert rest[0] not in ENDS
        if rest[0] == '\\':
            read += {'"': '"', '\\': '\\', 'n': '\n', 'r': '\r', 't': '\t'}[rest[1]]
            rest = rest[2:]
        else:
            read, rest = read + rest[0], rest[1:]
    assert read == text


@pytest.mark.parametrize(
    ('value', 'expected'),
    [(True, 'true'), (False, 'false'), (1, '1'), (-3, '-3'), (1.0, '1.0'), (1e-7, '1e-07')],
)
def test_numbers(value, expected):
    assert literal(value) == expected


def test_any_of():
    assert any_of('path', ['a', 'b"']) == r'path in ["a", "b\""]'


@pytest.mark.parametrize(
    ('conditions', 'expected'),
    [
        ({}, ''),
        (dict(not_paths=['a']), ''),
        (dict(cameras=[2, -1, 3]), 'cam_id in [2, 3]'),
        (dict(cameras=[]), None),
        (dict(cameras=[-1]), None),
        (dict(not_cameras=[-1]), ''),
        (dict(not_cameras=[0, -1]), 'cam_id not in [0]'),
        (dict(since=0, until=-2.5), 'time >= 0.0 and time <= -2.5'),
        (
            dict(fields=dict(a='x" or true', b=2)),
            r'$meta["a"] == "x\" or true" and $meta["b"] == 2',
        ),
    ],
)
def test_filters(conditions, expected):
    assert filter_expression(SearchFilter(**conditions)) == expected
