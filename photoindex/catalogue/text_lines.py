"""The lines of text that were read in photos, in plain SQL, which a search asks without SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.raw_sql import Asker, ask, listed
from photoindex.types.text import BOX_UNITS, Box, TextLine

if TYPE_CHECKING:
    from sqlalchemy import Connection


def text_lines(transaction: Asker | Connection, photo_ids: Iterable[int]) -> dict[int, tuple[TextLine, ...]]:
    """Return the lines that were read in these photos, in reading order, by photo id."""
    found: dict[int, list[TextLine]] = {}
    for chunk in chunks(photo_ids):
        rows = ask(
            transaction,
            "select photo_id, text, confidence, box, block from text_line"
            f" where photo_id in ({listed(chunk)}) order by photo_id, place",
        )
        for number, text, confidence, box, block in rows:
            found.setdefault(number, []).append(TextLine(text, confidence, box_from(box), block))
    return {number: tuple(lines) for number, lines in found.items()}


def box_text(box: Box) -> str:
    """Return a box as ``text_line.box`` holds it."""
    return " ".join(map(str, box))


def box_from(text: str) -> Box:
    """Return the box that ``text_line.box`` holds; an empty one at the upper left corner for what is none."""
    try:
        a, b, c, d, e, f, g, h = (min(max(int(each), 0), BOX_UNITS) for each in text.split())
    except ValueError:
        return (0, 0, 0, 0, 0, 0, 0, 0)
    return (a, b, c, d, e, f, g, h)
