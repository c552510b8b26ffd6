import pytest

from passreid.evaluation.metrics.option_values import read_options, scientific


def function(data, k1=20, share=0.3, device=None):
    pass


@pytest.mark.parametrize(
    ('value', 'expected'),
    [(False, None), (None, None), (True, {}), ({}, {}), (dict(k1=5, share=1), dict(k1=5, share=1))],
)
def test_switches_and_parameters(value, expected):
    assert read_options('option', value, function) == expected


@pytest.mark.parametrize('name', ['k2', 'device', 'data'])
def test_what_cannot_be_set(name):
    with pytest.raises(
        ValueError, match=rf"option has .*\['{name}'\]; known are \['k1', 'share'\]"
    ):
        read_options('option', {name: 1}, function)


@pytest.mark.parametrize(
    ('value', 'text'),
    [(1e-4, '1e-4'), (0.01, '1e-2'), (2.5e-3, '2.5e-3'), (1, '1e0'), (0, '0e0')],
)
def test_scientific(value, text):
    assert scientific(value) == text
