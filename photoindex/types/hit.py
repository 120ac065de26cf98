"""Search results, and the facts of a photo that they show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, NamedTuple

from photoindex.types.looks import facts_shown
from photoindex.types.term_sources import PERSON_SOURCE, WRITTEN_SOURCES
from photoindex.types.text import TextLine

# ``text``: words that were read in the photo, which they fill.
CaptionSource = Literal["user", "sidecar", "text", "model"]
MACHINES: Final = frozenset({"text", "model"})  # sources of captions that no person wrote
TakenSource = Literal["exif", "xmp", "iptc", "takeout", "name", "folder", "mtime"]
NOT_THERE: Final = "not there now"  # said of a hit whose file is not present
SortKey = Literal["score", "taken", "name", "rating", "added", "confidence"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a photo was taken, in words; a part that is not known is empty."""

    city: str = ""
    district: str = ""
    region: str = ""
    country: str = ""
    country_code: str = ""  # ISO 3166-1, two letters
    metropolis: str = ""  # a large city around there, whose part or suburb ``city`` may be

    def __str__(self) -> str:
        known = (self.city, self.district, self.region, self.country)
        near = f"{self.city} near {self.metropolis}" if self.metropolis and self.metropolis not in known else self.city
        parts = dict.fromkeys((near.removeprefix(" "), *known[1:]))
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """What decoding learns of a photo besides its pixels. ``width`` and ``height`` are those of the upright photo."""

    format: str
    width: int
    height: int
    orientation: int = 1
    taken_at: datetime | None = None  # the camera's local time; EXIF seldom knows the zone
    camera: str | None = None
    lens: str | None = None
    latitude: float | None = None  # degrees, north positive
    longitude: float | None = None  # degrees, east positive
    altitude: float | None = None  # metres above the sea
    taken_source: TakenSource | None = None  # who says when it was taken
    taken_offset: int | None = None  # of the local time of ``taken_at`` from UTC, minutes, east positive
    rating: int | None = None  # 1 to 5 stars; -1: rejected
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Term:
    """A weighted word a photo may be found by. ``source``: label, kind, tag, model (learned), or, as it was read with
    the photo, keyword, person, place, title."""

    text: str
    weight: float
    source: str


class Matched(NamedTuple):
    """A reason for a hit: ``word``, as indexed, was found in ``layer`` and gave ``weight`` of the score.

    The layers are the fields of the full-text index and ``terms``, the learned ones. The weights of a hit add up to its
    score.
    """

    layer: str
    word: str
    weight: float


@dataclass(frozen=True, slots=True)
class Match:
    """One answer of the full-text index. ``matched`` has the weightiest reason first."""

    photo_id: int
    score: float
    matched: tuple[Matched, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """One photo found by a search.

    ``path`` is the best of its files that are there now, ``other_paths`` the rest of them. When none is there, or none
    of those that the query asks for by ``path:``, ``folder:`` or ``name:`` (``present`` is false), they are where its
    files were last.
    """

    path: Path
    score: float
    caption: str
    caption_source: CaptionSource
    matched: tuple[Matched, ...]
    terms: tuple[Term, ...]
    taken_at: datetime | None
    camera: str | None
    width: int | None
    height: int | None
    photo_id: int
    other_paths: tuple[Path, ...] = ()
    facts: PhotoFacts | None = None
    present: bool = True
    # How many of the paths, from the first, answer the query's ``path:``, ``folder:`` and ``name:``; None: it has none.
    asked_for: int | None = None
    looks: frozenset[str] | None = None  # black and white, dark, …; None: it was decoded before they were measured
    confidence: float | None = None  # how likely the caption is right, 0 to 1, where the model that made it says so
    # How likely a person would say all words of the query of this photo, 0 to 1; None: it asks for no words,
    # or the photo has no learned terms, by which that is known.
    sureness: float | None = None
    favourite: bool = False  # a person said so
    text: tuple[TextLine, ...] = ()  # the lines read in the photo that hold a word it was found by

    @property
    def keywords(self) -> tuple[str, ...]:
        """What people tagged the photo with."""
        return tuple(term.text for term in self.terms if term.source in WRITTEN_SOURCES)

    @property
    def people(self) -> tuple[str, ...]:
        """Who is named as being in it."""
        return tuple(term.text for term in self.terms if term.source == PERSON_SOURCE)

    @property
    def is_(self) -> tuple[str, ...]:
        """All that ``is:`` finds it by: what it looks like, and its shape."""
        return facts_shown(self.looks, self.width, self.height)
