"""Which words of a text a search matched, for showing them."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from photoindex.language.analysis import stem, tokens, typed_words
from photoindex.language.forms import word_of
from photoindex.types import Hit

__all__ = ["marked", "marked_caption", "word_of"]


def marked_caption(hit: Hit) -> Iterator[tuple[str, bool]]:
    """Yield a hit's caption in pieces; True marks the words of it that the search matched."""
    return marked(hit.caption, {word for layer, word, *_ in hit.matched if layer == "caption"})


def marked(text: str, matched: Collection[str]) -> Iterator[tuple[str, bool]]:
    """Yield ``text`` in pieces that give it back when joined; True marks a form of one of the words ``matched``."""
    stems = {stem(word) for word in matched}
    done = 0
    for start, end, folded in typed_words(text):
        spellings = {*folded, *(other for token in tokens(text[start:end]) for other in (*token.also, *token.parts))}
        if not stems.isdisjoint(map(stem, spellings)):
            if start > done:
                yield text[done:start], False
            yield text[start:end], True
            done = end
    if done < len(text):
        yield text[done:], False
