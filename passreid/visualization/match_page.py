"""What was found in a gallery, as an HTML page."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import PurePath

from passreid.search import FieldValue, Match

from .html_report import Section, html_report
from .rank_list import similarity_text, time_text
from .thumbnail import thumbnail_uri

_STYLE = """
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
class QueryResult:
    """A query and what was found for it.

    Attributes:
        path (str): The image that was looked for.
        matches (Sequence[Match]): What was found, most similar first.
    """

    path: str
    matches: Sequence[Match]


@dataclass(frozen=True)
class MatchSection(Section):
    """A query beside what was found, as part of a report.

    Attributes:
        result (QueryResult, optional): The query; needed.
    """

    result: QueryResult | None = None

    def to_html(self) -> str:
        """Return the section as HTML."""
        assert self.result is not None
        name = _line(PurePath(self.result.path).name, self.result.path)
        query = _figure(self.result.path, f'<div class="facts"><b>query</b></div>{name}')
        cards = ''.join(_card(rank, match) for rank, match in enumerate(self.result.matches, 1))
        return (
            f'{super().to_html()}\n<div class="found"><div class="query">{query}</div>\n'
            f'<div class="ranked">{cards}</div></div>'
        )


def match_page(results: Sequence[QueryResult], gallery: Sequence[str]) -> str:
    """Write what was found as one HTML document; it fetches nothing, pictures are inside.

    Args:
        results (Sequence[QueryResult]): The queries. Images are read now; those that cannot be
            are grey tiles that say so.
        gallery (Sequence[str]): What was searched and what was asked for, in paragraphs.

    Returns:
        str: The document. Everything that was passed in as text is escaped.
    """
    sections: list[Section] = [Section('Gallery', gallery)]
    for result in results:
        name, number = _printable(PurePath(result.path).name), len(result.matches)
        found = f'{number} image{"s"[: number != 1]}, most similar first.'
        text = found if number else 'The gallery has no such image.'
        sections.append(MatchSection(name, [text], result=result))
    page = html_report('Search results', sections)
    return page.replace('</style>', f'{_STYLE}</style>', 1)


def _card(rank: int, match: Match) -> str:
    record = match.record
    camera = f'cam {record.cam_id}' if record.cam_id >= 0 else 'cam ?'
    lines = [_line(time_text(record.time))] if record.time is not None else []
    lines += [_line(f'{name}: {_value(value)}') for name, value in record.fields.items()]
    lines.append(_line(PurePath(record.path).name, record.path))
    facts = (
        f'<div class="facts"><span class="score">{similarity_text(match.similarity)}</span>'
        f'<span>{camera}</span></div>'
    )
    return _figure(record.path, facts + ''.join(lines), rank)


def _figure(path: str, caption: str, rank: int | None = None) -> str:
    uri = thumbnail_uri(path)
    name = _text(PurePath(path).name)
    picture = f'<img alt="{name}" src="{uri}">' if uri else 'cannot be read'
    badge = '' if rank is None else f'<span class="rank">{rank}</span>'
    return (
        f'<figure><div class="picture">{picture}{badge}</div>'
        f'<figcaption>{caption}</figcaption></figure>\n'
    )


def _line(text: str, title: str | None = None) -> str:
    """Return a line that ends in an ellipsis where it is too long; its title shows all of it."""
    return f'<span class="line" title="{_text(title or text)}">{_text(text)}</span>'


def _text(text: str) -> str:
    return escape(_printable(text))


def _printable(text: str) -> str:
    """Replace bytes that are no UTF-8, which paths may hold."""
    return text.encode('utf-8', 'replace').decode()


def _value(value: FieldValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
