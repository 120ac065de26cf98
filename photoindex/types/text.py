"""Text that was read in a photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

BOX_UNITS: Final = 10_000  # of a box: what the upright photo's width and its height are divided into

Box = tuple[int, int, int, int, int, int, int, int]


class TextLine(NamedTuple):
    """A line of text in a photo.

    ``confidence`` (0 to 1) is how sure the reader is of its letters. ``box`` has the corners clockwise from the upper
    left of the text, x and y each, in ten-thousandths of the upright photo's width and height. Lines of one ``block``
    (0, 1, …) are read one behind the other: a paragraph, a column, a sign.
    """

    text: str
    confidence: float
    box: Box
    block: int = 0


@dataclass(frozen=True, slots=True)
class PhotoText:
    """What was read in a photo: its lines in reading order. ``closely``: the whole photo was read at a legible size;
    otherwise a glance, or its terms, showed no sign of text."""

    lines: tuple[TextLine, ...] = ()
    closely: bool = True
