import pytest

from passreid.search import StaleGalleryError
from passreid.search.stale_gallery import check_origin


@pytest.mark.parametrize('wanted', [(4, 'a'), (None, 'a'), (4, None), (None, None)])
def test_same_model(wanted):
    assert check_origin('there', (4, 'a'), wanted) == (4, 'a')


def test_other_model():
    with pytest.raises(StaleGalleryError) as caught:
        check_origin('there', (4, 'abcdefghijklmnop'), (4, 'zbcdefghijklmnop'))
    assert str(caught.value).startswith(
        'the gallery there is that of another model: model abcdefghijkl… there, but zbcdefghijkl… '
        'here. Weights, config, transforms or flip have changed: index the images into another'
    )
    with pytest.raises(ValueError, match='values to a feature 4 there, but 5 here'):
        check_origin('there', (4, 'a'), (5, 'b'))
