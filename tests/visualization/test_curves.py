import numpy as np
import pytest

from passreid.visualization import Curve, draw_curves, png_bytes


def curve(label, length=5, scale=1.0):
    return Curve(label, np.arange(length), scale * np.arange(length, dtype=float))


def drawn_panels(figure):
    return [axes for axes in figure.axes if axes.axison]


def texts_of_the_legend(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_each_figure_has_a_panel_with_its_values():
    figure = draw_curves({'loss': [curve('a', scale=2), curve('b', 3)], 'mAP': [curve('b')]})
    first, second = drawn_panels(figure)
    assert [axes.get_title(loc='left') for axes in (first, second)] == ['loss', 'mAP']
    assert [axes.get_xlabel() for axes in (first, second)] == ['iteration'] * 2
    np.testing.assert_array_equal(first.get_lines()[0].get_ydata(), [0, 2, 4, 6, 8])
    np.testing.assert_array_equal(first.get_lines()[1].get_xdata(), [0, 1, 2])
    assert len(second.get_lines()) == 1


def test_runs_look_the_same_in_every_panel_and_are_named_once():
    figure = draw_curves({'loss': [curve('a'), curve('b')], 'mAP': [curve('b')]})
    first, second = drawn_panels(figure)
    assert first.get_lines()[1].get_color() == second.get_lines()[0].get_color()
    assert first.get_lines()[0].get_color() != first.get_lines()[1].get_color()
    assert texts_of_the_legend(figure) == ['a', 'b']


def test_one_run_needs_no_legend():
    assert not draw_curves({'loss': [curve('a')], 'mAP': [curve('a')]}).legends


def test_many_runs_stay_apart():
    figure = draw_curves({'loss': [curve(f'run {n}') for n in range(24)]})
    lines = drawn_panels(figure)[0].get_lines()
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 24


@pytest.mark.parametrize('labels', [['a', 'b'], [f'work_dirs/a_long_name_{n}' for n in range(9)]])
def test_legend_lies_within_the_picture_and_below_the_panels(labels):
    figure = draw_curves({'loss': [curve(label) for label in labels]}, columns=1)
    png_bytes(figure)
    legend = figure.legends[0].get_window_extent()
    assert legend.x0 >= 0
    assert legend.x1 <= figure.bbox.x1
    assert legend.y1 <= drawn_panels(figure)[0].get_tightbbox().y0


def test_panels_share_their_range_and_spare_places_stay_blank():
    figure = draw_curves({name: [curve('a', n)] for n, name in enumerate('uvw', start=3)})
    panels = drawn_panels(figure)
    assert len(panels) == 3
    assert len({axes.get_xlim() for axes in panels}) == 1


def test_no_panels():
    with pytest.raises(ValueError, match='no curves'):
        draw_curves({})
