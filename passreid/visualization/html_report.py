"""Reports as one HTML file that needs nothing else."""

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass, field

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


def _text(text: str) -> str:
    """Escape a text; bytes that are no UTF-8, which paths may hold, are replaced."""
    return html.escape(text.encode('utf-8', 'replace').decode())


@dataclass(frozen=True)
class Table:
    """Rows of text below a heading.

    Attributes:
        header (Sequence[str]): Names of the columns.
        rows (Sequence[Sequence[str]]): As many entries each.
        best (int, optional): Row to be marked.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    best: int | None = None

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
        """Return the table in columns, for a terminal."""
        lines = [self.header, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.header))]
        return '\n'.join(
            '  '.join(
                text.ljust(width) if column == 0 else text.rjust(width)
                for column, (text, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )


@dataclass(frozen=True)
class Section:
    """A part of a report; what is empty is left out.

    Attributes:
        title (str): Heading.
        paragraphs (Sequence[str]): Plain text.
        table (Table, optional): Comes behind the text.
        pictures (Sequence[tuple[str, bytes]]): Caption and PNG file of each.
        code (str): Commands or settings, as they are.
    """

    title: str
    paragraphs: Sequence[str] = ()
    table: Table | None = None
    pictures: Sequence[tuple[str, bytes]] = field(default=())
    code: str = ''

    def to_html(self) -> str:
        """Return the section as HTML."""
        parts = [f'<h2>{_text(self.title)}</h2>']
        parts += [f'<p>{_text(text)}</p>' for text in self.paragraphs]
        if self.table:
            parts.append(self.table.to_html())
        for caption, png in self.pictures:
            data = base64.b64encode(png).decode()
            text = _text(caption)
            parts.append(
                f'<figure><img alt="{text}" src="data:image/png;base64,{data}">'
                f'<figcaption>{text}</figcaption></figure>'
            )
        if self.code:
            parts.append(f'<pre>{_text(self.code)}</pre>')
        return '\n'.join(parts)


def html_report(title: str, sections: Sequence[Section]) -> str:
    """Write a report, pictures included, as one HTML document.

    Args:
        title (str): Heading.
        sections (Sequence[Section]): Its parts.

    Returns:
        str: The document. Everything that was passed in as text is escaped.
    """
    heading = _text(title)
    body = '\n'.join(section.to_html() for section in sections)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{heading}</title><style>{_STYLE}</style></head>\n'
        f'<body>\n<h1>{heading}</h1>\n{body}\n</body></html>\n'
    )
