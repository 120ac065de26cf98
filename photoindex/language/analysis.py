"""From text to the words of the index: the same steps for a caption being indexed and for a query being asked.

    text -> fold (case, width, accents, apostrophes) -> words -> no stop words -> stems

Stop words leave no gap behind: "standing in the grass" becomes ``stand grass``, two neighbours. So a phrase is compared
without stop words on either side, and "standing in the grass", "standing on grass" and "standing grass" ask the same.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from photoindex.language.stemming import VERSION, english_stem

_COMMON: Final = (
    "a an and are as at be been being by dont for from had has have he her his i in into is it its me my of on or our"
    " s she some t that the their them there these they this those to was we were which who with you your"
)
STOP_WORDS: Final = frozenset(_COMMON.split())

# Plurals the stemmer gets wrong, all of them everyday words of captions.
IRREGULAR_PLURALS: Final = {
    "men": "man",
    "women": "woman",
    "children": "child",
    "people": "person",
    "feet": "foot",
    "teeth": "tooth",
    "geese": "goose",
    "mice": "mouse",
    "oxen": "ox",
    "leaves": "leaf",
    "knives": "knife",
    "wolves": "wolf",
    "calves": "calf",
    "loaves": "loaf",
    "shelves": "shelf",
    "scarves": "scarf",
    "halves": "half",
    "buses": "bus",
    "busses": "bus",
    "lenses": "lens",
    "canvases": "canvas",
}

LONGEST_WORD: Final = 64  # characters; the rest of a longer one is ignored, here and in the query alike

# Scripts of India and South-East Asia write vowels as combining marks, which \w leaves out: they would cut words up.
_WORD: Final = re.compile(r"(?:[^\W_]|[\u0900-\u0963\u0966-\u0eff])+")
_TYPED: Final = re.compile(r"(?:[^\W_]|[\u0300-\u036f\u0900-\u0963\u0966-\u0eff]|(?<=\w)['\u2019\u2018\u02bc](?=\w))+")
_LATIN_MARKS: Final = re.compile("[\u0300-\u036f]+")
_APOSTROPHES: Final = str.maketrans("\u2019\u2018\u02bc\u00b4`", "'''''")
_POSSESSIVE: Final = re.compile(r"(?<=\w)'(?:s\b|(?=\w))")
_UNDECOMPOSED: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "\u0131": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)


def fold(text: str) -> str:
    """``text`` with letter case, width, Latin accents and apostrophes levelled: "Café's" becomes "cafe"."""
    if text.isascii():
        folded = text.translate(_APOSTROPHES).lower()
    else:
        compatible = unicodedata.normalize("NFKC", text.translate(_APOSTROPHES)).casefold()
        bare = _LATIN_MARKS.sub("", unicodedata.normalize("NFD", compatible))
        folded = unicodedata.normalize("NFKC", bare).translate(_UNDECOMPOSED)
    return _POSSESSIVE.sub("", folded) if "'" in folded else folded


def words(text: str) -> list[str]:
    """The folded words of ``text`` in order, stop words included."""
    return [word[:LONGEST_WORD] for word in _WORD.findall(fold(text))]


def typed_words(text: str) -> Iterator[tuple[int, int, list[str]]]:
    """Where each word of ``text`` stands as it is written (start, end), and its folded words: one, but for rarities."""
    for match in _TYPED.finditer(text):
        yield match.start(), match.end(), words(match[0])


def sentences(text: str) -> list[str]:
    """The parts of ``text`` between lone full stops (" . "), which phrases do not reach across."""
    return text.split(" . ")


def content_words(text: str) -> list[str]:
    """The folded words of ``text`` in order, without stop words."""
    return [word for word in words(text) if word not in STOP_WORDS]


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """Return the form under which a folded word is indexed: "giraffes" and "giraffe" give "giraff"."""
    word = IRREGULAR_PLURALS.get(word, word)
    if not (word.isascii() and word.isalpha()):
        return word
    return english_stem(word) or word


def fingerprint() -> str:
    """Short name of this way of reading text: an index written under another one answers wrongly."""
    parts = [
        _WORD.pattern,
        " ".join(sorted(STOP_WORDS)),
        repr(sorted(IRREGULAR_PLURALS.items())),
        str(LONGEST_WORD),
        VERSION,
    ]
    return "english-1-" + hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
