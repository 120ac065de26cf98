"""Letters that are read as digits, and digits as letters: words of signs and numbers of receipts as they were meant.

A reader of text takes O for 0, l for 1 or S for 5, and the other way, as their shapes are alike in many fonts. A word
in which both occur is probably all letters, or all digits, with such mistakes; so it is found both ways.
"""

from __future__ import annotations

from typing import Final

_AS_LETTERS: Final = str.maketrans("01345678", "oleasbtb")
_AS_DIGITS: Final = str.maketrans("oOlIiSsBZzQD", "001115582200")
LEAST_LETTERS: Final = 3  # letters of a word, or digits of a number, that must be there beside the mistakes
MOST_MISTAKES: Final = 0.4  # as a share of a word's length


def reading(word: str) -> str | None:
    """Return what a word of letters and digits was probably meant to be; ``None`` for one that is plain, or a code."""
    letters = sum(each.isalpha() for each in word)
    digits = sum(each.isdecimal() for each in word)
    if not (letters and digits) or not word.isascii():
        return None
    size = letters + digits
    if letters >= LEAST_LETTERS and digits <= MOST_MISTAKES * size and letters > digits:
        meant = word.casefold().translate(_AS_LETTERS)
        return meant if sum(each.isdecimal() for each in meant) == 0 else None
    if digits >= LEAST_LETTERS - 1 and letters <= MOST_MISTAKES * size:
        meant = word.translate(_AS_DIGITS)
        return meant if not any(each.isalpha() for each in meant) else None
    return None
