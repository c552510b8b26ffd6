from dataclasses import replace

import pytest

from passreid.utils.load_report import LoadReport

FULL = LoadReport(
    source='a.pth',
    model='Net',
    loaded=('w', 'table'),
    resized={'table': ((4, 2), (8, 2))},
    initialised={
        'b': 'missing in the file',
        'c': 'shape mismatch: file (5,) model (3,)',
        'd': 'drawn',
        'e': 'not needed',
        **{f'norm.{number}': 'missing in the file' for number in range(9)},
    },
    merged=('gamma',),
    unused=('head.weight',),
    share=0.8,
    recognised='Recognised a net.',
)


def test_table():
    assert FULL.table(max_names=3).splitlines() == [
        '2 of 15 tensors of Net loaded from a.pth',
        '  Recognised a net.',
        '  resized                              1: table (4, 2) -> (8, 2)',
        '  merged into others                   1: gamma',
        '  missing in the file (initialised)   10: b, norm.0, norm.1, and 7 more',
        '  shape mismatch (initialised)         1: c file (5,) model (3,)',
        '  drawn (initialised)                  1: d',
        '  unused of the file                   1: head.weight',
    ]


def test_all_names_on_request():
    assert 'norm.8' not in FULL.table()
    assert 'norm.7, norm.8\n' in FULL.table(max_names=None) and 'more' not in FULL.table(None)


def test_a_clean_load_is_one_line():
    report = LoadReport('', 'Net', ('w',), {}, {}, (), (), 1.0)
    assert report.clean and report.table() == '1 of 1 tensors of Net loaded'


def test_clean_is_what_the_model_accounts_for():
    report = LoadReport('', 'Net', ('w',), {}, {'b': 'drawn'}, (), (), 1.0)
    assert not report.clean
    assert replace(report, expected=frozenset({'b'})).clean
    assert not replace(report, initialised={}, unused=('x',)).clean


def test_too_little_is_an_error():
    FULL.check(0.8)
    with pytest.raises(RuntimeError) as caught:
        FULL.check(0.81, 'Do this.')
    message = str(caught.value)
    assert message.startswith('Only 80.0% of the backbone') and 'min_share=0.81' in message
    assert '2 of 15 tensors of Net loaded from a.pth' in message and message.endswith('\nDo this.')


def test_nothing_is_an_error_whatever_the_share():
    report = replace(FULL, has_loaded_parameters=False)
    with pytest.raises(RuntimeError, match=r'No parameter of Net was loaded\. 2 of 15'):
        report.check(0)
