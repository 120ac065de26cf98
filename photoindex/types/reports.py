"""What commands report: failures, findings, counts and progress."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from photoindex.errors import PhotoError


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be captioned, or (``work``) whose text could not be read, as the failure ledger has it."""

    path: Path
    kind: str
    message: str
    attempts: int
    state: Literal["retrying", "failed", "ignored"]
    next_try_at: datetime | None
    work: Literal["caption", "text"] = "caption"


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
    missing: int = 0  # files that are gone, those that moved included
    failed: int = 0
    seconds: float = 0.0
    failures: tuple[Failure, ...] = field(default=())
    refreshed: int = 0  # photos whose metadata, in them or in sidecars, was read again
    moved: int = 0  # of the recognised photos, those whose files went from another place
    refreshed_only: int = 0  # of the refreshed photos, those that were neither moved nor copied
    unreadable: tuple[Path, ...] = ()  # folders and files that could not be looked at: what is known of them stays


@dataclass(slots=True)
class Tally:
    """What a run did so far. ``recognised_photos`` are the ids of recognised photos, one for each file."""

    captioned: int = 0
    recognised: int = 0  # content known already: moved, renamed or copied
    failed: int = 0
    refreshed: int = 0  # metadata read again, without captioning
    refreshed_only: int = 0  # the same without photos that were moved or copied
    verified: int = 0  # files that were touched and hold the same bytes as before
    moved: int = 0  # files that were followed to another place
    recognised_photos: list[int] = field(default_factory=list)
    words_left: list[Path] = field(default_factory=list)  # files where another picture took the place of one of words
    errors: list[tuple[Path, PhotoError]] = field(default_factory=list)
    text_read: int = 0  # photos that were looked at for text
    with_text: int = 0  # those of them that hold some
    text_failed: int = 0

    @property
    def done(self) -> int:
        return self.captioned + self.recognised + self.failed + self.verified


@dataclass(frozen=True, slots=True)
class ForgetPlan:
    """What forgetting a path removes from the catalogue.

    ``photos`` are those that no file elsewhere holds; ``by_people`` of them have what people added: captions, tags,
    stars and other marks, albums, or that they are no duplicates. ``inside`` is the root that the path lies below, if
    any, which is indexed again with all that is there.
    """

    path: Path
    roots: tuple[Path, ...]
    present: int
    missing: int
    photos: int
    by_people: int
    inside: Path | None

    @property
    def is_empty(self) -> bool:
        return not (self.roots or self.present or self.missing)


@dataclass(frozen=True, slots=True)
class Progress:
    """State of long work. ``total`` may grow while it runs; when ``counting``, it is only what was met so far.

    ``unit`` says what is counted, in the singular, where that differs from the rest of the work.
    """

    stage: str
    done: int
    total: int
    current: Path | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    counting: bool = False
    unit: str = ""
