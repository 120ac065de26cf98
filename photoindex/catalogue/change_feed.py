"""What changed in the catalogue, for whoever keeps something that is made of it: backups, caches, other machines.

Each write that matters raises ``catalogue.revision`` and stamps the photos it is about with it. Triggers do that
(:mod:`.feed_triggers`), so no write can go without, whichever function makes it. What a program notes for itself (jobs
and their leases, batches, what a watcher says, what an index has yet to learn) does not count; that a person ignores a
failure does.

Whoever keeps a copy remembers the :class:`Version` it is of, and asks :func:`changes_after` for what came since. A
backup that is put back is another catalogue: then there is nothing to go on from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from photoindex.catalogue.raw_sql import Asker, ask

if TYPE_CHECKING:
    from sqlalchemy import Connection

MOST: Final = 1000  # changes handed out at once
# Of a photo, what others are told otherwise: its own stamp, and which words the index has yet to learn.
NOT_OF_PHOTO: Final = {"id", "revision", "text_stale", "metadata_stale", "metadata_reader"}
OF_FILE: Final = (
    "root_id", "relative_path", "photo_id", "size", "mtime_ns", "missing_since", "sidecars", "main_id",
)  # fmt: skip
OF_ROOT: Final = ("path", "suspended_photos")
OTHERS: Final = ("album", "album_photo", "distinct_pair")  # whose rows change what is shown, but no photo
# Tables whose rows are each about one photo.
WORDS: Final = ("caption", "term", "term_vector", "correction", "text_line")
NEWER: Final = (*OTHERS, "text_line")  # tables that an older catalogue lacks
_CHANGES: Final = (
    "select id, revision, 0 from photo where revision {0}"
    " union all select photo_id, revision, 1 from removed_photo where revision {0}"
)


class Version(NamedTuple):
    """Which state of which catalogue something is of: two that are equal hold the same."""

    identity: str
    revision: int


class PhotoChanges(NamedTuple):
    """The photos that are new or changed, by id, those that are gone, and the version that one is at with them."""

    photos: list[int]
    removed: list[int]
    version: Version


def version(transaction: Asker | Connection) -> Version:
    """Return the version that the catalogue is at now."""
    [(identity, revision)] = ask(transaction, "select identity, revision from catalogue")
    return Version(str(identity), int(revision))


def changes_after(transaction: Asker | Connection, known: Version | None, limit: int = MOST) -> PhotoChanges | None:
    """Return the oldest changes after a version: all, or ``limit`` and those of the last one's revision; ``known`` is
    ``None`` at first.

    ``None``: what is known is of another catalogue, or of a state that this one does not have; begin with nothing.
    """
    now = version(transaction)
    known = known or Version(now.identity, 0)
    if known.identity != now.identity or known.revision > now.revision:
        return None
    rows = ask(transaction, f"{_CHANGES.format('> :after')} order by 2 limit :most", after=known.revision, most=limit)
    reached = now
    if len(rows) >= limit:
        last = int(rows[-1][1])
        # Two photos may have one revision, as when a file goes from one to the other.
        rows = [row for row in rows if row[1] < last]
        rows += ask(transaction, _CHANGES.format("= :last"), last=last)
        reached = Version(now.identity, last)
    return PhotoChanges([row[0] for row in rows if not row[2]], [row[0] for row in rows if row[2]], reached)


def last_removal(transaction: Asker | Connection) -> int:
    """Return the revision at which a photo was removed last; 0: none was."""
    [(revision,)] = ask(transaction, "select coalesce(max(revision), 0) from removed_photo")
    return int(revision)


def removed_after(transaction: Asker | Connection, revision: int) -> list[int]:
    """Return the photos that were removed after a revision, by id."""
    rows = ask(transaction, "select photo_id from removed_photo where revision > :after", after=revision)
    return [int(number) for (number,) in rows]
