"""What a photo is that text fills: a screenshot, a receipt, a page or a sign, with the words that it begins with.

Networks that learn from photos of people and places say little about such photos. What is read in them is shown instead
as their caption, under its own source, where it is sure and large; elsewhere the text is only searched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from photoindex.types import TextLine
from photoindex.types.text import BOX_UNITS

SURE: Final = 0.85  # the confidence of a line that counts
# Shares of the photo that the boxes of sure lines cover.
FILLED: Final = 0.06  # of a screenshot or a page, which is told by its pixels as well
PAGE_FILLED: Final = 0.12  # of a page or a receipt that is told by its text alone
SIGN_FILLED: Final = 0.15
PAGE_LINES: Final = 8
RECEIPT_LINES: Final = 5
SIGN_LINES: Final = 6
LEAST_LETTERS: Final = 3  # of a sign
LONGEST_QUOTE: Final = 80  # characters
RECEIPT_WORDS: Final = frozenset(
    "total subtotal cash change vat tax receipt visa mastercard eur summe gesamt mwst bar rechnung tva totale iva"
    " importe".split()
)


def caption_of(lines: Sequence[TextLine], looks: frozenset[str] | None) -> str | None:
    """Return the caption of a photo that text fills; ``None`` for others. ``looks``: what its pixels look like."""
    sure = [line for line in lines if line.confidence >= SURE]
    filled = sum(map(_share, sure))
    looks = looks or frozenset()
    words = {word.strip(".:,;").casefold() for line in sure for word in line.text.split()}
    if "screenshot" in looks:
        return _quoted("a screenshot that says", sure) if filled >= FILLED and sure else None
    if len(sure) >= RECEIPT_LINES and filled >= FILLED and len(words & RECEIPT_WORDS) >= 2:
        return _quoted("a receipt that says", sure)
    if len(sure) >= PAGE_LINES and filled >= (FILLED if "document" in looks else PAGE_FILLED):
        return _quoted("a document that begins", sure)
    letters = sum(letter.isalnum() for line in sure for letter in line.text)
    if 0 < len(sure) <= SIGN_LINES and len(sure) == len(lines) and filled >= SIGN_FILLED and letters >= LEAST_LETTERS:
        return _quoted("a sign that says", sure)
    return None


def _share(line: TextLine) -> float:
    """Return the share of the photo that a line's box covers (the shoelace formula)."""
    across, down = line.box[0::2], line.box[1::2]
    twice = sum(across[i] * down[(i + 1) % 4] - across[(i + 1) % 4] * down[i] for i in range(4))
    return abs(twice) / 2 / BOX_UNITS**2


def _quoted(what: str, lines: Sequence[TextLine]) -> str:
    """Return the caption with the first words of the lines, cut between two words."""
    said = ""
    for word in (word for line in lines for word in line.text.replace('"', "'").split()):
        if said and len(said) + 1 + len(word) > LONGEST_QUOTE:
            return f'{what} "{said} …"'
        said = f"{said} {word}".strip()[:LONGEST_QUOTE]
    return f'{what} "{said}"'
