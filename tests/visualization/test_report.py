import base64
import re
from html.parser import HTMLParser

import cv2
import numpy as np

from passreid.search import GalleryRecord, Match
from passreid.visualization import QueryResult, Section, Table, html_report, match_page

TABLE = Table(('model', 'mAP'), [('scratch <b>', '40.0'), ('PASS', '100.0')], best=1)
EVIL = '<script>alert("x")</script>&\'"'


class Page(HTMLParser):
    """Collects text and attributes."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.sources, self.titles = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ('src', 'href')]
        self.titles += [value for name, value in attrs if name == 'title']

    def handle_data(self, data):
        self.text += [data.strip()] if data.strip() else []


def test_report_is_whole_and_needs_no_other_file():
    section = Section('Figures', ['1 < 2'], TABLE, [('A "picture"', b'\x89PNG')], 'a && b')
    text = html_report('Report & more', [section])
    page = Page(text)
    assert {'Report & more', '1 < 2', 'scratch <b>', 'A "picture"', 'a && b'} <= set(page.text)
    (source,) = page.sources
    assert base64.b64decode(source.removeprefix('data:image/png;base64,')) == b'\x89PNG'
    assert re.findall(r'<tr class="best"><td>(\w+)', text) == ['PASS']
    assert TABLE.to_text() == 'model          mAP\nscratch <b>   40.0\nPASS         100.0'


def test_everything_that_is_known_of_matches_is_shown(tmp_path):
    image = str(tmp_path / 'anna.png')
    cv2.imwrite(image, np.zeros((32, 16, 3), np.uint8))
    fields = dict(weather='rain', frame=17, size=0.5, old=True)
    records = GalleryRecord(image, 3, 75.0, fields), GalleryRecord('gone/b.jpg')
    matches = [Match(record, score) for record, score in zip(records, (0.87654, 0.5), strict=True)]
    results = [QueryResult(image, matches), QueryResult(image, [])]
    page = Page(match_page(results, ['2 images.', 'All of them.']))
    assert page.text[page.text.index('Gallery') :] == [
        *('Gallery', '2 images.', 'All of them.', 'anna.png', '2 images, most similar first.'),
        *('query', 'anna.png'),
        *('1', '0.88', 'cam 3', '0:01:15', 'weather: rain', 'frame: 17', 'size: 0.5', 'old: true'),
        *('anna.png', 'cannot be read', '2', '0.50', 'cam ?', 'b.jpg'),
        *('anna.png', 'The gallery has no such image.', 'query', 'anna.png'),
    ]
    assert page.tags.count('img') == 3 and {image, 'gone/b.jpg'} <= set(page.titles)
    # Nothing is fetched.
    assert all(uri.startswith('data:image/jpeg;') for uri in page.sources)
    assert not {'script', 'link', 'iframe'} & set(page.tags)


def test_text_is_only_text():
    record = GalleryRecord(f'\udcff/{EVIL}', 1, 0.0, dict(note=EVIL))
    page = Page(match_page([QueryResult(EVIL, [Match(record, 0.1)])], [EVIL]))
    assert 'script' not in page.tags and page.text.count(EVIL.split('/')[-1]) >= 2
    assert f'note: {EVIL}' in page.text and record.path.replace('\udcff', '?') in page.titles
