"""The searchable words and facts of a photo, as the full-text index gets them."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from photoindex.language.analysis import (
    Token,
    content_tokens,
    content_words,
    index_places,
    sentences,
    stem,
    value_tokens,
)
from photoindex.language.misread import readings
from photoindex.language.place_names import words_of
from photoindex.search.fulltext.fields import (
    BETWEEN,
    COMMON_FIELDS,
    FILES_FIELD,
    FORMS_FIELD,
    HAS_FIELD,
    PATHS_FIELD,
    PHOTO_FIELD,
    READ_FIELDS,
    TAKEN_FIELD,
    VALUE_FIELDS,
)
from photoindex.search.fulltext.path_names import (
    file_keys,
    name_parts,
    places_of,
    readable,
    with_common_words,
)
from photoindex.search.query import numbers, positions
from photoindex.search.query.clauses import FORMAT, HIDDEN, LOOK, path_key
from photoindex.search.ranking.weights import FIELD_WEIGHTS
from photoindex.types.hit import PhotoFacts
from photoindex.types.text import TextLine

if TYPE_CHECKING:
    from photoindex.types import Photo

# Agencies write captions of hundreds of words, which would hold a word of nearly every query: those behind so many
# words count little. No caption of the data sets that the weights are tuned on is as long.
LONG_CAPTION: Final = 40
SURE: Final = 0.75  # the confidence of a line of text in a photo from which on its words count in full
DIVIDED: Final = "\u00ad"  # within a word that is divided at the end of a line, instead of the hyphen
_DIVIDED: Final = re.compile("(?<=[^\\W\\d_])[-\u2010\u00ad]$")


@dataclass(frozen=True, slots=True)
class Document:
    """The searchable words of one photo, as the full-text index takes them."""

    photo_id: int
    caption: str
    beams: str = ""
    labels: str = ""
    names: str = ""  # words of the folder and file names
    parts: tuple[str, ...] = ()  # these names, each
    more: str = ""  # a caption as a whole that is too long for all of its words to count
    camera: str = ""
    kinds: str = ""  # what the labels are kinds of
    tags: str = ""  # keywords
    person: str = ""  # all that people wrote about it: their caption, title, keywords, names
    title: str = ""
    people: str = ""
    place: str = ""
    text: str = ""  # what was read in the photo
    unsure_text: str = ""  # lines that may have been misread
    lens: str = ""
    taken_at: datetime | None = None  # None too where only the file's modification time is known
    position: tuple[float, float] | None = None  # latitude and longitude in degrees
    facts: tuple[str, ...] = ()  # what else ``has:`` and ``is:`` ask for, and the format
    numbers: Mapping[str, float] = field(default_factory=dict)  # as search/query/numbers.py has them
    paths: tuple[str, ...] = ()  # itself and the folders above it: absolute, and from its root
    files: tuple[str, ...] = ()  # names of its files


def document_of(photo: Photo, roots: Sequence[Path]) -> Document:
    """Return the document of a photo that has a caption. ``roots`` bound which folder names count: those outside the
    folders the user named (``/home/anna``) tell nothing about a photo."""
    assert photo.caption is not None
    facts = photo.facts

    by_source: dict[str, list[str]] = {}
    for term in photo.terms:
        by_source.setdefault("tag" if term.source == "keyword" else term.source, []).append(term.text)

    def terms(source: str) -> str:
        return _parts(by_source.get(source, ()))

    by_person = photo.caption.source in ("user", "sidecar")
    # The model's caption is searched below a sidecar's, but is no help where a person had to correct it.
    corrected = photo.caption.source == "user"
    model_says = [one for one in photo.overruled if one.source == "model"]
    tags, title, people = terms("tag"), terms("title"), terms("person")
    places = [words_of(facts.place)] if facts and facts.place else []
    # The words that were read are searched as such; its caption says besides what it is: a sign, a receipt.
    shown = photo.caption.text.partition(' "')[0] if photo.caption.source == "text" else photo.caption.text
    text, rest = _shortened(shown)
    named = [name_parts(path, roots) for path in photo.paths]
    known = {"caption": by_person, "keywords": bool(tags), "rating": facts is not None and facts.rating is not None,
             "favourite": photo.favourite, HIDDEN: photo.hidden}  # fmt: skip
    return Document(
        photo_id=photo.id,
        caption=text,
        more=rest,
        beams="" if corrected else _parts(one.text for one in (*model_says, *photo.candidates)),
        labels=terms("label"),
        kinds=terms("kind"),
        names=_parts(map(" ".join, named)),
        parts=tuple(dict.fromkeys(part for parts in named for part in parts)),
        camera=(facts.camera or "") if facts else "",
        lens=(facts.lens or "") if facts else "",
        tags=tags,
        title=title,
        people=people,
        person=_parts([text if by_person else "", tags, title, people]),
        place=_parts([*places, terms("place")]),
        text=running_text(line for line in photo.text if line.confidence >= SURE),
        unsure_text=running_text(line for line in photo.text if line.confidence < SURE),
        taken_at=facts.taken_at if facts and facts.taken_source != "mtime" else None,
        position=_position(facts),
        facts=(
            *(name for name, there in known.items() if there),
            *([format_fact(facts.format)] if facts else []),
            *(LOOK + name for name in photo.is_),
        ),
        numbers=_numbers(facts, photo.caption.confidence),
        paths=tuple(place for path in photo.paths for place in places_of(path, roots)),
        files=tuple(readable(path.name) for path in photo.paths),
    )


def running_text(lines: Iterable[TextLine]) -> str:
    """Return lines that were read in a photo as text to be searched: those of one block go on from line to line, so
    that phrases reach across their ends, and a word that is divided at the end of a line is whole again."""
    blocks: dict[int, str] = {}
    for line in lines:
        before = blocks.get(line.block)
        if before is None:
            blocks[line.block] = line.text
        elif _DIVIDED.search(before) and line.text[:1].islower():
            blocks[line.block] = f"{before[:-1]}{DIVIDED}{line.text}"
        else:
            blocks[line.block] = f"{before} {line.text}"
    return _parts(blocks.values())


def format_fact(name: str) -> str:
    """Return a format's name as ``format:`` asks for it."""
    return FORMAT + "".join(letter for letter in name.casefold() if letter.isalnum())


def _parts(texts: Iterable[str]) -> str:
    """Return the texts with a lone full stop between them, which phrases do not reach across."""
    return " . ".join(text for text in texts if text)


def _numbers(facts: PhotoFacts | None, confidence: float | None) -> dict[str, float]:
    found: dict[str, float] = {} if confidence is None else {"confidence": confidence}
    if facts is None:
        return found
    found |= {"width": facts.width, "height": facts.height, "megapixels": facts.width * facts.height / 1e6}
    if facts.rating is not None:
        found["rating"] = facts.rating
    return found


def _position(facts: PhotoFacts | None) -> tuple[float, float] | None:
    if facts is None or facts.latitude is None or facts.longitude is None:
        return None
    return facts.latitude, facts.longitude


def _shortened(caption: str) -> tuple[str, str]:
    """Return the words of a caption that count in full, and the whole of it when those are not all."""
    typed = caption.split()
    return (" ".join(typed[:LONG_CAPTION]), caption) if len(typed) > LONG_CAPTION else (caption, "")


# ---- as the index takes it -----------------------------------------------------------------------


def fields_of(document: Document) -> dict[str, Any]:
    """Return the fields of ``document`` as :meth:`.store.IndexWriter.add` takes them: stems, and the words that they
    come from."""
    fields: dict[str, Any] = {PHOTO_FIELD: document.photo_id}
    forms: set[str] = set()
    for name in FIELD_WEIGHTS:
        text = getattr(document, name)
        places: list[tuple[str, ...]] = []
        for part in sentences(text) if text else ():
            here, written = _stemmed(_places_read(part)) if name in READ_FIELDS else _indexed(part)
            if here:
                places += (_BETWEEN_PARTS, *here) if places else here
                if name != "unsure_text":  # no spelling to suggest
                    forms.update(written)
        if places:
            fields[name] = places
    if forms:
        fields[FORMS_FIELD] = " ".join(sorted(forms))
    for name, field_name in VALUE_FIELDS.items():
        text = getattr(document, name)
        values = [_value_tokens(value) for value in sentences(text)] if text else []
        if any(values):
            fields[field_name] = _places_of_values(values)
    for name, field_name in COMMON_FIELDS.items():
        named = document.parts if name == "names" else filter(None, (getattr(document, name),))
        if values := [value for each in named for value in _with_common_words(each)]:
            fields[field_name] = _places_of_values(values)
    if facts := _facts(document):
        fields[HAS_FIELD] = " ".join(facts)
    if document.paths:
        fields[PATHS_FIELD] = " ".join(sorted(set(map(path_key, document.paths))))
    if keys := {key for name in document.files for key in file_keys(name)}:
        fields[FILES_FIELD] = " ".join(sorted(keys))
    fields.update({name: numbers.stored(name, value) for name, value in document.numbers.items()})
    if document.position is not None:
        pairs = zip(positions.FIELDS, document.position, strict=True)
        fields.update({name: positions.stored(name, degrees) for name, degrees in pairs})
    if document.taken_at is not None:
        fields[TAKEN_FIELD] = document.taken_at.toordinal()
    return fields


_BETWEEN_PARTS: Final = (BETWEEN,)  # nobody can ask for it, nor for what is on both sides of it
_Places = Sequence[tuple[str, ...]]  # at each place of a text the words that stand there

_value_tokens = lru_cache(maxsize=1 << 13)(value_tokens)
_with_common_words = lru_cache(maxsize=1 << 13)(lambda value: with_common_words([value]))


def _indexed(text: str) -> tuple[_Places, set[str]]:
    """Return the stems at each place of a text, and the words that they come from."""
    places: list[tuple[str, ...]] = []
    forms: set[str] = set()
    for chunk in text.split():
        here, written = _chunk(chunk)
        places += here
        forms.update(written)
    return places, forms


@lru_cache(maxsize=1 << 14)
def _chunk(chunk: str) -> tuple[_Places, set[str]]:
    return _stemmed(index_places(chunk))


def _stemmed(places: _Places) -> tuple[_Places, set[str]]:
    return [*map(_stems, places)], set().union(*places)


def _places_read(text: str) -> list[tuple[str, ...]]:
    """Return what is indexed at each place of a text that was read in a photo. Everything that one word may be is at
    one place, so that phrases go on behind it: a code and its parts, a divided word and its halves, and what letters
    were probably meant where they look like digits."""
    places: list[tuple[str, ...]] = []
    for chunk in text.split():
        here = [(word, *also, *parts) for word, also, parts in content_tokens(chunk.replace(DIVIDED, ""))]
        if here:
            halves = content_words(chunk.replace(DIVIDED, " ")) if DIVIDED in chunk else ()
            here[0] = (*here[0], *halves, *readings(chunk.strip(string.punctuation)))
        places += here
    return places


@lru_cache(maxsize=1 << 16)
def _stems(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(stem, words)))


def _places_of_values(values: Iterable[Sequence[Token]]) -> list[tuple[str, ...]]:
    places: list[tuple[str, ...]] = [(BETWEEN,)]
    for value in values:
        places += [*((token.word, *token.also) for token in value), (BETWEEN,)]
    return places


def _facts(document: Document) -> list[str]:
    known = {
        "gps": document.position is not None,
        "date": document.taken_at is not None,
        "camera": bool(document.camera),
    }
    known.update({name: bool(getattr(document, name)) for name in ("lens", "place", "title", "people")})
    return [*(fact for fact, there in known.items() if there), *document.facts]
