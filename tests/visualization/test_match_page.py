import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from passreid.search import GalleryRecord, Match
from passreid.visualization import QueryResult, match_page

EVIL = '<script>alert("x")</script>&\'"'


class Page(HTMLParser):
    """Collects text, and checks that what is opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text, self.sources, self.titles = [], [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.sources += [attrs[name] for name in ('src', 'href') if name in attrs]
        self.titles += [attrs['title']] if 'title' in attrs else []
        if tag not in ('meta', 'img'):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += [data.strip()] if data.strip() else []


@pytest.fixture
def image(tmp_path):
    path = tmp_path / 'anna.png'
    cv2.imwrite(str(path), np.zeros((32, 16, 3), np.uint8))
    return str(path)


def test_everything_that_is_known_is_shown(image):
    fields = dict(weather='rain', frame=17, size=0.5, old=True)
    matches = [
        Match(GalleryRecord(image, 3, 75.0, fields), 0.87654),
        Match(GalleryRecord('gone/b.jpg'), 0.5),
    ]
    page = Page(match_page([QueryResult(image, matches)], ['2 images.', 'All of them.']))
    shown = page.text[page.text.index('Gallery') :]
    assert shown == [
        *('Gallery', '2 images.', 'All of them.', 'anna.png', '2 images, most similar first.'),
        *('query', 'anna.png'),
        *('1', '0.88', 'cam 3', '0:01:15', 'weather: rain', 'frame: 17', 'size: 0.5', 'old: true'),
        *('anna.png', 'cannot be read', '2', '0.50', 'cam ?', 'b.jpg'),
    ]
    assert page.tags.count('img') == 2 and {image, 'gone/b.jpg'} <= set(page.titles)


def test_page_fetches_nothing(image):
    page = Page(match_page([QueryResult(image, [Match(GalleryRecord(image), 1.0)])], []))
    assert page.sources and all(uri.startswith('data:image/jpeg;') for uri in page.sources)
    assert not {'script', 'link', 'iframe'} & set(page.tags)


def test_text_is_only_text():
    record = GalleryRecord(f'folder/{EVIL}', 1, 0.0, dict(note=EVIL))
    text = match_page([QueryResult(EVIL, [Match(record, 0.1)])], [EVIL])
    page = Page(text)
    assert 'script' not in page.tags and page.text.count(EVIL.split('/')[-1]) >= 2
    assert f'note: {EVIL}' in page.text and record.path in page.titles


def test_queries_without_matches_and_alone(image):
    page = Page(match_page([QueryResult(image, []), QueryResult(image, [])], []))
    assert page.text.count('The gallery has no such image.') == 2
    one = Page(match_page([QueryResult(image, [Match(GalleryRecord(image), 1.0)])], []))
    assert '1 image, most similar first.' in one.text


@pytest.mark.parametrize('time', [1e18, -1e18, 2.6e11, -1.0, 1714579200.0])
def test_times_of_any_size(image, time):
    page = Page(match_page([QueryResult(image, [Match(GalleryRecord(image, time=time), 1.0)])], []))
    shown = {1e18: '1e+18 s', 1714579200.0: '2024-05-01 16:00:00'}.get(time)
    assert shown is None or shown in page.text


def test_names_that_are_no_utf8():
    text = match_page([QueryResult('a\udcff.jpg', [Match(GalleryRecord('b\udcff.jpg'), 1.0)])], [])
    assert text.encode() and 'a?.jpg' in text


def test_document_has_one_style(image):
    text = match_page([QueryResult(image, [])], [])
    assert len(re.findall('<style>', text)) == 1 and '.ranked' in text.split('</style>')[0]
