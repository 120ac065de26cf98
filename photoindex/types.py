"""Value objects that cross module borders. No behaviour beyond what follows from the fields.

Those that a search needs are made in :mod:`photoindex.found` and :mod:`photoindex.learned`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from photoindex.found import (
    CaptionSource,
    Hit,
    Match,
    Matched,
    PhotoFacts,
    Place,
    SortKey,
    TakenSource,
    Term,
)
from photoindex.learned import TermVector, TermVocabulary, VectorBatch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from photoindex.errors import PhotoError

__all__ = [
    "Candidate",
    "Caption",
    "CaptionSource",
    "Companion",
    "Correction",
    "DecodedPhoto",
    "Document",
    "Duplicate",
    "Failure",
    "FileEvent",
    "FileStat",
    "Finding",
    "Hit",
    "IndexReport",
    "Label",
    "Match",
    "Matched",
    "Photo",
    "PhotoFacts",
    "Place",
    "Prediction",
    "Progress",
    "ScannedFile",
    "SidecarStyle",
    "SortKey",
    "TakenSource",
    "Tally",
    "Term",
    "TermVector",
    "TermVocabulary",
    "VectorBatch",
    "Written",
]

SidecarStyle = Literal["a.jpg.xmp", "a.xmp"]  # how the sidecar of a.jpg is called


@dataclass(frozen=True, slots=True)
class FileStat:
    """What tells one state of a file from another without reading it."""

    size: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """A file met while walking a root."""

    path: Path
    stat: FileStat
    sidecars: str = ""  # the state of the sidecars beside it, as media/metadata/sidecars.py writes it


@dataclass(frozen=True, slots=True)
class FileEvent:
    """One report of the file system: something at ``path`` was written, moved to ``destination`` or removed.

    ``overflow`` says that events were lost and only a full reconcile knows what happened below ``path``.
    """

    kind: Literal["written", "moved", "removed", "overflow"]
    path: Path
    destination: Path | None = None
    is_directory: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """What a person, or a program for one, wrote about a photo: in the file itself or in a sidecar beside it."""

    title: str | None = None
    caption: str | None = None
    keywords: tuple[str, ...] = ()
    people: tuple[str, ...] = ()  # those named as being in it
    places: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DecodedPhoto:
    """An upright photo resized to the captioner's square: ``pixels`` is uint8 (size, size, 3), RGB."""

    facts: PhotoFacts
    pixels: NDArray[np.uint8]
    written: Written = field(default_factory=Written)
    sidecars: str = ""  # the state of the sidecars that were read with it
    problems: tuple[str, ...] = ()  # metadata that could not be read, a line each
    fingerprint: bytes = b""  # like those of photos that look alike; empty for one that hardly varies


@dataclass(frozen=True, slots=True)
class Candidate:
    """One caption the model considered: its text and the natural logarithm of its probability.

    ``score`` is the log-probability per word that beam search ranks by.
    """

    text: str
    log_probability: float
    score: float


@dataclass(frozen=True, slots=True)
class Label:
    """An object class the encoder sees, with its probability (0 to 1)."""

    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the captioner says of one photo: captions, best first, object labels, the kinds of things that are there
    ("dog" with the probability of all breeds together, though none may be sure), and its terms when the model has any.

    Labels and kinds come most probable first.
    """

    candidates: tuple[Candidate, ...]
    labels: tuple[Label, ...] = ()
    kinds: tuple[Label, ...] = ()
    terms: TermVector | None = None

    @property
    def caption(self) -> str:
        return self.candidates[0].text


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


@dataclass(frozen=True, slots=True)
class Correction:
    """A change that a person made of one photo's caption, tags or lock.

    ``old`` and ``new`` are a caption's text, a tuple of tags, or the text of the caption that was locked; ``None``:
    none. ``edit`` is the same for all that was changed at once.
    """

    kind: Literal["caption", "tags", "lock"]
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

    @property
    def tags(self) -> tuple[str, ...]:
        """What a person tagged it with."""
        return tuple(term.text for term in self.terms if term.source == "tag")


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A file that is one of several alike. ``distance`` counts the bits (of 128) in which its fingerprint differs from
    that of the best of them; files with one ``content_hash`` are copies."""

    path: Path
    photo_id: int
    content_hash: str
    bytes: int
    width: int | None
    height: int | None
    format: str | None
    distance: int


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


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be captioned, as the failure ledger keeps it."""

    path: Path
    kind: str
    message: str
    attempts: int
    state: Literal["retrying", "failed", "ignored"]
    next_try_at: datetime | None


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check of the doctor found, in one line, and what to do when it is not ``ok``."""

    name: str
    level: Literal["ok", "warning", "problem"]
    message: str
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What one run of indexing did. ``seconds`` is wall-clock time."""

    seen: int = 0
    captioned: int = 0
    unchanged: int = 0
    recognised: int = 0  # moved, renamed or copied: the content was known already
    missing: int = 0
    failed: int = 0
    seconds: float = 0.0
    failures: tuple[Failure, ...] = field(default=())
    refreshed: int = 0  # photos whose metadata, in them or in sidecars, was read again


@dataclass(slots=True)
class Tally:
    """What a run did so far."""

    captioned: int = 0
    recognised: int = 0  # content known already: moved, renamed or copied
    failed: int = 0
    refreshed: int = 0  # metadata read again, without captioning
    errors: list[tuple[Path, PhotoError]] = field(default_factory=list)

    @property
    def done(self) -> int:
        return self.captioned + self.recognised + self.failed


@dataclass(frozen=True, slots=True)
class Progress:
    """How far long work is. ``total`` may grow while it runs."""

    stage: str
    done: int
    total: int
    current: Path | None = None
    detail: dict[str, Any] = field(default_factory=dict)
