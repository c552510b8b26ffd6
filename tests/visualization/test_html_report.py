import base64
import re
from html.parser import HTMLParser

from passreid.visualization import Section, Table, html_report

TABLE = Table(('model', 'mAP'), [('scratch <b>', '40.0'), ('PASS', '100.0')], best=1)


class Balance(HTMLParser):
    """Check that what is opened is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.text = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in ('meta', 'img'):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_document_is_whole_and_needs_no_other_file():
    section = Section('Figures', ['1 < 2'], TABLE, [('A "picture"', b'\x89PNG')], 'a && b')
    text = html_report('Report & more', [section])
    parser = Balance()
    parser.feed(text)
    assert parser.open == []
    assert {'Report & more', '1 < 2', 'scratch <b>', 'A "picture"', 'a && b'} <= set(parser.text)
    (source,) = re.findall(r'src="([^"]*)"', text)
    assert base64.b64decode(source.removeprefix('data:image/png;base64,')) == b'\x89PNG'
    assert not re.search(r'(src|href)="(?!data:)', text)


def test_best_row_is_marked():
    assert re.findall(r'<tr class="best"><td>(\w+)', TABLE.to_html()) == ['PASS']


def test_table_as_text():
    assert TABLE.to_text() == 'model          mAP\nscratch <b>   40.0\nPASS         100.0'
