"""Did you mean: words of the index that are spelt nearly like a word of the query that no photo has.

Nearness is the number of mistakes: a letter too many, one missing, one wrong, or two neighbours swapped. One of these
is over 80 per cent of all misspellings (Damerau, "A technique for computer detection and correction of spelling
errors", 1964). The word that most photos have comes first.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from photoindex.language.analysis import STOP_WORDS, stem
from photoindex.search.query.syntax import ParsedQuery
from photoindex.search.ranking.matcher import Matcher

MOST_WORDS: Final = 4  # of a query that spellings are looked for
MOST_SPELLINGS: Final = 3  # offered for one word
MOST_NEAR: Final = 1000  # words of the index that are weighed for one word of the query
MOST_TRIED: Final = 20  # of those, that are looked up to see whether a photo still has them
LONGEST: Final = 24  # characters; looking for what is near a word takes longer the longer it is
TWO_MISTAKES: Final = 6  # characters from which two mistakes are allowed, none of them in the first letter


def corrections(matcher: Matcher, parsed: ParsedQuery) -> dict[str, tuple[str, ...]]:
    """Return, for each plain word of the query that no photo has, spellings that photos have, most likely first.

    Words for which there is no such spelling are left out; words of the query that it excludes or asks of one field
    are not looked at.
    """
    unknown = [word for word in parsed.words if word not in STOP_WORDS and not matcher.photos_with(word)]
    found = ((word, _spellings(matcher, word)) for word in unknown[:MOST_WORDS])
    return {word: spellings for word, spellings in found if spellings}


def _spellings(matcher: Matcher, word: str) -> tuple[str, ...]:
    """Words with one mistake or, only when no photo has any of those, with two."""
    if not 3 <= len(word) <= LONGEST:
        return ()
    near = {*islice(matcher.forms_within(word, 1), MOST_NEAR), *filter(matcher.form_count, _swaps(word))}
    chosen = _most_frequent(matcher, word, near)
    if not chosen and len(word) >= TWO_MISTAKES:
        chosen = _most_frequent(matcher, word, set(islice(matcher.forms_within(word, 2, prefix=1), MOST_NEAR)))
    return chosen


def _most_frequent(matcher: Matcher, word: str, near: set[str]) -> tuple[str, ...]:
    if word.isalpha():
        near = {form for form in near if form.isalpha()}  # numbers of file names are near everything short
    chosen: dict[str, str] = {}
    for form in sorted(near, key=lambda form: (-matcher.form_count(form), form))[:MOST_TRIED]:
        # The index goes on listing the words of photos that were removed.
        if stem(form) not in chosen and matcher.photos_with(form):
            chosen[stem(form)] = form
            if len(chosen) == MOST_SPELLINGS:
                break
    return tuple(chosen.values())


def _swaps(word: str) -> list[str]:
    return [word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(len(word) - 1)]
