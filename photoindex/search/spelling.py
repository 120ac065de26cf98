"""Did you mean: words of the index that are spelt nearly like a word of the query which no photo has.

Nearness is the number of mistakes: a letter too many, one missing, one wrong, or two neighbours swapped. One of these
is over 80 per cent of all misspellings (Damerau, "A technique for computer detection and correction of spelling
errors", 1964). Of equally near words the one that more photos have comes first.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from photoindex.search.analysis import STOP_WORDS, stem
from photoindex.search.matching import Matcher
from photoindex.search.query import ParsedQuery

MOST_WORDS: Final = 4  # of a query that spellings are looked for
MOST_SPELLINGS: Final = 3  # offered for one word
MOST_NEAR: Final = 1000  # words of the index that are weighed for one word of the query
LONGEST: Final = 24  # characters; looking for what is near a word takes longer the longer it is
TWO_MISTAKES: Final = 6  # characters from which two mistakes are allowed, none of them in the first letter


def corrections(matcher: Matcher, parsed: ParsedQuery) -> dict[str, tuple[str, ...]]:
    """For each plain word of the query that no photo has: spellings that photos have, most likely first.

    Words for which there is no such spelling are left out; words of the query that it excludes or asks of one field
    are not looked at.
    """
    unknown = [word for word in parsed.words if word not in STOP_WORDS and not matcher.holders(word)]
    found = ((word, _spellings(matcher, word)) for word in unknown[:MOST_WORDS])
    return {word: spellings for word, spellings in found if spellings}


def _spellings(matcher: Matcher, word: str) -> tuple[str, ...]:
    if not 3 <= len(word) <= LONGEST:
        return ()
    near = set(islice(matcher.forms_within(word, 1), MOST_NEAR))
    if len(word) >= TWO_MISTAKES:
        near.update(islice(matcher.forms_within(word, 2, prefix=1), MOST_NEAR))
    near.update(swapped for swapped in _swaps(word) if matcher.form_count(swapped))
    if word.isalpha():
        near = {form for form in near if form.isalpha()}  # numbers of file names are near everything short
    ranked = sorted(near, key=lambda form: (mistakes(word, form), -matcher.form_count(form), form))
    chosen: dict[str, str] = {}
    for form in ranked:
        # The index goes on listing the words of photos that were removed.
        if stem(form) not in chosen and matcher.holders(form):
            chosen[stem(form)] = form
            if len(chosen) == MOST_SPELLINGS:
                break
    return tuple(chosen.values())


def _swaps(word: str) -> list[str]:
    return [word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(len(word) - 1)]


def mistakes(one: str, other: str) -> int:
    """The optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        now = [row]
        for column, target in enumerate(other, 1):
            best = min(last[column] + 1, now[column - 1] + 1, last[column - 1] + (letter != target))
            if row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == target:
                best = min(best, before[column - 2] + 1)
            now.append(best)
        before, last = last, now
    return last[-1]
