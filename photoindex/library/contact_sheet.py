"""A page with photos: what ``search --html`` and ``albums show --html`` write, and what an album's page in the gallery
gives to take along.

The page is one file that holds its pictures, so that it can be moved, sent and kept. It loads nothing and runs nothing:
it has no scripts, and its policy forbids what a name or a caption might try to smuggle in.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Iterator, Sequence

from photoindex.search.ranking.highlight import marked_caption
from photoindex.system.terminal import visible
from photoindex.system.units import counted
from photoindex.system.url_paths import is_url
from photoindex.types import Hit
from photoindex.types.hit import NOT_THERE

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

STYLE = """
:root { color-scheme: light dark; --line: #c8c8c8; --soft: #5a5a5a; --back: #f4f4f4; --found: #ffe58a; --ink: #1a1a1a }
@media (prefers-color-scheme: dark) {
  :root { --line: #484848; --soft: #ababab; --back: #1c1c1c; --found: #6b5600; --ink: #eaeaea }
}
body { margin: 1.5rem; font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: Canvas }
h1 { margin: 0; font-size: 1.35rem; overflow-wrap: anywhere }
header p { margin: .2rem 0 1.2rem; color: var(--soft) }
ol { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem; margin: 0; padding: 0;
  list-style: none }
li { contain: content; border: 1px solid var(--line); border-radius: 6px; overflow: hidden }
li:focus-within { border-color: Highlight }
figure { margin: 0 }
a { display: block; color: inherit; text-decoration: none }
a:focus-visible { outline: 3px solid Highlight; outline-offset: -3px }
img, .none { display: block; width: 100%; aspect-ratio: 4 / 3; object-fit: contain; background: var(--back) }
.none { display: grid; place-items: center; color: var(--soft) }
figcaption { padding: .5rem .7rem .7rem; overflow-wrap: anywhere }
mark { color: inherit; background: var(--found); border-radius: 2px }
small { display: block; color: var(--soft) }
@media print { body { margin: 0 } li { break-inside: avoid } }
"""

# What every page begins with; a file that does not is not replaced by one.
BEGINNING = (
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta http-equiv="Content-Security-Policy" content="'
)


def contact_sheet(
    title: str, hits: Sequence[Hit], pictures: Iterable[bytes | None], about: str = "best first"
) -> Iterator[str]:
    """Yield the page for these photos, piece by piece. ``pictures``: for each a JPEG, or ``None`` when it cannot be
    read; ``about`` stands behind their number."""
    heading = html.escape(visible(title))
    yield (
        f'{BEGINNING}{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{heading}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<header><h1 dir="auto">{heading}</h1>\n<p>{counted(len(hits), "photo")}, {about}</p></header>\n<main><ol>\n'
    )
    for hit, picture in zip(hits, pictures, strict=True):
        yield _cell(hit, picture) + "\n"
    yield "</ol></main>\n</body>\n</html>\n"


def _cell(hit: Hit, picture: bytes | None) -> str:
    caption = "".join(
        f"<mark>{html.escape(visible(piece))}</mark>" if is_match else html.escape(visible(piece))
        for piece, is_match in marked_caption(hit)
    )
    if picture is None:
        shown = '<span class="none">cannot be read</span>'
    else:
        alt = html.escape(visible(hit.caption), quote=True)
        shown = f'<img src="data:image/jpeg;base64,{base64.b64encode(picture).decode("ascii")}" alt="{alt}">'
    facts = [fact for fact in (_taken(hit), hit.camera, "" if hit.present else NOT_THERE) if fact]
    more = f"<small>{html.escape(visible(', '.join(facts)))}</small>" if facts else ""
    if hit.present and not is_url(hit.path):  # browsers open no such URLs
        shown = f'<a href="{html.escape(hit.path.as_uri(), quote=True)}">{shown}</a>'
    return (
        f'<li><figure>{shown}<figcaption dir="auto">{caption}'
        f"<small><bdi>{html.escape(visible(str(hit.path)))}</bdi></small>{more}</figcaption></figure></li>"
    )


def _taken(hit: Hit) -> str:
    """Return when the photo was taken; a file's time that stands in for an unknown date says so."""
    if hit.taken_at is None:
        return ""
    by_file = hit.facts is not None and hit.facts.taken_source == "mtime"
    return f"{hit.taken_at:%Y-%m-%d %H:%M}" + (" (the file's time)" if by_file else "")
