"""Photos: what is decoded of one, what people wrote, what the catalogue knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from photoindex.types.hit import CaptionSource, PhotoFacts, Term
from photoindex.types.looks import facts_shown
from photoindex.types.term_sources import TAG_SOURCE
from photoindex.types.text import PhotoText, TextLine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SidecarStyle = Literal["a.jpg.xmp", "a.xmp"]  # how the sidecar of a.jpg is called
CorrectionKind = Literal["caption", "tags", "lock", "rating", "favourite", "hidden", "review"]


@dataclass(frozen=True, slots=True)
class Written:
    """What a person, or a program for one, wrote about a photo: in the file itself or in a sidecar beside it."""

    title: str | None = None
    caption: str | None = None
    keywords: tuple[str, ...] = ()
    people: tuple[str, ...] = ()  # those named as being in it
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unexported:
    """What is written of a photo, and its stars, without the words in its sidecars that photoindex wrote for a user."""

    written: Written
    rating: int | None = None


@dataclass(frozen=True, slots=True)
class DecodedPhoto:
    """An upright photo resized to the captioner's square: ``pixels`` is uint8 (size, size, 3), RGB."""

    facts: PhotoFacts
    pixels: NDArray[np.uint8]
    written: Written = field(default_factory=Written)
    sidecars: str = ""  # the state of the sidecars that were read with it
    problems: tuple[str, ...] = ()  # metadata that could not be read, a line each
    fingerprint: bytes = b""  # like those of photos that look alike; empty for one that hardly varies
    thumbnails: Mapping[int, bytes] = field(default_factory=dict)  # JPEGs, by the pixels of their longer side
    looks: frozenset[str] | None = None  # of types/looks.py; None: the pixels were not decoded
    text: PhotoText | None = None  # None: nobody looked for text
    unexported: Unexported | None = None  # None: photoindex wrote none of what was read


@dataclass(frozen=True, slots=True)
class Caption:
    """A stored caption and where it came from."""

    text: str
    source: CaptionSource
    created_at: datetime
    model: str | None = None
    log_probability: float | None = None
    settings: str | None = None
    locked: bool = False  # a person said that it is to be shown, whatever comes later
    confidence: float | None = None  # how likely it is right, 0 to 1, where the model that made it says so


@dataclass(frozen=True, slots=True)
class Correction:
    """A change that a person made of what is said of one photo.

    ``old`` and ``new`` are a caption's text, a tuple of tags, the text of the caption that was locked, a number of
    stars, "yes" for a favourite or hidden photo, or "wrong" or "later" for a review; ``None``: none. ``edit`` is the
    same for all that was changed at once.
    """

    kind: CorrectionKind
    old: str | tuple[str, ...] | None
    new: str | tuple[str, ...] | None
    made_at: datetime
    edit: str
    undone_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Companion:
    """A file that belongs to a photo and is not read for it: the camera's ``raw`` file, or the film of a ``live``
    photo."""

    path: Path
    kind: Literal["raw", "live"]


@dataclass(frozen=True, slots=True)
class Photo:
    """Everything the catalogue knows of one photo."""

    id: int
    content_hash: str
    size: int
    facts: PhotoFacts | None
    paths: tuple[Path, ...]
    missing_paths: tuple[Path, ...]
    caption: Caption | None
    history: tuple[Caption, ...] = ()
    candidates: tuple[Caption, ...] = ()  # what else the model considered, best first
    terms: tuple[Term, ...] = ()
    companions: tuple[Companion, ...] = ()
    overruled: tuple[Caption, ...] = ()  # what others say now, and would be shown without ``caption``
    favourite: bool = False
    hidden: bool = False  # left out of searches that do not ask for hidden photos
    review: Literal["wrong", "later"] | None = None  # what a person says of the model's caption
    looks: frozenset[str] | None = None  # black and white, dark, …; None: it was decoded before they were measured
    text: tuple[TextLine, ...] = ()  # the lines that were read in it, in reading order
    text_read: Literal["closely", "glanced"] | None = None  # how it was looked at for text; None: not yet

    @property
    def tags(self) -> tuple[str, ...]:
        """What a person tagged it with."""
        return tuple(term.text for term in self.terms if term.source == TAG_SOURCE)

    @property
    def is_(self) -> tuple[str, ...]:
        """All that ``is:`` finds it by: what it looks like, and its shape."""
        facts = self.facts
        return facts_shown(self.looks, facts.width if facts else None, facts.height if facts else None)


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A file that is one of several alike. ``distance`` counts the bits (of 128) in which its fingerprint differs from
    that of the best of them; files with one ``content_hash`` are copies. ``also_at`` has other paths of this same file:
    links, hard links, the same disk mounted elsewhere."""

    path: Path
    photo_id: int
    content_hash: str
    bytes: int
    width: int | None
    height: int | None
    format: str | None
    distance: int
    also_at: tuple[Path, ...] = ()
