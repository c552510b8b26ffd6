"""What was found, as HTML without anything that is fetched from elsewhere."""

from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import PurePath

from passreid.search import Match
from passreid.visualization import similarity_text, thumbnail_uri, time_text

CSS = """
#heading h1 { font-size: 24px; margin: 0 0 2px; }
#heading p, .found-line, .note, .found .name { color: #5b6270; }
#query .image-frame img { width: 100%; height: 100%; object-fit: contain; }
.found-line { margin: 0 0 10px; font-size: 15px; }
.found { display: grid; grid-template-columns: repeat(auto-fill, minmax(128px, 1fr)); gap: 14px; }
.found figure { margin: 0; border: 1px solid var(--border-color-primary); border-radius: 8px;
  overflow: hidden; background: var(--background-fill-primary); }
.found figure:first-child { border-color: #0072b2; box-shadow: 0 0 0 1px #0072b2; }
.found .picture { position: relative; height: 216px; display: flex; align-items: center;
  justify-content: center; background: #ececec; }
.found img { width: 100%; height: 100%; object-fit: contain; display: block; }
.found .rank { position: absolute; left: 6px; top: 6px; min-width: 22px; padding: 1px 6px;
  border-radius: 11px; background: rgba(255, 255, 255, .9); color: #333; font-size: 12px;
  font-weight: 600; text-align: center; }
.found .gone { color: #5b6270; font-size: 13px; }
.found figcaption { padding: 6px 10px 9px; line-height: 1.4; font-size: 13px; }
.found .facts { display: flex; align-items: baseline; justify-content: space-between;
  gap: 4px; white-space: nowrap; }
.found .score { font-size: 18px; font-weight: 650; font-variant-numeric: tabular-nums; }
.found .name { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
  font-size: 12px; }
.note { padding: 40px 20px; text-align: center; border: 1px dashed var(--border-color-primary);
  border-radius: 8px; }
.dark #heading p, .dark .found-line, .dark .note, .dark .found .name { color: #a9b0bd; }
"""


@dataclass(frozen=True)
class Found:
    """Outcome of a search."""

    matches: list[Match]  # Most similar first.
    best: Match | None  # Also when it is less similar than was asked for.
    seconds: float  # The feature of the query included.


def note(text: str) -> str:
    """Return a message in place of results."""
    return f'<div class="note">{escape(text)}</div>'


def results(found: Found, num_images: int) -> str:
    """Return the page of a search in a gallery of so many images."""
    if found.best is None:
        return note('The gallery has no image under the other cameras.')
    if not found.matches:
        best = similarity_text(found.best.similarity)
        return note(f'No image is that similar. The most similar one has {best}.')
    line = (
        f'<p class="found-line"><b>{len(found.matches)}</b> of {num_images} images, most similar '
        f'first &middot; {1000 * found.seconds:.0f} ms</p>'
    )
    cards = (_card(rank, match) for rank, match in enumerate(found.matches, start=1))
    return f'{line}<div class="found">{"".join(cards)}</div>'


def _card(rank: int, match: Match) -> str:
    record = match.record
    camera = 'cam ?' if record.cam_id < 0 else f'cam {record.cam_id}'
    name = escape(PurePath(record.path).name)
    uri = thumbnail(record.path)
    gone = '<span class="gone">cannot be read</span>'
    picture = f'<img alt="{name}" src="{uri}">' if uri else gone
    taken = f'<span class="name">{time_text(record.time)}</span>' if record.time is not None else ''
    return (
        f'<figure><div class="picture">{picture}<span class="rank">{rank}</span></div><figcaption>'
        f'<div class="facts"><span class="score">{similarity_text(match.similarity)}</span>'
        f'<span>{camera}</span></div>{taken}'
        f'<span class="name" title="{escape(record.path)}">{name}</span></figcaption></figure>'
    )


# The same images are found again and again.
thumbnail = lru_cache(512)(thumbnail_uri)
