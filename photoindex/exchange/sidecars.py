"""What a person says of a photo into its XMP sidecar and back, without losing what others wrote there.

The rules of writing, a test for each:

- A description that somebody else wrote, or changed after us, stays. So does one that we wrote for the person, unless
  the catalogue knows it as an earlier caption of the photo: in a new library, sidecars come first.
- What we wrote for a model is replaced by what is to be said now.
- Subjects are added; only those that we added and the person has taken off since go.
- A sidecar that says all of this already is not touched, and no photo ever is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

from photoindex.catalogue.corrections import tag_key
from photoindex.catalogue.editor import merged_tags
from photoindex.errors import ExchangeError
from photoindex.exchange.xmp_document import Sidecar, level
from photoindex.system.atomic import replace_file
from photoindex.types import SidecarStyle

STYLES: tuple[SidecarStyle, ...] = get_args(SidecarStyle)
ATTEMPTS = 3  # at a sidecar that others write to at the same time


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a sidecar is to say of a photo. ``known`` are the texts that the catalogue had as the person's caption at
    any time, ``known_tags`` the keys of all tags it ever had."""

    caption: str | None
    source: Literal["user", "model"] | None
    model: str | None
    captioned_at: datetime | None
    tags: tuple[str, ...]
    known: frozenset[str] = frozenset()
    known_tags: frozenset[str] = frozenset()

    @property
    def says_nothing(self) -> bool:
        return self.caption is None and not self.tags and not self.known and not self.known_tags


@dataclass(frozen=True, slots=True)
class Written:
    """What was written into a sidecar, or would be. ``caption``: ``None``, not touched; ``""``, taken away.
    ``kept`` is somebody else's description that stays in the place of the person's."""

    sidecar: Path
    created: bool
    caption: str | None
    added: tuple[str, ...]
    removed: tuple[str, ...]
    kept: str | None

    @property
    def changes(self) -> bool:
        return self.caption is not None or bool(self.added or self.removed)


def sidecar_of(photo: Path, style: SidecarStyle | None, shared: bool) -> Path:
    """The sidecar of a photo: of ``style`` when that is given, else the one that is there, else ``a.jpg.xmp``.

    ``shared``: another photo has the same name but for its suffix, and so the same ``a.xmp``. Raises
    :class:`ExchangeError` when that one is asked for.
    """
    names = {"a.jpg.xmp": photo.with_name(photo.name + ".xmp"), "a.xmp": photo.with_suffix(".xmp")}
    if style == "a.xmp" and shared:
        raise ExchangeError(f"{names[style]} would be the sidecar of more than one photo: use --style a.jpg.xmp")
    for name in (style,) if style else STYLES if not shared else STYLES[:1]:
        for path in (names[name], names[name].with_suffix(".XMP")):
            if path.is_file():
                return path
    return names[style or STYLES[0]]


def sidecars_at(photo: Path, shared: bool) -> list[Path]:
    """The sidecars of a photo that are there, of either style, the fuller name first."""
    names = [photo.name, *(() if shared else (photo.stem,))]
    found: list[Path] = []
    for path in (photo.with_name(name + suffix) for name in names for suffix in (".xmp", ".XMP")):
        if path.is_file() and not any(path.samefile(other) for other in found):
            found.append(path)
    return found


def shared_stems(photos: Mapping[Path, int]) -> set[Path]:
    """The paths without suffix that are those of several photos; ``photos`` are the ids of the photos at all paths."""
    seen: dict[Path, int] = {}
    shared = set()
    for path, photo_id in photos.items():
        if seen.setdefault(path.with_suffix(""), photo_id) != photo_id:
            shared.add(path.with_suffix(""))
    return shared


def write_sidecar(path: Path, wanted: Wanted, now: datetime, *, dry_run: bool = False) -> Written | None:
    """Let a sidecar say what is wanted; ``None`` when there is nothing to say and nobody said anything.

    Raises :class:`ExchangeError` for a file that is no sidecar or cannot be written; then it is as it was.
    """
    if Path(os.path.realpath(path)).suffix.lower() != ".xmp":
        raise ExchangeError(f"{path} is a link to what is no sidecar: it is not written to")
    for _ in range(ATTEMPTS):
        before = _state(path)
        if before is None and wanted.caption is None and not wanted.tags:
            return None
        sidecar = read_sidecar(path) if before is not None else Sidecar.new()
        written = _merge(path, sidecar, wanted, now, created=before is None)
        if not written.changes or dry_run:
            return written
        content = sidecar.to_bytes()
        if _state(path) == before:  # nobody wrote to it meanwhile
            try:
                replace_file(path, content)
            except OSError as error:
                raise ExchangeError(f"cannot write {path}: {error.strerror or error}") from error
            return written
    raise ExchangeError(f"{path} is being written to by another program: try again")


def read_sidecar(path: Path) -> Sidecar:
    """The sidecar at ``path``. Raises :class:`ExchangeError`."""
    try:
        return Sidecar.parse(path.read_bytes(), path)
    except OSError as error:
        raise ExchangeError(f"cannot read {path}: {error.strerror or error}") from error


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


def _merge(path: Path, sidecar: Sidecar, wanted: Wanted, now: datetime, *, created: bool) -> Written:
    mark = sidecar.mark
    there = sidecar.caption
    caption, kept = _caption_to_write(sidecar, wanted)
    if caption is not None:
        sidecar.set_caption(caption or None)
        source = wanted.source if caption else None
        mark = replace(
            mark,
            caption=caption or None,
            source=source,
            model=wanted.model if source == "model" else None,
            captioned_at=wanted.captioned_at if caption else None,
        )
    elif there is not None and not sidecar.caption_is_ours:
        mark = replace(mark, caption=None, source=None, model=None, captioned_at=None)
    present = {tag_key(tag): tag for tag in sidecar.tags}
    keys = {tag_key(tag) for tag in wanted.tags}
    added = [tag for tag in wanted.tags if tag_key(tag) not in present]
    ours = {tag_key(tag) for tag in mark.tags}
    removed = [tag for key, tag in present.items() if key in ours & wanted.known_tags and key not in keys]
    if added or removed:
        sidecar.change_tags(added, removed)
        gone = {tag_key(tag) for tag in removed}
        mark = replace(mark, tags=merged_tags((tag for tag in mark.tags if tag_key(tag) not in gone), added))
    written = Written(path, created, caption, tuple(added), tuple(removed), kept)
    if written.changes:
        sidecar.set_mark(replace(mark, written_at=now))
    return written


def _caption_to_write(sidecar: Sidecar, wanted: Wanted) -> tuple[str | None, str | None]:
    """(what the description is to say, ``""`` for nothing, ``None`` for what it says; somebody else's that stays)."""
    there, mark = sidecar.caption, sidecar.mark
    if there is None:
        return wanted.caption, None
    if wanted.caption is not None and level(there) == level(wanted.caption):
        was_machine = sidecar.caption_is_machine_made
        return (wanted.caption if was_machine and wanted.source == "user" else None), None
    if sidecar.caption_is_ours and mark.source == "model":
        return wanted.caption, None
    if sidecar.caption_is_ours and level(there) in wanted.known:
        return wanted.caption or "", None
    return None, (there if wanted.source == "user" else None)


@dataclass(frozen=True, slots=True)
class Found:
    """What the sidecars of a photo say. ``ours``: the caption is the person's own, by our mark, though they may have
    changed it since in another program; otherwise it is what the file says of itself."""

    caption: str | None = None
    ours: bool = False
    captioned_at: datetime | None = None
    our_tags: tuple[str, ...] = ()
    other_tags: tuple[str, ...] = ()
    tagged_at: datetime | None = None


def found_in(paths: Iterable[Path], modified_at: Mapping[Path, datetime]) -> Found:
    """What these sidecars say together; the first with a caption by a person has the word.

    Raises :class:`ExchangeError` when one cannot be read.
    """
    found = Found()
    for path in paths:
        sidecar = read_sidecar(path)
        mark, caption = sidecar.mark, sidecar.caption
        if found.caption is None and caption is not None and not sidecar.caption_is_machine_made:
            unchanged = sidecar.caption_is_ours
            found = replace(
                found,
                caption=level(caption),
                ours=mark.source == "user",
                captioned_at=mark.captioned_at if unchanged and mark.captioned_at else modified_at[path],
            )
        ours = {tag_key(tag) for tag in mark.tags}
        mine = [tag for tag in sidecar.tags if tag_key(tag) in ours]
        others = [tag for tag in sidecar.tags if tag_key(tag) not in ours]
        times = [time for time in (found.tagged_at, mark.written_at) if time is not None]
        found = replace(
            found,
            our_tags=merged_tags(found.our_tags, mine),
            other_tags=merged_tags(found.other_tags, others),
            tagged_at=max(times, default=None),
        )
    return found
