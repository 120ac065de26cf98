"""What of a photo can be searched: the words and facts the full-text index gets for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from photoindex.language.place_names import words_of
from photoindex.search.query.parser import FORMAT
from photoindex.system.paths import is_at_or_below
from photoindex.types import Photo, PhotoFacts

WEIGHTY_WORDS = 40  # a person's caption has 5 to 25

# Names are written in CamelCase, snake_case and with numbers stuck to words: "BeachTrip2019" -> "Beach Trip 2019".
_BOUNDARIES = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])|[\W_]+")


@dataclass(frozen=True, slots=True)
class Document:
    """The searchable words of one photo, as the full-text index takes them."""

    photo_id: int
    caption: str
    beams: str = ""
    labels: str = ""
    names: str = ""  # words of the folder and file names
    camera: str = ""
    kinds: str = ""  # what the labels are kinds of
    tags: str = ""  # keywords
    person: str = ""  # all that people said of it: their caption, title, keywords, names
    title: str = ""
    people: str = ""
    place: str = ""
    lens: str = ""
    taken_at: datetime | None = None  # None too where only the file's modification time is known
    gps: bool = False  # says where it was taken
    facts: tuple[str, ...] = ()  # what else ``has:`` asks for, and the format, see query.FORMAT
    numbers: Mapping[str, float] = field(default_factory=dict)  # as search/query/numbers.py has them
    paths: tuple[str, ...] = ()  # where it lies: absolute, and from its root


def document_of(photo: Photo, roots: Sequence[Path]) -> Document:
    """The document of a photo that has a caption. ``roots`` bound which folder names count: those outside the folders
    the user named (``/home/anna``) say nothing of a photo."""
    assert photo.caption is not None
    facts = photo.facts

    def terms(*sources: str) -> str:
        return _parts(term.text for term in photo.terms if term.source in sources)

    by_person = photo.caption.source != "model"
    # What the model said is searched below what a sidecar says, but is no help where a person had to say better.
    corrected = photo.caption.source == "user"
    model_says = [one for one in photo.overruled if one.source == "model"]
    tags, title, people = terms("tag", "keyword"), terms("title"), terms("person")
    places = [words_of(facts.place)] if facts and facts.place else []
    known = {"caption": by_person, "keywords": bool(tags), "rating": facts is not None and facts.rating is not None}
    return Document(
        photo_id=photo.id,
        caption=photo.caption.text,
        beams="" if corrected else _parts(one.text for one in (*model_says, *photo.candidates)),
        labels=terms("label"),
        kinds=terms("kind"),
        names=_parts(_name_words(path, roots) for path in photo.paths),
        camera=(facts.camera or "") if facts else "",
        lens=(facts.lens or "") if facts else "",
        tags=tags,
        title=title,
        people=people,
        person=_parts([_head(photo.caption.text) if by_person else "", tags, title, people]),
        place=_parts([*places, terms("place")]),
        taken_at=facts.taken_at if facts and facts.taken_source != "mtime" else None,
        gps=facts is not None and facts.latitude is not None and facts.longitude is not None,
        facts=(*(name for name, there in known.items() if there), *([format_fact(facts.format)] if facts else [])),
        numbers=_numbers(facts) if facts else {},
        paths=tuple(place for path in photo.paths for place in _places(path, roots)),
    )


def _head(caption: str) -> str:
    """The words of a caption that count for more than a model's: the beginning, which says what is to be seen.

    An agency's caption of three hundred words holds nearly any word; with the weight of a short one it would be the
    first answer to all of them. All of it is searched as a caption.
    """
    return " ".join(caption.split()[:WEIGHTY_WORDS])


def format_fact(name: str) -> str:
    """A format's name as ``format:`` asks for it."""
    return FORMAT + "".join(letter for letter in name.casefold() if letter.isalnum())


def _parts(texts: Iterable[str]) -> str:
    """The texts with a lone full stop between them, which phrases do not reach across."""
    return " . ".join(text for text in texts if text)


def _numbers(facts: PhotoFacts) -> dict[str, float]:
    found: dict[str, float] = {"width": facts.width, "height": facts.height}
    found["megapixels"] = facts.width * facts.height / 1e6
    if facts.rating is not None:
        found["rating"] = facts.rating
    return found


def _root_of(path: Path, roots: Sequence[Path]) -> Path:
    above = [root for root in roots if is_at_or_below(path, root)]
    return max(above, key=lambda root: len(root.parts), default=path.parent)


def _places(path: Path, roots: Sequence[Path]) -> Iterator[str]:
    """A path and all folders above it; and the same from its root on, with and without the root's own name."""
    root = _root_of(path, roots)
    yield from (str(place) for place in (path, *path.parents))
    for start in (root, root.parent):
        relative = path.relative_to(start)
        yield from (str(place) for place in (relative, *relative.parents) if place.parts)


def _name_words(path: Path, roots: Sequence[Path]) -> str:
    deepest = _root_of(path, roots)
    parts = [deepest.name, *path.relative_to(deepest).parent.parts, path.stem]
    text = " ".join(parts).encode("utf-8", "replace").decode("utf-8")
    return " ".join(word for word in _BOUNDARIES.split(text) if word)
