"""The clauses of a query: words, phrases and values, and what the fields ask for."""

from __future__ import annotations

import math
import os
import re
import unicodedata
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Final

from photoindex.errors import QueryError
from photoindex.language.analysis import STOP_WORDS, Token, fold, is_dense, tokens, value_tokens, words
from photoindex.search.query import dates, numbers, positions
from photoindex.search.query.syntax import (
    AllOf,
    AnyOf,
    Around,
    Below,
    Fuzzy,
    Has,
    Inside,
    Node,
    Number,
    Phrase,
    Prefix,
    Taken,
    Value,
    When,
    Word,
)
from photoindex.system.lazy_imports import lazily
from photoindex.system.url_paths import path_text
from photoindex.types.looks import LOOKS, SHAPES

if TYPE_CHECKING:
    import hashlib
else:
    hashlib = lazily("hashlib")  # it loads OpenSSL, which most queries do not need

SHORTEST_PREFIX: Final = 2  # characters before the *
SHORTEST_FUZZY: Final = 3  # characters; every two-letter word is near every other
LETTERS_OF_WORD: Final = (
    4  # of a script without spaces, for the limit of words: Chinese words have 1.6, Thai ones 4 to 5
)
LONG_WORD: Final = 8  # characters from which a fuzzy word may differ in two places

# What a person writes before the colon -> the field of the index.
FIELDS: Final = {
    "caption": "caption",
    "beam": "beams",
    "label": "labels",
    "folder": "names",
    "file": "names",
    "name": "names",
    "camera": "camera",
    "lens": "lens",
    "place": "place",
    "person": "people",
    "people": "people",
    "tag": "tags",
    "tags": "tags",
    "keyword": "tags",
    "keywords": "tags",
    "title": "title",
    "text": "text",
    "says": "text",
}
TAKEN: Final = ("taken", "date", "year", "when")
# Compared as they are written. In quotes a tag or a name of a person is compared as a whole.
AS_WRITTEN: Final = ("tags", "people", "place", "title")
COMPARED_WHOLE: Final = ("tags", "people")
# Compared as prose, unless there are common words in what is asked for.
WITH_COMMON_WORDS: Final = {"names": ("names",), "camera": ("camera", "lens"), "lens": ("lens",)}
# Facts of a photo that `has:` asks for. A date is one that was read, not the file's modification time; a caption is
# one that a person wrote.
HAS: Final = (
    "gps", "date", "camera", "lens", "place", "caption", "title", "keywords", "people", "rating", "favourite",
    "hidden",
)  # fmt: skip
SAID: Final = ("favourite", "hidden")  # facts of HAS that `is:` asks for as well: what a person says of a photo
HIDDEN: Final = "hidden"  # a photo with this fact is found only by who asks for it
NAMES: Final = frozenset({*FIELDS, *TAKEN, *numbers.NUMBERS, *positions.NAMES, "has", "is", "format", "path"})
FORMAT: Final = "format="  # before a format's name, among the facts
LOOK: Final = "is="  # before a name of types/looks.py, among the facts

_SAME: Final = {"keyword": "keywords", "tag": "keywords", "tags": "keywords", "person": "people", "stars": "rating",
         "favorite": "favourite", "favourites": "favourite", "favorites": "favourite"}  # fmt: skip
# What else people call what `is:` asks for.
_LOOKS: Final = {
    "black and white": "bw", "black & white": "bw", "b&w": "bw", "b/w": "bw", "b and w": "bw", "monochrome": "bw",
    "greyscale": "bw", "grayscale": "bw", "underexposed": "dark", "night": "dark", "blurry": "blurred",
    "blur": "blurred", "unsharp": "blurred", "out of focus": "blurred", "screen": "screenshot",
    "screen shot": "screenshot", "screengrab": "screenshot", "page": "document", "text": "document", "scan": "document",
    "receipt": "document", "letter": "document", "pano": "panorama", "panoramic": "panorama", "wide": "landscape",
    "horizontal": "landscape", "tall": "portrait", "upright": "portrait", "vertical": "portrait",
}  # fmt: skip
# What may stand behind a field, for messages; behind all others a word.
_EXAMPLES: Final = {
    **dict.fromkeys(numbers.NUMBERS, "4"), "confidence": "0.4", "has": "gps", "is": "screenshot", "format": "jpeg",
    "path": "/photos", "near": "lisbon", "bbox": "-9.3,38.6,-9.0,38.8",
}  # fmt: skip
# Names of formats as suffixes have them -> as decoders do.
_FORMATS: Final = {"jpg": "jpeg", "jpe": "jpeg", "tif": "tiff", "heic": "heif", "jp2": "jpeg2000", "j2k": "jpeg2000"}
# Names that other programs have for fields -> ours.
_OTHER_NAMES: Final = {
    "filename": "name", "album": "folder", "dir": "folder", "directory": "folder", "location": "place",
    "city": "place", "country": "place", "where": "place", "who": "person", "face": "person", "faces": "person",
    "make": "camera", "model": "camera", "iso": "camera", "type": "format", "ext": "format", "extension": "format",
    "filetype": "format", "day": "taken", "month": "taken", "time": "taken", "before": "taken", "after": "taken",
    "since": "taken", "description": "caption", "object": "label", "star": "rating", "score": "rating",
    "size": "megapixels", "around": "near", "distance": "near", "box": "bbox",
}  # fmt: skip
_FUZZY: Final = re.compile(r"(?P<text>.*[^~])~+(?P<distance>[12]?)")


def shown(text: str) -> str:
    """Return ``text`` for a message: short, and without control characters."""
    return ascii(text)[1:-1][:40]


def example_of(name: str) -> str:
    """Return a condition on a field, as it may be written: ``rating:4``."""
    return f"{name}:{_EXAMPLES.get(name, 'word')}"


def intended_field(name: str) -> str | None:
    """Return the field that was probably meant by a name which is none; None when no field is like it."""
    if name in _OTHER_NAMES:
        return _OTHER_NAMES[name]
    most = 1 if len(name) < 6 else 2
    near = [(distance, known) for known in sorted(NAMES) if (distance := _mistakes(name, known)) <= most]
    return min(near)[1] if near and len(name) > 2 else None


def _mistakes(one: str, other: str) -> int:
    """Return how many letters are too many, missing, wrong or swapped with their neighbour (Damerau)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, row, above = row, [i], before
        for j, wanted in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, above[j - 2] + 1)
            row.append(cost)
    return row[-1]


# ---- words ---------------------------------------------------------------------------------------


def word_nodes(text: str, field: str | None) -> list[Node]:
    """Return the clauses of a text without spaces: usually one word, several when punctuation divides it."""
    if field in AS_WRITTEN:
        return _written_nodes(text, field)
    plain, ending = _with_ending(text, field)
    nodes = [*_plain_nodes(plain, field), *ending]
    return nodes or _common_nodes(plain, field)


def _with_ending(text: str, field: str | None) -> tuple[str, list[Node]]:
    """Return what stands before a word with ``*`` or ``~``, and that word; all of the text when there is none."""
    fuzzy = _FUZZY.fullmatch(text)
    if not text.endswith("*") and fuzzy is None:
        return text, []
    bare = text.rstrip("*") if fuzzy is None else fuzzy["text"]
    found = words(bare)
    if not found or is_dense(found[-1]):
        return bare, []
    last = found[-1]
    start = _start_of_last(bare)
    if fuzzy is None:
        if len(last) < SHORTEST_PREFIX:
            raise QueryError(f"'{last}*' stands for too many words: give at least {SHORTEST_PREFIX} letters")
        return bare[:start], [Prefix(last, field)]
    if len(last) < SHORTEST_FUZZY:
        return bare, []
    distance = int(fuzzy["distance"] or (2 if len(last) >= LONG_WORD else 1))
    return bare[:start], [Fuzzy(last, distance, field)]


def _start_of_last(text: str) -> int:
    """Return where the last word of ``text`` begins."""
    start = len(text)
    while start and not words(text[start:]):
        start -= 1
    while start and len(words(text[start - 1 :])) == 1 and text[start - 1].isalnum() | (text[start - 1] in "'\u2019"):
        start -= 1
    return start


def _plain_nodes(text: str, field: str | None) -> Iterator[Node]:
    """Yield a clause for each word that is not common, and one for each run of letters without spaces between words."""
    for dense, run in groupby(tokens(text), lambda token: is_dense(token.word)):
        letters = list(run)
        if dense and len(letters) > 1:
            yield Phrase(tuple(token.word for token in letters), field)
            continue
        for token in letters:
            if token.word not in STOP_WORDS:
                yield Word(token.word, field, also=token.also)


def phrase_nodes(text: str, field: str | None) -> list[Node]:
    """Return the clause of a quoted text."""
    if field in AS_WRITTEN:
        found = value_tokens(text)
        return [Value(_places(found), field, whole=field in COMPARED_WHOLE)] if found else []
    content = [token for token in tokens(text) if token.word not in STOP_WORDS]
    has_common = not content or any(fold(chunk) in STOP_WORDS for chunk in text.split())
    if has_common and (common := _common_nodes(text, field)):
        return common
    if len(content) > 1:
        also, parts = tuple(token.also for token in content), tuple(token.parts for token in content)
        known = also if any(also) else (), parts if any(parts) else ()
        return [Phrase(tuple(token.word for token in content), field, *known)]
    return [Word(token.word, field, exact=True, also=token.also) for token in content]


def _common_nodes(text: str, field: str | None) -> list[Node]:
    """Return the clause of a text with common words in a field that is otherwise prose: a folder called "A"."""
    found = value_tokens(text)
    if not any(token.word in STOP_WORDS for token in found):
        return []
    values = [Value(_places(found), name) for name in WITH_COMMON_WORDS.get(field or "", ())]
    return [AnyOf(tuple(values))] if len(values) > 1 else [*values]


def _written_nodes(text: str, field: str) -> list[Node]:
    plain, ending = _with_ending(text, field)
    found = value_tokens(text if not ending and not words(text) else plain)  # "tag:*" asks for the sign
    return [*([Value(_places(found), field)] if found else []), *ending]


def _places(found: list[Token]) -> tuple[tuple[str, ...], ...]:
    return tuple((token.word, *token.also) for token in found)


def count_words(node: Node) -> int:
    """Return how many words a clause counts as. Of a script without spaces each letter is searched as a word of its
    own, and some of them make one that a person means."""
    if isinstance(node, AnyOf):
        return max(map(count_words, node.parts))
    if not isinstance(node, (Phrase, Value)):
        return 1
    found = node.words if isinstance(node, Phrase) else [place[0] for place in node.places]
    letters = sum(map(is_dense, found))
    return len(found) - letters + math.ceil(letters / LETTERS_OF_WORD)


# ---- dates, facts, numbers, formats, paths -------------------------------------------------------


def when_node(text: str, today: date) -> When | None:
    """Return the clause of a date among plain words; None when there is no such day."""
    try:
        first, last = dates.days_of(text, today)
    except ValueError:
        return None
    if first and last and first > last:
        return None
    said = list(_plain_nodes(text, None)) or [Word(word) for word in words(text)]
    return When(Taken(first, last), said[0] if len(said) == 1 else AllOf(tuple(said)))


def taken_node(text: str, today: date) -> Taken:
    """Return the clause of ``taken:``. Raises QueryError for what is no date."""
    try:
        first, last = dates.days_of(text, today)
    except ValueError:
        raise QueryError(
            f"taken:{shown(text)} is not a date: write taken:2023, taken:2023-06, taken:2023-06-12,"
            ' taken:2023-06-01..2023-07-15, taken:>2020, taken:"june 2023", taken:"summer 2023", taken:yesterday or'
            " taken:last-week"
        ) from None
    if first and last and first > last:
        raise QueryError(f"taken:{shown(text)} ends before it begins")
    return Taken(first, last)


def has_node(text: str) -> Has:
    """Return the clause of ``has:``. Raises QueryError for what is no fact."""
    what = text.strip().lower()
    what = _SAME.get(what, what)
    if what not in HAS:
        raise QueryError(f"has:{shown(text)} is not known: write {', '.join(f'has:{name}' for name in HAS)}")
    return Has(what)


def is_node(text: str) -> Has:
    """Return the clause of ``is:``. Raises QueryError for what is no fact, naming the one that was probably meant."""
    what = re.sub(r"[\s_-]+", " ", text.strip().lower())
    joined = what.replace(" ", "")
    names = (*LOOKS, *SHAPES, *SAID)
    if _SAME.get(joined, joined) in SAID:
        return Has(_SAME.get(joined, joined))
    if joined in names:
        return Has(LOOK + joined)
    if what in _LOOKS:
        return Has(LOOK + _LOOKS[what])
    meant = intended_look(what)
    advice = f"did you mean is:{meant}?" if meant else f"write {', '.join(f'is:{name}' for name in names)}"
    raise QueryError(f"is:{shown(text)} is not known: {advice}")


def intended_look(text: str) -> str | None:
    """Return the fact that was probably meant by a text that is none; None when none is like it."""
    known = {name: name for name in (*LOOKS, *SHAPES, *SAID)} | _LOOKS
    near = [(distance, name) for name in known if (distance := _mistakes(text, name)) <= max(1, len(name) // 4)]
    return known[min(near)[1]] if near and len(text) > 2 else None


def number_node(name: str, text: str) -> Number:
    """Return the clause of ``rating:`` and the like. Raises QueryError for what is no number, and for a range that ends
    before it begins."""
    field = numbers.NUMBERS[name]
    try:
        low, high = numbers.bounds_of(field, text)
    except numbers.BackwardsRange:
        raise QueryError(f"{name}:{shown(text)} ends before it begins") from None
    except ValueError:
        few, more = ("0.4", "0.8") if field == "confidence" else ("4", "5")
        raise QueryError(
            f"{name}:{shown(text)} is not a number: write {name}:{few}, {name}:>={few}, {name}:<{few},"
            f" {name}:{few}..{more} or {name}:{few}.."
        ) from None
    return Number(field, low, high)


def near_node(text: str) -> Around:
    """Return the clause of ``near:``. Raises QueryError for what is neither a position nor a place."""
    try:
        found = positions.distanced(text)
    except ValueError:
        found = None
    if found is not None and found.position is not None:
        return Around(found.position, None, found.km)
    parts = [] if found is None else found.place.split(",")  # Paris, Texas
    nodes = [node for part in parts for node in phrase_nodes(part, FIELDS["place"])]
    if found is None or not nodes:
        raise QueryError(
            f"near:{shown(text)} is no place: write near:38.72,-9.14 or near:38.72,-9.14,5 (latitude, longitude,"
            " kilometres), near:lisbon or near:lisbon,5"
        )
    return Around(None, nodes[0] if len(nodes) == 1 else AllOf(tuple(nodes)), found.km)


def bbox_node(text: str) -> Inside:
    """Return the clause of ``bbox:``. Raises QueryError for what are not the four edges of a box."""
    try:
        return Inside(*positions.box(text))
    except ValueError:
        raise QueryError(
            f"bbox:{shown(text)} is no box: write bbox:-9.3,38.6,-9.0,38.8 (west, south, east, north in degrees)"
        ) from None


def format_node(text: str) -> Has:
    """Return the clause of ``format:``. Raises QueryError when it names nothing."""
    name = "".join(words(text))
    if not name:
        raise QueryError(f"format:{shown(text)} names no format: write format:jpeg, format:png or format:heif")
    return Has(f"{FORMAT}{_FORMATS.get(name, name)}")


def path_node(text: str) -> Below:
    """Return the clause of ``path:``. Raises QueryError when it names nothing."""
    if not text.strip():
        raise QueryError("path: names no path: write path:/photos/2019 or path:2019/lisbon")
    return Below(path_key(_expanded(text)))


@lru_cache(maxsize=4096)  # photos side by side have their folders in common
def path_key(path: str) -> str:
    """Return what the index knows a path by: a digest of it, as a path may be long and may hold anything.

    Case, Unicode's ways to write a letter and the kind of slash do not matter.
    """
    folded = path.lower() if path.isascii() else unicodedata.normalize("NFKD", path).casefold()
    level = unicodedata.normalize("NFC", folded).replace("\\", "/")
    parts = [part for part in level.split("/") if part not in ("", ".")]
    text = ("/" if level.startswith("/") else "") + "/".join(parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _expanded(path: str) -> str:
    try:
        return os.path.expanduser(path_text(path))
    except ValueError:  # "~" before what no user can be called
        return path
