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
    """State of long work. ``total`` may grow while it runs; when ``counting``, it is only what was met so far."""

    stage: str
    done: int
    total: int
    current: Path | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    counting: bool = False
