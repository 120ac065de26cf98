"""Which words of a text made a search find it, for showing them."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from photoindex.language.analysis import stem, typed_words


def marked(text: str, stems: Collection[str]) -> Iterator[tuple[str, bool]]:
    """``text`` cut into pieces that give it back when joined; True marks a word whose stem is one of ``stems``."""
    done = 0
    for start, end, folded in typed_words(text):
        if any(stem(word) in stems for word in folded):
            if start > done:
                yield text[done:start], False
            yield text[start:end], True
            done = end
    if done < len(text):
        yield text[done:], False
