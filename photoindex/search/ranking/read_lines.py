"""The lines read in a photo that it was found by."""

from __future__ import annotations

import string
from collections.abc import Collection, Sequence
from itertools import pairwise

from photoindex.language.analysis import index_places, stem
from photoindex.language.misread import readings
from photoindex.search.fulltext.fields import READ_FIELDS
from photoindex.types.hit import Matched
from photoindex.types.text import TextLine


def read_words(matched: Sequence[Matched]) -> set[str]:
    """Return the stems of the words that were found in the text of a photo."""
    return {stem(word) for reason in matched if reason.layer in READ_FIELDS for word in reason.word.split()}


def lines_with(lines: Sequence[TextLine], stems: Collection[str]) -> tuple[TextLine, ...]:
    """Return the lines that hold one of these words, and both parts of a word that is divided at the end of a line."""
    if not stems:
        return ()
    held = [not _stems(line.text).isdisjoint(stems) for line in lines]
    for number, (line, after) in enumerate(pairwise(lines)):
        divided = line.text[-1:] in ("-", "\u2010", "\u00ad") and line.block == after.block
        if divided and not (held[number] or held[number + 1]):
            whole = _stems(f"{line.text[:-1]}-{after.text}")
            held[number] = held[number + 1] = not whole.isdisjoint(stems)
    return tuple(line for line, holds in zip(lines, held, strict=True) if holds)


def _stems(text: str) -> set[str]:
    words = {word for place in index_places(text) for word in place}
    words.update(meant for chunk in text.split() for meant in readings(chunk.strip(string.punctuation)))
    return {stem(word) for word in words}
