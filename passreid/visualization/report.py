"""Reports, and what was found in a gallery, as one HTML file that needs nothing else."""

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from passreid.search import Match

from .pictures import camera_text, similarity_text, thumbnail_uri, time_text

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 62rem; margin: 2rem auto;
       padding: 0 1rem; }
h1 { font-size: 1.7rem; margin-bottom: .3rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .35rem .9rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child { text-align: left; }
tr.best td { font-weight: 600; background: #eef7f1; }
img { max-width: 100%; border: 1px solid #ddd; }
figure { margin: 1rem 0; } figcaption { color: #555; font-size: .9rem; }
pre { background: #f5f5f5; padding: .7rem 1rem; overflow-x: auto; font-size: .85rem; }
"""
_MATCH_STYLE = """
body { max-width: 84rem; }
.found { display: flex; gap: 1.4rem; align-items: flex-start; margin: 1rem 0 2.6rem; }
.query { flex: none; position: sticky; top: 1rem; }
.ranked { flex: 1; display: grid; gap: .8rem;
          grid-template-columns: repeat(auto-fill, minmax(8.6rem, 1fr)); }
.found figure { margin: 0; border: 1px solid #ddd; border-radius: 8px; overflow: hidden; }
.query figure { width: 8.6rem; border: 2px solid #333; }
.picture { position: relative; height: 13rem; display: flex; align-items: center;
           justify-content: center; background: #ececec; color: #555; font-size: .85rem; }
.picture img { width: 100%; height: 100%; object-fit: contain; border: 0; }
.rank { position: absolute; left: .4rem; top: .4rem; padding: 0 .45rem; border-radius: 1rem;
        background: rgba(255, 255, 255, .9); color: #333; font-size: .8rem; font-weight: 600; }
.found figcaption { padding: .4rem .6rem .55rem; font-size: .8rem; line-height: 1.4; color: #333; }
.facts { display: flex; justify-content: space-between; align-items: baseline; gap: .3rem;
         white-space: nowrap; }
.score { font-size: 1.1rem; font-weight: 650; font-variant-numeric: tabular-nums; }
.line { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
        color: #555; }
@media (max-width: 40rem) { .found { display: block; } .query { position: static;
        margin-bottom: .8rem; } }
"""


@dataclass(frozen=True)
class Table:
    """Rows of text below a heading."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    best: int | None = None  # Row to be marked.

    def to_html(self) -> str:
        """Return the table as HTML."""
        head = ''.join(f'<th>{_text(text)}</th>' for text in self.header)
        body = ''
        for number, row in enumerate(self.rows):
            mark = ' class="best"' if number == self.best else ''
            cells = ''.join(f'<td>{_text(text)}</td>' for text in row)
            body += f'<tr{mark}>{cells}</tr>\n'
        return f'<table>\n<tr>{head}</tr>\n{body}</table>\n'

    def to_text(self) -> str:
        """Return the table in columns, for a terminal; all but the first are flush right."""
        columns = []
        for number, column in enumerate(zip(self.header, *self.rows, strict=True)):
            side = '>' if number else '<'
            width = max(map(len, column))
            columns.append([f'{text:{side}{width}}' for text in column])
        return '\n'.join('  '.join(line).rstrip() for line in zip(*columns, strict=True))


@dataclass(frozen=True)
class Section:
    """A part of a report; what is empty is left out."""

    title: str
    paragraphs: Sequence[str] = ()
    table: Table | None = None
    pictures: Sequence[tuple[str, bytes]] = ()  # Caption and PNG file of each.
    code: str = ''  # Commands or settings, as they are.
    markup: str = ''  # HTML, as it is.

    def to_html(self) -> str:
        """Return the section as HTML."""
        parts = [f'<h2>{_text(self.title)}</h2>']
        parts += [f'<p>{_text(text)}</p>' for text in self.paragraphs]
        if self.table:
            parts.append(self.table.to_html())
        for caption, png in self.pictures:
            text, data = _text(caption), base64.b64encode(png).decode()
            parts.append(
                f'<figure><img alt="{text}" src="data:image/png;base64,{data}">'
                f'<figcaption>{text}</figcaption></figure>'
            )
        if self.code:
            parts.append(f'<pre>{_text(self.code)}</pre>')
        if self.markup:
            parts.append(self.markup)
        return '\n'.join(parts)


def html_report(title: str, sections: Sequence[Section], style: str = '') -> str:
    """Write a report, pictures included, as one HTML document in which all text is escaped.

    Args:
        title (str): Heading.
        sections (Sequence[Section]): Its parts.
        style (str): More CSS. Defaults to ''.
    """
    heading, body = _text(title), '\n'.join(section.to_html() for section in sections)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{heading}</title><style>{_STYLE}{style}</style></head>\n'
        f'<body>\n<h1>{heading}</h1>\n{body}\n</body></html>\n'
    )


@dataclass(frozen=True)
class QueryResult:
    """The path of a query, and what was found for it, most similar first."""

    path: str
    matches: Sequence[Match]


def match_page(results: Sequence[QueryResult], gallery: Sequence[str]) -> str:
    """Write what was found as one HTML document; it fetches nothing, pictures are inside.

    Args:
        results (Sequence[QueryResult]): The queries. Images are read now.
        gallery (Sequence[str]): What was searched and what was asked for, in paragraphs.
    """
    sections = [Section('Gallery', gallery)]
    for result in results:
        number = len(result.matches)
        found = f'{number} image{"s"[: number != 1]}, most similar first.'
        query = _figure(result.path, '<div class="facts"><b>query</b></div>')
        cards = ''.join(_card(rank, match) for rank, match in enumerate(result.matches, 1))
        markup = (
            f'<div class="found"><div class="query">{query}</div>\n'
            f'<div class="ranked">{cards}</div></div>'
        )
        text = found if number else 'The gallery has no such image.'
        sections.append(Section(PurePath(result.path).name, [text], markup=markup))
    return html_report('Search results', sections, _MATCH_STYLE)


def _card(rank: int, match: Match) -> str:
    record = match.record
    lines = [] if record.time is None else [time_text(record.time)]
    for name, value in record.fields.items():
        lines.append(f'{name}: {str(value).lower() if isinstance(value, bool) else value}')
    facts = (
        f'<div class="facts"><span class="score">{similarity_text(match.similarity)}</span>'
        f'<span>{camera_text(record.cam_id)}</span></div>'
    )
    badge = f'<span class="rank">{rank}</span>'
    return _figure(record.path, facts + ''.join(_line(line, line) for line in lines), badge)


def _figure(path: str, caption: str, badge: str = '') -> str:
    uri, name = thumbnail_uri(path), PurePath(path).name
    picture = f'<img alt="{_text(name)}" src="{uri}">' if uri else 'cannot be read'
    return (
        f'<figure><div class="picture">{picture}{badge}</div>'
        f'<figcaption>{caption}{_line(name, path)}</figcaption></figure>\n'
    )


def _line(text: str, title: str) -> str:
    """Return a line that ends in an ellipsis where it is too long; its title shows all of it."""
    return f'<span class="line" title="{_text(title)}">{_text(text)}</span>'


def _text(text: str) -> str:
    """Escape a text; bytes that are no UTF-8, which paths may hold, are replaced."""
    return html.escape(text.encode('utf-8', 'replace').decode())
