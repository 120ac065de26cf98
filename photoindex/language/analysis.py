"""From text to the words of the index: the same steps for a caption being indexed and for a query being asked.

    text -> fold (case, width, accents, apostrophes) -> words -> no stop words -> stems

Stop words leave no gap behind: "standing in the grass" becomes ``stand grass``, two neighbours. So a phrase is compared
without stop words on either side, and "standing in the grass", "standing on grass" and "standing grass" ask the same.

:func:`tokens` says besides in which other ways a word may be written: "T-shirt" is ``shirt`` or ``tshirt``, "d'Orsay"
``dorsay`` or ``orsay``. In scripts that put no spaces between words each letter is a word, and so is each emoji.
"""

from __future__ import annotations

import binascii
import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Final, NamedTuple

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

# Scripts that put no spaces between words, or join what is asked for to what is not (Korean); and emoji.
_DENSE: Final = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u0edc-\u0edf"  # Thai, Lao
    "\u0f40-\u0fbc\u1000-\u103f\u1050-\u109f\ua9e0-\ua9ef\ua9fa-\ua9fe\uaa60-\uaa7f"  # Tibetan, Burmese
    "\u1780-\u17d3\u17dc\u17dd"  # Khmer
    "\u1100-\u11ff\u3131-\u318e\ua960-\ua97f\uac00-\ud7ff"  # Korean
    "\u3005-\u3007\u3021-\u3029\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"  # kana
    "\u3105-\u312f\u31a0-\u31bf\u2e80-\u2fd5\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Chinese characters
    "\U0001b000-\U0001b16f\U00020000-\U000323af"
    "\u231a-\u23ff\u2600-\u27bf\u2b05-\u2b55\U0001f000-\U0001faff"  # symbols and emoji
)
# Scripts of India and South-East Asia write vowels as combining marks, which \w leaves out: they would cut words up.
_WORD: Final = rf"[{_DENSE}]|(?:(?![{_DENSE}])[^\W_]|[\u0900-\u0963\u0966-\u0dff])+"
_ASCII_WORD: Final = re.compile("[a-z0-9]+")
# Hebrew and Arabic are written with these marks or without: most are vowels, one makes an Arabic word longer.
_OPTIONAL_MARKS: Final = (
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    "\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed"
)
_TYPED: Final = (
    rf"[{_DENSE}]|(?:(?![{_DENSE}])[^\W_]|[\u0300-\u036f\u0900-\u0963\u0966-\u0dff{_OPTIONAL_MARKS}]"
    r"|(?<=\w)['\u2019\u2018\u00b4`\ua78b](?=\w))+"
)
_ASCII_TYPED: Final = re.compile(r"(?:[A-Za-z0-9]|(?<=\w)['`](?=\w))+")  # the same of such text, soon compiled
_DENSE_WORD: Final = f"[{_DENSE}]"
# Between two words without a space, these make one of them: "x-ray", "IMG_0042", "U.S.A.".
_JOINT: Final = re.compile("[-_.\u2010\u2011]")
# Names are written in CamelCase and with numbers stuck to words: "BeachTrip2019" is "Beach", "Trip" and "2019" too.
_BOUNDARIES: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")
_SHORT_FORMS: Final = frozenset({"s", "t", "d", "m", "re", "ve", "ll", "em"})  # it's, don't, they'll: not elided words
_SHORTEST_DATE: Final = 6  # digits: "2019-08" is 201908 as well; "1-2" is not 12
_PLAIN: Final = re.compile("[a-z]+|[A-Z]?[a-z]*")
_BETWEEN_WORDS: Final = re.compile(r"(?<=[^\W_])[-_.'\u2010\u2011](?=[^\W_])")
# In a name with letters people write these or leave them out: "St. Louis", "Frankfurt (Oder)". Other signs tell names
# apart: C#, C++.
_LEFT_OUT: Final = frozenset(".,()")
_SYMBOL: Final = rf"{_WORD}|[^\w\s\u200d\ufe0e\ufe0f]|_"
_LATIN_MARKS: Final = re.compile("[\u0300-\u036f]+")
# Some are letters to Unicode: the okina of Hawaiian, and those that stand for Arabic and Hebrew letters in Latin ones.
_APOSTROPHES: Final = str.maketrans(
    dict.fromkeys("\u2019\u2018\u02b9\u02bb\u02bc\u02bd\u02be\u02bf\u00b4`\ua78b\ua78c", "'")
)
_POSSESSIVE: Final = re.compile(r"(?<=\w)'(?:s\b|(?=\w))")
_INVISIBLE: Final = re.compile("[\u200b-\u200f\u2060\ufe00-\ufe0f]")  # joiners and variants of emoji, and the like
_UNDECOMPOSED: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "\u0131": "i", "æ": "ae", "œ": "oe", "þ": "th"}
    | dict.fromkeys(re.findall(f"[{_OPTIONAL_MARKS}]", "".join(map(chr, range(0x591, 0x6EE)))), "")
)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern over whole scripts, compiled when first used: all of them take longer than a search does."""
    return re.compile(pattern)


def fold(text: str) -> str:
    """Return ``text`` with case, width, accents, vowel marks and apostrophes levelled: "Café's" becomes "cafe"."""
    if text.isascii():
        folded = text.translate(_APOSTROPHES).lower()
    else:
        compatible = unicodedata.normalize("NFKC", text.translate(_APOSTROPHES)).casefold()
        bare = _LATIN_MARKS.sub("", unicodedata.normalize("NFD", compatible))
        folded = unicodedata.normalize("NFKC", bare).translate(_UNDECOMPOSED)
    return _POSSESSIVE.sub("", folded) if "'" in folded else folded


class Token(NamedTuple):
    """A word of a text, folded, and how else the same is written.

    ``also``: other spellings, indexed and asked for in its place. ``parts``: words within it, indexed only.
    """

    word: str
    also: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()


def words(text: str) -> list[str]:
    """Return the folded words of ``text`` in order, stop words included."""
    folded = fold(text)
    return [word[:LONGEST_WORD] for word in (_ASCII_WORD if folded.isascii() else _compiled(_WORD)).findall(folded)]


def typed_words(text: str) -> Iterator[tuple[int, int, list[str]]]:
    """Yield where each word of ``text`` is (start, end), and its folded words: one, but for rarities."""
    for match in (_ASCII_TYPED if text.isascii() else _compiled(_TYPED)).finditer(text):
        yield match.start(), match.end(), words(match[0])


def is_dense(word: str) -> bool:
    """Whether a folded word is one letter of a script without spaces, or an emoji: part of a run, not a word alone."""
    return not word.isascii() and _compiled(_DENSE_WORD).match(word) is not None


def tokens(text: str) -> list[Token]:
    """Return the words of ``text`` as :func:`words` has them, with their other spellings."""
    result: list[Token] = []
    for chunk in text.split():
        if _PLAIN.fullmatch(chunk):
            result.append(Token(chunk.lower()[:LONGEST_WORD]))
        else:
            result += _chunk_tokens(chunk)
    return result


def _chunk_tokens(chunk: str) -> Iterator[Token]:
    """Yield the tokens of a text without spaces."""
    spans = [(start, end, folded[0]) for start, end, folded in typed_words(chunk) if len(folded) == 1]
    expected = words(chunk)
    if [word for _, _, word in spans] != expected:  # letters that fold to several, or to none
        yield from map(Token, expected)
        return
    joined = _joined(chunk, spans)
    for (start, end, word), whole in zip(spans, joined, strict=True):
        typed = chunk[start:end]
        also = (*([whole] if whole else []), *_elided(typed, word))
        yield Token(word, also, _parts_of(typed, word))


def _joined(chunk: str, spans: list[tuple[int, int, str]]) -> list[str]:
    """Return for each word what it is with the words joined to it by hyphens and the like; "" for a word alone."""
    groups: list[list[int]] = []
    for number, (start, _, word) in enumerate(spans):
        before = spans[number - 1] if number else None
        between = chunk[before[1] : start] if before else ""
        decimal = before is not None and between == "." and before[2].isdecimal() and word.isdecimal()
        if before and _JOINT.fullmatch(between) and not decimal and not is_dense(word) and not is_dense(before[2]):
            groups[-1].append(number)
        else:
            groups.append([number])
    wholes = [""] * len(spans)
    for group in groups:
        whole = "".join(spans[number][2] for number in group)
        if len(group) < 2 or len(whole) > LONGEST_WORD or (whole.isdecimal() and len(whole) < _SHORTEST_DATE):
            continue
        for number in group:
            wholes[number] = whole
    return wholes


def _elided(typed: str, word: str) -> tuple[str, ...]:
    """Return the words of "d'Orsay" or "O'Brien" behind the apostrophe, but for short forms such as "don't"."""
    before, apostrophe, behind = typed.translate(_APOSTROPHES).rpartition("'")
    folded = words(behind) if apostrophe and before else []
    if len(folded) != 1 or len(folded[0]) < 2 or folded[0] in _SHORT_FORMS or folded[0] == word:
        return ()
    return (folded[0],)


def _divided(typed: str) -> list[str]:
    """Return the parts of a word of any script, cut as ``_BOUNDARIES`` cuts English ones: between a small and a capital
    letter, and between a letter and a digit. "ÉtéÀParis" has a capital word of one letter: a capital that begins a word
    is cut off from capitals before it as well."""
    kinds: list[str] = []
    for letter in typed:
        if kinds and unicodedata.category(letter).startswith(
            "M"
        ):  # an accent or a vowel belongs to the letter before it
            kinds.append(kinds[-1])
        elif letter.isdecimal():
            kinds.append("0")
        else:
            kinds.append("'" if letter == "'" else "A" if letter.isupper() or letter.istitle() else "a")
    pairs = zip(kinds, kinds[1:], [*kinds[2:], ""], strict=False)
    cuts = [
        place
        for place, (before, here, behind) in enumerate(pairs, 1)
        if before + here in ("aA", "a0", "A0", "0a", "0A") or before + here + behind == "AAa"
    ]
    return [typed[start:end] for start, end in zip([0, *cuts], [*cuts, len(typed)], strict=True)]


def _parts_of(typed: str, word: str) -> tuple[str, ...]:
    parts = (
        _BOUNDARIES.split(typed)
        if typed.isascii()
        else _divided(unicodedata.normalize("NFC", typed.translate(_APOSTROPHES)))
    )
    if len(parts) == 1:
        return ()
    folded_parts = [folded for part in parts for folded in words(part)]
    return tuple(folded_parts) if "".join(folded_parts) == word else ()


def sentences(text: str) -> list[str]:
    """Return the parts of ``text`` between lone full stops (" . "), which phrases do not reach across."""
    return text.split(" . ")


def content_tokens(text: str) -> list[Token]:
    """Return the tokens of ``text`` in order, without stop words."""
    return [token for token in tokens(text) if token.word not in STOP_WORDS]


def content_words(text: str) -> list[str]:
    """Return the folded words of ``text`` in order, without stop words."""
    return [word for word in words(text) if word not in STOP_WORDS]


def value_tokens(text: str) -> list[Token]:
    """Return what the name of a thing, person or place is compared by: every word of it, common ones included, and
    every sign that is not merely between two words. Full stops, commas and parentheses are left out beside letters."""
    left_out = _LEFT_OUT if any(map(str.isalpha, text)) else frozenset[str]()
    result: list[Token] = []
    for chunk in text.split():
        known = {token.word: Token(token.word, token.also) for token in tokens(chunk)}
        folded = _BETWEEN_WORDS.sub(" ", fold(_INVISIBLE.sub("", chunk)))
        result += (
            known.get(sign[:LONGEST_WORD], Token(sign[:LONGEST_WORD]))
            for sign in _compiled(_SYMBOL).findall(folded)
            if sign not in left_out
        )
    return result


def index_places(text: str) -> list[tuple[str, ...]]:
    """Return what is indexed at each place of ``text``: unstemmed words, other spellings of one side by side."""
    places: list[tuple[str, ...]] = []
    for chunk in text.split():
        # Most words of captions, and numbers: one way to write them.
        if chunk.isascii() and ((chunk.isalpha() and chunk.islower()) or chunk.isdecimal()):
            if chunk not in STOP_WORDS:
                places.append((chunk[:LONGEST_WORD],))
        else:
            places += _chunk_places(chunk)
    return places


@lru_cache(maxsize=1 << 14)
def _chunk_places(chunk: str) -> list[tuple[str, ...]]:
    places: list[tuple[str, ...]] = []
    for token in content_tokens(chunk):
        places += places_of(token)
    return places


def places_of(token: Token) -> list[tuple[str, ...]]:
    """Return what is indexed at each place of a word: one place, or one for each of its parts."""
    whole = (token.word, *token.also)
    inside = [part for part in token.parts if part not in STOP_WORDS]
    # The whole word stands at both ends, so that it is the neighbour of what is before it and behind it. A phrase with
    # words on both sides of it asks for its parts: ranking/phrases.py.
    ends = (0, len(inside) - 1)
    return [(*whole, part) if number in ends else (part,) for number, part in enumerate(inside)] or [whole]


def name_key(text: str) -> str:
    """Return what a file's name is compared by: its letters and digits, folded."""
    return "".join(words(text))[:255]


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
        "tokens 2",  # raise it when tokens(), value_tokens() or index_places() answer otherwise
        _WORD,
        " ".join(sorted(STOP_WORDS)),
        repr(sorted(IRREGULAR_PLURALS.items())),
        str(LONGEST_WORD),
        VERSION,
    ]
    return f"english-3-{binascii.crc32(chr(10).join(parts).encode()):08x}"
