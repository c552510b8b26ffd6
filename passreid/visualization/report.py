"""Reports, and what was found in a gallery, as one HTML file that needs nothing else."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePath
from typing import Any

import jinja2

from passreid.search import Match

from .pictures import camera_text, similarity_text, thumbnail_uri, time_text

_PAGES = jinja2.Environment(
    loader=jinja2.PackageLoader('passreid.visualization', '.'),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
_PAGES.filters |= dict(
    base64=lambda data: base64.b64encode(data).decode(),
    file_name=lambda path: PurePath(path).name,
    camera_text=camera_text,
    similarity_text=similarity_text,
    # The same images are found again and again.
    thumbnail_uri=lru_cache(512)(thumbnail_uri),
    time_text=time_text,
)


@dataclass(frozen=True)
class Table:
    """Rows of text below a heading."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    best: int | None = None  # Row to be marked.

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


@dataclass(frozen=True)
class QueryResult:
    """The path of a query, and what was found for it, most similar first."""

    path: str
    matches: Sequence[Match]


def html_report(title: str, sections: Sequence[Section]) -> str:
    """Write a report, pictures included, as one HTML document in which all text is escaped."""
    return _render(title=title, sections=sections)


def match_page(results: Sequence[QueryResult], gallery: Sequence[str]) -> str:
    """Write what was found as one HTML document; it fetches nothing, pictures are inside.

    ``gallery`` says in paragraphs what was searched and what was asked for.
    """
    sections = [Section('Gallery', gallery)]
    return _render(title='Search results', wide=True, sections=sections, results=results)


def match_cards(matches: Sequence[Match]) -> tuple[str, str]:
    """Return cards of what was found, for an element of the class "found", and their CSS."""
    module: Any = _PAGES.get_template('cards.html').module
    return module.cards(matches), module.card_style()


def _render(**content) -> str:
    # Bytes that are no UTF-8, which paths may hold, are replaced.
    return _PAGES.get_template('report.html').render(content).encode('utf-8', 'replace').decode()
