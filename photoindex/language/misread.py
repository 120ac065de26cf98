"""Letters that are read as digits, and digits as letters: words of signs and numbers of receipts as they were meant.

A reader of text takes O for 0, l for 1 or S for 5, and the other way, as their shapes are alike in many fonts. A word
in which both occur is probably all letters, or all digits, with such mistakes; so it is found both ways.
"""

from __future__ import annotations

from typing import Final

_AS_LETTERS: Final = (str.maketrans("01345678", "oleasbtb"), str.maketrans("01345678", "oieasbtb"))
_AS_DIGITS: Final = str.maketrans("oOlIiSsBZzQD", "001115582200")
LEAST_WORD: Final = 4  # characters; shorter ones such as mp3 and 4K are names more often than mistakes
LEAST_NUMBER: Final = 3


def readings(word: str) -> tuple[str, ...]:
    """Return what a word of letters and digits was probably meant to be; nothing for one that is plain, or a code."""
    letters = sum(each.isalpha() for each in word)
    digits = sum(each.isdecimal() for each in word)
    if not (letters and digits) or not word.isascii():
        return ()
    if letters >= digits and len(word) >= LEAST_WORD:
        meant = {word.casefold().translate(table): None for table in _AS_LETTERS}
        if all(not any(each.isdecimal() for each in one) for one in meant):
            return tuple(meant)
    if digits >= letters and len(word) >= LEAST_NUMBER:
        number = word.translate(_AS_DIGITS)
        return () if any(each.isalpha() for each in number) else (number,)
    return ()
