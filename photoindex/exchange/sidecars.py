"""Writes the user's words about a photo into its XMP sidecar, and reads them back, without losing other programs' data.

Rules of writing, each with a test:

- A description that another program wrote, or changed after photoindex wrote it, stays. So does one that photoindex
  wrote for a user, unless the catalogue knows it as an earlier caption of the photo: in a new library, sidecars count.
- A caption that photoindex wrote, and no person before it, is replaced by the current one.
- Stars of the user replace those that stand there, unless another program changed them after photoindex wrote some.
  When the user takes theirs back, those from before come back.
- Subjects are added. Only those are removed that photoindex added and the user has taken off since.
- A sidecar that holds all of this already is not touched, and no photo ever is.
"""

from __future__ import annotations

import os
import stat as stat_bits
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import get_args

from photoindex.catalogue.user_metadata import merged_tags, tag_key
from photoindex.errors import ExchangeError
from photoindex.exchange.xmp_document import MOST_BYTES, CaptionAuthor, Mark, XmpDocument, level
from photoindex.media.metadata.cleaning import each_once, one_line
from photoindex.media.metadata.sidecars import Folder, folded, is_for
from photoindex.system.atomic import replace_file
from photoindex.system.paths import shown
from photoindex.system.storage import read_file, storage_of
from photoindex.system.url_paths import is_url
from photoindex.types import SidecarStyle

STYLES: tuple[SidecarStyle, ...] = get_args(SidecarStyle)
ATTEMPTS = 3  # at a sidecar that another program writes at the same time


@dataclass(frozen=True, slots=True)
class SidecarContent:
    """What a sidecar is to hold. ``rating`` are the user's stars, -1 to 5; ``None`` when they said nothing of them.

    ``known`` are all texts that the catalogue ever had as the user's caption of the photo, ``known_tags`` the keys of
    all tags it ever had, ``known_ratings`` all stars; ``known_favourite``: the photo is a favourite, or was one.
    ``rated``: stars were read with the photo, so that a user's none is known elsewhere only where a sidecar says 0.
    """

    caption: str | None
    source: CaptionAuthor | None
    model: str | None
    captioned_at: datetime | None
    tags: tuple[str, ...]
    known: frozenset[str] = frozenset()
    known_tags: frozenset[str] = frozenset()
    rating: int | None = None
    favourite: bool = False
    known_ratings: frozenset[int] = frozenset()
    known_favourite: bool = False
    rated: bool = False

    @property
    def says_nothing(self) -> bool:
        """Whether there is nothing to write into a new sidecar."""
        return self.caption is None and not self.tags and not self.says_stars and not self.favourite

    @property
    def says_stars(self) -> bool:
        """Whether a sidecar is to name the user's stars, though there is nothing in it yet."""
        return bool(self.rating) or (self.rating is not None and self.rated)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write, and nothing of an earlier export to remove."""
        known = self.known or self.known_tags or self.known_ratings or self.known_favourite
        return self.says_nothing and self.rating is None and not known


@dataclass(frozen=True, slots=True)
class SidecarChange:
    """What was written into a sidecar, or would be. ``caption``: ``None``, not touched; ``""``, removed.
    ``kept`` is another author's description that stays instead of the user's. ``rating``: stars, 0 for none, ``None``
    when they are not touched; ``favourite``: ``None`` when that is not touched."""

    sidecar: Path
    created: bool
    caption: str | None
    added: tuple[str, ...]
    removed: tuple[str, ...]
    kept: str | None
    rating: int | None = None
    favourite: bool | None = None

    @property
    def changes(self) -> bool:
        """Whether the file differs from what it was."""
        return (self.caption, self.rating, self.favourite) != (None,) * 3 or bool(self.added or self.removed)


class SidecarFiles:
    """Finds the XMP sidecars of photos. ``photos`` are the ids of the library's photos, by path.

    :class:`photoindex.media.metadata.sidecars.Folder` says which names may belong to a photo, in any letter case. Here
    a name that may belong to several photos is assigned: the photo whose whole name it has comes first (``a.jpg.xmp``
    is a sidecar of ``a.jpg`` and not of ``a.jpg.png``), and a stem that two photos share belongs to neither. Each
    folder is listed once, so that 100,000 new sidecars in one folder do not list it 100,000 times.
    """

    def __init__(self, photos: Mapping[Path, int]) -> None:
        self._names: dict[tuple[Path, str], int] = {}  # how many photos have a name, without regard to case
        stems: dict[tuple[Path, str], int] = {}
        self._shared: set[tuple[Path, str]] = set()
        self._folders: dict[Path, Folder] = {}
        self.unreadable: dict[Path, OSError] = {}  # folders; those that are gone hold nothing
        for path, photo_id in photos.items():
            name, stem = (path.parent, folded(path.name)), (path.parent, folded(path.stem))
            self._names[name] = self._names.get(name, 0) + 1
            if stems.setdefault(stem, photo_id) != photo_id:
                self._shared.add(stem)

    def shares_stem(self, photo: Path) -> bool:
        """Return whether ``a.xmp`` may belong to another photo than this ``a.jpg``."""
        stem = (photo.parent, folded(photo.stem))
        return stem in self._shared or stem in self._names

    def of(self, photo: Path) -> list[Path]:
        """Return the sidecars of a photo that exist, those with its whole name first."""
        paths = [path for style in STYLES for path in self._in_style(photo, style)]
        # Of links to one file the first is kept.
        return list({os.path.realpath(path): path for path in reversed(paths)}.values())[::-1]

    def to_write(self, photo: Path, style: SidecarStyle | None) -> Path:
        """Return the sidecar to write: that of ``style``, else the one that exists, else ``a.jpg.xmp``.

        An existing file counts in any letter case. Raises :class:`ExchangeError` for a style that names the sidecar of
        two photos.
        """
        if style == "a.xmp" and self.shares_stem(photo):
            raise ExchangeError(
                f"{photo.with_suffix('.xmp')} would be the sidecar of more than one photo: use --style a.jpg.xmp"
            )
        if style == "a.xmp" and any(not _is_for(photo, path) for path in self._named(photo, style)):
            raise ExchangeError(f"{photo.with_suffix('.xmp')} is the sidecar of another file: use --style a.jpg.xmp")
        for each in (style,) if style else STYLES:
            if existing := self._in_style(photo, each):
                return existing[0]
        return photo.with_suffix(".xmp") if style == "a.xmp" else photo.with_name(photo.name + ".xmp")

    def _in_style(self, photo: Path, style: SidecarStyle) -> list[Path]:
        paths = self._named(photo, style)
        return [path for path in paths if _is_for(photo, path)] if style == "a.xmp" else paths

    def _named(self, photo: Path, style: SidecarStyle) -> list[Path]:
        if style == "a.xmp" and self.shares_stem(photo):
            return []
        name = photo.name if style == "a.jpg.xmp" else photo.stem
        paths = [
            each.path
            for each in self._folder(photo.parent).beside(photo)
            if each.is_xmp and folded(each.path.stem) == folded(name)
        ]
        if self._names.get((photo.parent, folded(photo.name)), 1) > 1:
            # Photos whose names differ in case only: each has the sidecars in its own case.
            paths = [path for path in paths if path.stem == name]
        return sorted(paths, key=lambda path: path.stem != name)

    def _folder(self, path: Path) -> Folder:
        if path not in self._folders:
            try:
                names = storage_of(path).names(path)
            except OSError as error:
                names = []
                if not isinstance(error, FileNotFoundError | NotADirectoryError):
                    self.unreadable[path] = error
            self._folders[path] = Folder(path, names)
        return self._folders[path]


def _is_for(photo: Path, sidecar: Path) -> bool:
    """Return whether an ``a.xmp`` is for a photo ``a.jpg``, or for a raw file beside it: some say that they are for
    ``a.mov``. One that cannot be read says nothing."""
    try:
        return is_for(photo, sidecar, read_sidecar(sidecar).suffix)
    except ExchangeError:
        return True


def write_sidecar(path: Path, content: SidecarContent, now: datetime, *, dry_run: bool = False) -> SidecarChange | None:
    """Bring a sidecar up to date; return ``None`` when there is none and nothing to write.

    Raises :class:`ExchangeError` for a file that is no sidecar or cannot be written; the file is unchanged then.
    """
    if is_url(path):
        raise ExchangeError(f"{shown(path)} is behind a URL, where nothing is written: use export --jsonl")
    if Path(os.path.realpath(path)).suffix.lower() != ".xmp":
        raise ExchangeError(f"{path} is a link to a file that is no sidecar: it is not written")
    try:
        is_broken = stat_bits.S_ISLNK(os.lstat(path).st_mode) and not path.exists()
    except (FileNotFoundError, NotADirectoryError):
        is_broken = False
    except OSError as error:  # a photo's name that is nearly as long as names may be
        raise ExchangeError(f"cannot write {shown(path)}: {error.strerror or error}; try --style a.xmp") from error
    if is_broken:
        raise ExchangeError(f"{path} is a broken link: remove it, or restore the file it names")
    for _ in range(ATTEMPTS):
        before = _state(path)
        if before is None and content.says_nothing:
            return None
        document = read_sidecar(path) if before is not None else XmpDocument.new()
        change = _merge(path, document, content, now, created=before is None)
        if not change.changes or dry_run:
            return change
        data = document.to_bytes()
        if _state(path) == before:  # no other program has written to it meanwhile
            try:
                replace_file(path, data)
            except OSError as error:
                raise ExchangeError(f"cannot write {path}: {error.strerror or error}") from error
            return change
    raise ExchangeError(f"{path} is being written to by another program: try again")


def read_sidecar(path: Path) -> XmpDocument:
    """Read a sidecar. Raises :class:`ExchangeError`, also for a pipe, a device or a folder of this name."""
    try:
        data = read_file(path, MOST_BYTES)
    except OSError as error:
        raise ExchangeError(f"cannot read {shown(path)}: {error.strerror or error}") from error
    return XmpDocument.parse(data, path)


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ino


def _merge(
    path: Path, document: XmpDocument, content: SidecarContent, now: datetime, *, created: bool
) -> SidecarChange:
    mark = document.mark
    caption, kept = _caption_to_write(document, content)
    if caption is not None:
        document.set_caption(caption or None)
        source = content.source if caption else None
        mark = replace(
            mark,
            caption=caption or None,
            source=source,
            model=content.model if source == "model" else None,
            captioned_at=content.captioned_at if caption else None,
        )
    elif document.caption is not None and not document.caption_is_ours:
        mark = replace(mark, caption=None, source=None, model=None, captioned_at=None)
    present = {tag_key(tag): tag for tag in document.tags}
    keys = {tag_key(level(tag)) for tag in content.tags}
    added = [tag for tag in content.tags if tag_key(level(tag)) not in present]
    ours = {tag_key(tag) for tag in mark.tags}
    removed = [tag for key, tag in present.items() if key in ours & content.known_tags and key not in keys]
    if added or removed:
        document.change_tags(added, removed)
        removed_keys = {tag_key(tag) for tag in removed}
        mark = replace(mark, tags=merged_tags((tag for tag in mark.tags if tag_key(tag) not in removed_keys), added))
    mark, rating = _with_rating(document, content, mark)
    favourite = _favourite_to_write(content, mark)
    if favourite is not None:
        mark = replace(mark, favourite=favourite)
    change = SidecarChange(path, created, caption, tuple(added), tuple(removed), kept, rating, favourite)
    if change.changes:
        document.set_mark(replace(mark, written_at=now))
    return change


def _with_rating(document: XmpDocument, content: SidecarContent, mark: Mark) -> tuple[Mark, int | None]:
    """Set the stars; return the mark with them, and what was written: 0 for none, ``None`` when nothing was."""
    present, wanted = document.rating, content.rating
    is_ours = mark.rating is not None and (present or 0) == mark.rating
    if wanted is None:
        if not (is_ours and mark.rating in content.known_ratings):
            return mark, None
        document.set_rating(mark.rating_before)
        return replace(mark, rating=None, rating_before=None), mark.rating_before or 0
    is_there = present == wanted or (present is None and not content.says_stars)
    if is_there or not (is_ours or mark.rating is None):
        return mark, None
    document.set_rating(wanted)
    return replace(mark, rating=wanted, rating_before=mark.rating_before if is_ours else present), wanted


def _favourite_to_write(content: SidecarContent, mark: Mark) -> bool | None:
    """Return whether a sidecar is to say that the photo is a favourite; ``None`` where it stays as it is."""
    if content.favourite == mark.favourite or (mark.favourite and not content.known_favourite):
        return None
    return content.favourite


def _caption_to_write(document: XmpDocument, content: SidecarContent) -> tuple[str | None, str | None]:
    """Return the new description (``""``: none; ``None``: unchanged) and another author's that stays."""
    present = document.caption
    if present is None:
        return content.caption, None
    if content.caption is not None and level(present) == level(content.caption):
        was_machine = document.caption_is_machine_made
        return (content.caption if was_machine and content.source == "user" else None), None
    if document.caption_is_machine_made:
        return content.caption, None
    if document.caption_is_ours and level(present) in content.known:
        return content.caption or "", None
    return None, (present if content.source == "user" else None)


@dataclass(frozen=True, slots=True)
class SidecarWords:
    """Caption, tags, stars and favourite of a photo's sidecars; the latter two as photoindex wrote them for the user.

    ``ours``: photoindex wrote the caption for the user, who may have changed it since in another program; otherwise
    another program wrote it.
    """

    caption: str | None = None
    ours: bool = False
    captioned_at: datetime | None = None
    our_tags: tuple[str, ...] = ()
    other_tags: tuple[str, ...] = ()
    tagged_at: datetime | None = None
    rating: int | None = None
    favourite: bool = False
    marked_at: datetime | None = None

    @property
    def are_ours(self) -> bool:
        """Whether photoindex wrote any of it for the user."""
        return self.ours or bool(self.our_tags) or self.rating is not None or self.favourite


def read_words(paths: Iterable[Path], modified_at: Mapping[Path, datetime]) -> SidecarWords:
    """Read the sidecars of one photo; the first that has a caption of a user decides.

    ``modified_at`` dates captions that other programs changed. Raises :class:`ExchangeError` when one cannot be read.
    """
    words = SidecarWords()
    for path in paths:
        document = read_sidecar(path)
        mark = document.mark
        caption = None if document.caption_is_machine_made else document.caption
        ours = mark.source == "user"
        text = None if caption is None else (level(caption) if ours else document.meant_caption)
        if words.caption is None and text is not None:
            unchanged = document.caption_is_ours
            words = replace(
                words,
                caption=text,
                ours=ours,
                captioned_at=mark.captioned_at if unchanged and mark.captioned_at else modified_at[path],
            )
        our_keys = {tag_key(tag) for tag in mark.tags}
        our_tags = [tag for tag in document.tags if tag_key(tag) in our_keys]
        other_tags = each_once(one_line(tag) for tag in document.tags_by_people if tag_key(tag) not in our_keys)
        times = [time for time in (words.tagged_at, mark.written_at) if time is not None]
        words = replace(
            words,
            our_tags=merged_tags(words.our_tags, our_tags),
            other_tags=merged_tags(words.other_tags, other_tags),
            tagged_at=max(times, default=None),
            favourite=words.favourite or mark.favourite,
        )
        if words.rating is None and mark.rating is not None and (document.rating or 0) == mark.rating:
            words = replace(words, rating=mark.rating)
        if mark.rating is not None or mark.favourite:
            words = replace(words, marked_at=max(filter(None, (words.marked_at, mark.written_at)), default=None))
    return words
