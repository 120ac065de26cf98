"""How the words of a phrase stand in a text: one behind the other, but a word may take several places there.

A word that mixes letters and digits, or is written in CamelCase, has a place for each of its parts in the index, and
stands as a whole at the first and the last of them ("b12" is ``b12 b``, then ``b12 12``). Words that are joined, as
"x-ray" is, stand as the joined word at the place of each. What is on one side of such a word is its neighbour; a phrase
that goes on on both sides must say how many places it takes.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Final

from photoindex.language.analysis import STOP_WORDS, Token, is_dense, places_of
from photoindex.search.query.syntax import Phrase

MOST_PIECES: Final = 6  # of a word that is typed as one and written in pieces elsewhere: 20190704 is 2019-07-04

Way = tuple[tuple[str, ...], ...]  # at each place the words of which any one stands there


def ways_of(phrase: Phrase, known: Callable[[str], int]) -> list[list[Way]]:
    """Return for each word of a phrase, or for those that are joined to one, the ways in which a text may have it.

    ``known`` tells how often the index has a word. The first way is one place for each word.
    """
    nothing: tuple[tuple[str, ...], ...] = ((),) * len(phrase.words)
    tokens = list(map(Token, phrase.words, phrase.also or nothing, phrase.parts or nothing))
    steps: list[list[Way]] = []
    while tokens:
        group = tokens[: _joined(tokens)]
        tokens = tokens[len(group) :]
        ways: list[Way] = [
            tuple((token.word, *token.also) for token in group),
            tuple(chain.from_iterable(map(_in_parts, group))),
        ]
        if len(group) > 1:
            ways.append(((group[0].also[0],),))
        else:
            ways += _in_pieces(group[0], known)
        steps.append(list(dict.fromkeys(ways)))
    return steps


def _in_parts(token: Token) -> Way:
    """Return a word as the index has it where it is written in parts."""
    whole = (token.word, *token.also)
    places = places_of(token)
    if len(places) == len(token.parts):
        return tuple(places)
    # Common words within it have no place. What is left is not all of the word: "iPhone" is more than "phone".
    return (whole, *places[1:-1], whole) if len(places) > 1 else (whole,)


def _joined(tokens: list[Token]) -> int:
    """Return how many of the first words are joined to one, as those of "x-ray" are; 1 for a word alone."""
    whole = tokens[0].also[:1]
    text = ""
    for number, token in enumerate(tokens, 1):
        if not whole or token.also[:1] != whole:
            break
        text += token.word
        if text == whole[0]:
            return number
    return 1


def _in_pieces(token: Token, known: Callable[[str], int]) -> list[Way]:
    """Return the ways in which a text has a word in pieces, or joined of them, that is typed as one.

    The whole stands at the first and the last of its places, and at those between them it or a piece: "oldbigtrip" is
    ``oldbigtrip old``, ``big``, ``oldbigtrip trip`` where it is written OldBigTrip.
    """
    if is_dense(token.word):
        return []
    whole = (token.word, *token.also)
    by_count = sorted(_pieces(token.word, known).items())
    return [
        (whole, *((*whole, *sorted(pieces)) for pieces in places[1:-1]), whole)
        for count, places in by_count
        if count > 1
    ]


def _pieces(word: str, known: Callable[[str], int]) -> dict[int, tuple[frozenset[str], ...]]:
    """Return for each number of words of the index that a word can be cut into, ``MOST_PIECES`` at most, those that may
    stand at each place. A common word among them has no place."""
    behind: dict[int, dict[int, tuple[frozenset[str], ...]]] = {len(word): {0: ()}}  # by where the rest begins
    for start in reversed(range(len(word))):
        here: dict[int, tuple[frozenset[str], ...]] = {}
        for end in range(start + 1, len(word) + 1):
            piece = word[start:end]
            is_common = piece in STOP_WORDS
            if end not in behind or not (is_common or known(piece)):
                continue
            for rest in behind[end].values():
                places = rest if is_common else (frozenset([piece]), *rest)
                if len(places) <= MOST_PIECES:
                    others = here.get(len(places), places)
                    here[len(places)] = tuple(one | other for one, other in zip(places, others, strict=True))
        if here:
            behind[start] = here
    return behind.get(0, {})
