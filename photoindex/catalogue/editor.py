"""What people say of their photos, against what the model says: captions and tags of their own, locks, stars,
favourites, hidden photos, history, undo.

A person's caption is shown instead of a sidecar's or the model's, and is searched in its place; no model ever writes
over it. A lock keeps the caption that a photo shows at that moment, whoever's it is. Tags are added to what the model
sees. All of it is in the catalogue, marked for the full-text index in the transaction that writes it.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection

from photoindex.catalogue import corrections as store
from photoindex.catalogue import details, files, photos, raw_pairs, user_metadata
from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.database import Database
from photoindex.catalogue.indexed_files import IndexedFile, holds, indexed_files
from photoindex.catalogue.many_rows import SET
from photoindex.catalogue.user_metadata import REVIEWS, Changed, Review, UserMetadata, merged_tags, tag_key
from photoindex.errors import CorrectionError, FolderError, PhotoindexError
from photoindex.system.arguments import photo_ids_of, text_of, whole, yes_or_no
from photoindex.system.clock import utc_now
from photoindex.system.paths import absolute, all_named, shown
from photoindex.system.terminal import shell_quoted
from photoindex.system.url_paths import is_url
from photoindex.types import Correction
from photoindex.types.limits import LONGEST_CAPTION, LONGEST_TAG, MOST_STARS

_FLAGS = ("clear", "lock", "favourite", "hidden", "uncaption")
_CLEAR = ", or clear what you said"


@dataclass(frozen=True, slots=True)
class Edit:
    """What a person wants to say of photos. ``clear`` takes away caption and tags before the rest is added,
    ``uncaption`` the caption alone; ``None`` leaves a thing as it is. ``rating``: -1 (rejected), 0 (no stars) to 5;
    ``review`` of the model's caption: "wrong", "later", or "" to take it back. Raises :class:`CorrectionError` for what
    cannot be taken."""

    caption: str | None = None
    tags: tuple[str, ...] = ()
    untags: tuple[str, ...] = ()
    clear: bool = False
    lock: bool | None = None
    rating: int | None = None
    favourite: bool | None = None
    hidden: bool | None = None
    review: Review | Literal[""] | None = None
    uncaption: bool = False

    def __post_init__(self) -> None:
        if self.rating is not None:
            object.__setattr__(self, "rating", whole(self.rating, "a rating"))
            if not -1 <= self.rating <= MOST_STARS:
                raise CorrectionError(f"{self.rating} stars: give 1 to {MOST_STARS}, 0 for none or -1 for rejected")
        for name in _FLAGS:
            if (flag := getattr(self, name)) is not None:
                object.__setattr__(self, name, yes_or_no(flag, name))
        if self.review and self.review not in REVIEWS:
            raise CorrectionError(f"a review is one of {', '.join(REVIEWS)}")
        if self.caption is not None:
            object.__setattr__(self, "caption", clean_text(self.caption, "caption", LONGEST_CAPTION, _CLEAR))
        for name in ("tags", "untags"):
            tags = getattr(self, name)
            tags = (tags,) if isinstance(tags, str) else tags  # one alone is one, and not its letters
            cleaned = tuple(clean_text(tag, "tag", LONGEST_TAG, _CLEAR) for tag in tags)
            object.__setattr__(self, name, cleaned)

    @property
    def says_nothing(self) -> bool:
        return self == Edit()


def clean_text(text: str, what: str, longest: int, or_else: str = "") -> str:
    """One line in composed form (Unicode's NFC), without spaces around it. Raises :class:`CorrectionError`; ``or_else``
    is what else can be done than to give words."""
    cleaned = " ".join(unicodedata.normalize("NFC", text_of(text, f"a {what}")).split())
    if not cleaned:
        raise CorrectionError(f"an empty {what}: give it some words{or_else}")
    if len(cleaned) > longest:
        raise CorrectionError(f"a {what} of {len(cleaned):,} characters: at most {longest:,} are taken")
    # What no XML may hold, and so no sidecar.
    bad = next((c for c in cleaned if unicodedata.category(c) in ("Cc", "Cs") or c in "\ufffe\uffff"), None)
    if bad is not None:
        raise CorrectionError(f"a {what} cannot hold the character U+{ord(bad):04X}: write it without")
    return cleaned


def said_after(edit: Edit, before: UserMetadata) -> UserMetadata:
    """What is said of a photo after an edit, but for a new lock, which depends on what the photo then shows."""
    caption = None if edit.clear or edit.uncaption else before.caption
    caption = edit.caption if edit.caption is not None else caption
    gone = {tag_key(tag) for tag in edit.untags}
    kept = [] if edit.clear else [tag for tag in before.tags if tag_key(tag) not in gone]
    tags = merged_tags(kept, edit.tags)
    locked = before.locked
    if locked is not None and locked.source == "user" and caption is None:
        locked = None  # what it kept was taken away
    elif locked is not None and edit.caption is not None:
        locked = user_metadata.Locked("user", edit.caption)
    review = before.review if edit.review is None else edit.review or None
    if caption is not None or edit.lock:
        review = None  # the caption that is shown is the person's, or right
    return UserMetadata(
        caption,
        tags,
        None if edit.lock is False else locked,
        before.rating if edit.rating is None else edit.rating,
        before.favourite if edit.favourite is None else edit.favourite,
        before.hidden if edit.hidden is None else edit.hidden,
        review,
    )


def write_said(connection: Connection, changed: Changed, edit: str, now: datetime) -> None:
    """Store what is now said of photos, note what changed, and mark the photos for the full-text index."""
    user_metadata.put_user_metadata(connection, changed, now)
    store.note(connection, changed, edit, now)
    photos.mark_text_stale(connection, list(changed))


def _differing(before: dict[int, UserMetadata], after: dict[int, UserMetadata]) -> Changed:
    return {number: (before[number], now) for number, now in after.items() if now != before[number]}


def _locked(now: dict[int, UserMetadata], shown: dict[int, user_metadata.Locked]) -> dict[int, UserMetadata]:
    """Return what is said with a lock on the caption that each photo shows."""
    if now.keys() - shown.keys():
        raise CorrectionError("a photo without a caption cannot be locked: give it one with --caption")
    return {number: replace(one, locked=shown[number]) for number, one in now.items()}


def _apply(connection: Connection, photo_ids: Sequence[int], edit: Edit, name: str, now: datetime) -> int:
    """Make an edit of photos in one transaction; return how many it changed. Photos that were removed from the
    catalogue since they were chosen are left out."""
    photo_ids = photos.known(connection, photo_ids)
    before = user_metadata.user_metadata_of(connection, photo_ids)
    afterwards = {one: said_after(edit, one) for one in set(before.values())}  # of most photos the same is said
    after = {number: afterwards[one] for number, one in before.items()}
    write_said(connection, _differing(before, after), name, now)
    changed = {number for number, one in after.items() if one != before[number]}
    if edit.lock:
        locked = _locked(after, user_metadata.shown(connection, photo_ids))
        write_said(connection, _differing(after, locked), name, now)
        changed |= {number for number, one in locked.items() if one != after[number]}
    return len(changed)


@contextmanager
def _counted_in_errors(total: int, done_what: str) -> Iterator[list[int]]:
    """Have an error say of how many photos something was done: as many as were noted in what this yields."""
    done: list[int] = []
    try:
        yield done
    except PhotoindexError as error:
        if done:
            error.args = (f"{error} ({sum(done):,} of {total:,} photos were {done_what} before: again does the rest)",)
        raise


def new_edit() -> str:
    """A name for all that is changed at once."""
    return secrets.token_hex(16)


def _check_unchanged(place: Path, indexed: Mapping[Path, IndexedFile]) -> None:
    """Raise :class:`FolderError` if a file, or the JPEG beside a raw file, holds other content than was indexed. One
    that cannot be reached now, or is behind a URL, is taken for what it was."""
    shot = raw_pairs.shot_of(place) if place not in indexed else None
    beside = [place] if shot is None else [each for each in indexed if raw_pairs.shot_of(each) == shot]
    for path in (each for each in beside if not is_url(each)):
        try:
            unchanged = holds(path, indexed[path])
        except OSError:
            continue
        if not unchanged:
            command = f"photoindex index {shell_quoted(path.parent)}"
            raise FolderError(f"{shown(path)} has changed since it was indexed: run {command} first")


class Editor:
    """Changes what people say of photos. ``sync`` brings the full-text index up to date afterwards."""

    def __init__(
        self,
        database: Database,
        sync: Callable[[], object] = lambda: None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._sync = sync
        self._now = now

    def photos_at(self, paths: Sequence[Path | str]) -> list[int]:
        """The photos at these paths, each once. Raises :class:`FolderError` for a path without one, and for one that
        holds other content now: what is said of it would be of the old content."""
        found: dict[int, None] = {}
        places: list[Path] = []
        with self._database.read() as connection:
            for place in map(absolute, all_named(paths)):
                row = files.photo_at(connection, place)
                if row is None:
                    raise details.unknown(place, "name photos, or use --where")
                if row[1] is None:
                    command = f"photoindex index {shell_quoted(place.parent)}"
                    raise FolderError(f"{shown(place)} has not been captioned yet: run {command} first")
                found[row[1]] = None
                places.append(place)
            indexed = indexed_files(connection, list(found))
        for place in places:
            _check_unchanged(place, indexed)
        return list(found)

    def said(self, photo_ids: Sequence[int]) -> dict[int, UserMetadata]:
        """What people say of each of these photos now."""
        with self._database.read() as connection:
            return user_metadata.user_metadata_of(connection, photo_ids_of(photo_ids))

    def apply(self, photo_ids: Sequence[int], edit: Edit, name: str | None = None) -> int:
        """Make one edit of all these photos; returns how many it changed. ``name``, by :func:`new_edit`, is what
        :meth:`undo_edit` knows it by.

        Many photos are edited by several transactions, so that nobody waits long for the catalogue. When one of them
        fails, the photos before it are edited, the error says how many, and the same edit again does the rest.

        They are found by it when this returns. Raises :class:`CorrectionError` when a photo that is to be locked shows
        no caption, before any is changed, and :class:`photoindex.errors.FullTextError` when the index cannot be
        written now: the edit is stored all the same, and the next run brings it into the index.
        """
        name, now, changed, photo_ids = name or new_edit(), self._now(), 0, photo_ids_of(photo_ids)
        if edit.lock and len(photo_ids) > SET:
            self._check_captioned(photo_ids, edit)
        with _counted_in_errors(len(photo_ids), "edited") as done:
            for chunk in chunks(photo_ids, SET):
                with self._database.write() as connection:
                    changed += _apply(connection, chunk, edit, name, now)
                done.append(len(chunk))
        self._sync()
        return changed

    def _check_captioned(self, photo_ids: Sequence[int], edit: Edit) -> None:
        if edit.caption is None:
            with self._database.read() as connection:
                known = photos.known(connection, photo_ids)
                _locked(dict.fromkeys(known, UserMetadata()), user_metadata.shown(connection, known))

    def undo(self, photo_ids: Sequence[int]) -> dict[int, list[Correction]]:
        """Undo the last edit of each of these photos that is not undone yet; returns what each had changed.

        What was undone stays in the history. Photos without anything to undo are left out. As :meth:`apply` does, it
        takes several transactions for many.
        """
        return self._undo(photo_ids_of(photo_ids), None)

    def undo_edit(self, name: str) -> dict[int, list[Correction]]:
        """Undo one edit of all photos, but for those that were edited again since; returns what each had changed."""
        with self._database.read() as connection:
            photo_ids = store.photos_last_edited_by(connection, name)
        return self._undo(photo_ids, name)

    def _undo(self, photo_ids: Sequence[int], name: str | None) -> dict[int, list[Correction]]:
        """Undo the edit of this name, or whichever was the last, in transactions that each look what the last one is:
        meanwhile others edit and undo."""
        undone: dict[int, list[Correction]] = {}
        with _counted_in_errors(len(photo_ids), "undone") as done:
            for chunk in chunks(photo_ids, SET):
                with self._database.write() as connection:
                    some = store.restore_last(connection, chunk, self._now(), name)
                    photos.mark_text_stale(connection, list(some))
                undone |= some
                done.append(len(chunk))
        self._sync()
        return undone

    def history(self, photo_ids: Sequence[int]) -> dict[int, tuple[Correction, ...]]:
        """All that people changed of each photo, oldest first."""
        with self._database.read() as connection:
            return store.corrections_of(connection, photo_ids_of(photo_ids))
