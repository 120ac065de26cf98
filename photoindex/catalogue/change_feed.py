"""What changed in the catalogue, for whoever keeps something that is made of it: backups, caches, other machines.

Each write that matters raises ``catalogue.revision`` and stamps the photos it is about with it. Triggers do that, so no
write can go without, whichever function makes it. What a program notes for itself (jobs and their leases, batches, what
a watcher says, what an index has yet to learn) does not count; that a person ignores a failure does.

Whoever keeps a copy remembers the :class:`Version` it is of, and asks :func:`changes_after` for what came since. A
backup that is put back is another catalogue: then there is nothing to go on from.

The triggers are no part of a migration. They are dropped before one and made anew after it, as SQLite loses the
triggers of a table that Alembic rebuilds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from photoindex.catalogue.raw_sql import Asker, ask

if TYPE_CHECKING:
    from sqlalchemy import Connection

MOST: Final = 1000  # changes handed out at once
_PREFIX: Final = "feed_"
_RAISE: Final = "update catalogue set revision = revision + 1"
# Of a photo, what others are told otherwise: its own stamp, and which words the index has yet to learn.
_NOT_OF_PHOTO: Final = {"id", "revision", "text_stale", "metadata_stale", "metadata_reader"}
_OF_FILE: Final = (
    "root_id", "relative_path", "photo_id", "size", "mtime_ns", "missing_since", "sidecars", "main_id",
)  # fmt: skip
_OF_ROOT: Final = ("path", "suspended_photos")
_OTHERS: Final = ("album", "album_photo", "distinct_pair")  # whose rows change what is shown, but no photo
_NEWER: Final = (*_OTHERS, "text_line")  # tables that an older catalogue lacks
_WORDS: Final = (
    "caption",
    "term",
    "term_vector",
    "correction",
    "text_line",
)  # tables whose rows are each about one photo


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
    """Return the oldest changes after a version, ``limit`` at most; ``known`` is ``None`` at first.

    ``None``: what is known is of another catalogue, or of a state that this one does not have; begin with nothing.
    """
    now = version(transaction)
    known = known or Version(now.identity, 0)
    if known.identity != now.identity or known.revision > now.revision:
        return None
    rows = ask(
        transaction,
        "select id, revision, 0 from photo where revision > :after"
        " union all select photo_id, revision, 1 from removed_photo where revision > :after"
        " order by 2 limit :most",
        after=known.revision,
        most=limit,
    )
    reached = now if len(rows) < limit else Version(now.identity, int(rows[-1][1]))
    return PhotoChanges([row[0] for row in rows if not row[2]], [row[0] for row in rows if row[2]], reached)


def install(connection: Connection) -> None:
    """Make the triggers, in a catalogue that has the columns for them."""
    drop(connection)
    columns = _columns(connection, "photo")
    if "revision" not in columns:
        return
    for name, event, statements in _triggers(sorted(set(columns) - _NOT_OF_PHOTO)):
        newer = [table for table in _NEWER if name.startswith(f"{table}_")]
        if any(not _columns(connection, table) for table in newer):
            continue  # a catalogue that is brought to an older version
        connection.exec_driver_sql(f"create trigger {_PREFIX}{name} after {event} begin {'; '.join(statements)}; end")


def drop(connection: Connection) -> None:
    """Remove the triggers."""
    for name in _names(connection):
        connection.exec_driver_sql(f"drop trigger {name}")


def _names(connection: Connection) -> list[str]:
    rows = ask(connection, "select name from sqlite_master where type = 'trigger'")
    return [name for (name,) in rows if name.startswith(_PREFIX)]


def _columns(connection: Connection, table: str) -> list[str]:
    return [row[0] for row in ask(connection, "select name from pragma_table_info(:name)", name=table)]


def _triggers(of_photo: list[str]) -> list[tuple[str, str, list[str]]]:
    """(name, what it comes after, what it does) of each."""
    gone = "insert or replace into removed_photo (photo_id, content_hash, revision)"
    gone += " select old.id, old.content_hash, revision from catalogue"
    back = "delete from removed_photo where photo_id = new.id"
    found = [
        ("photo_added", "insert on photo", [_RAISE, back, _stamp("new.id")]),
        ("photo_changed", _changed("photo", of_photo), [_RAISE, _stamp("new.id")]),
        ("photo_removed", "delete on photo", [_RAISE, gone]),
        ("file_added", "insert on file", [_RAISE, _stamp("new.photo_id")]),
        ("file_changed", _changed("file", _OF_FILE), [_RAISE, _stamp("old.photo_id", "new.photo_id")]),
        ("file_removed", "delete on file", [_RAISE, _stamp("old.photo_id")]),
        ("root_added", "insert on root", [_RAISE]),
        ("root_changed", _changed("root", _OF_ROOT), [_RAISE]),
        ("root_removed", "delete on root", [_RAISE]),
        (
            "failure_ignored",
            "update of state on job when (old.state = 'ignored') <> (new.state = 'ignored')",
            [_RAISE],
        ),
    ]
    for table in _OTHERS:
        found += [
            (f"{table}_added", f"insert on {table}", [_RAISE]),
            (f"{table}_changed", f"update on {table}", [_RAISE]),
            (f"{table}_removed", f"delete on {table}", [_RAISE]),
        ]
    for table in _WORDS:
        found += [
            (f"{table}_added", f"insert on {table}", [_RAISE, _stamp("new.photo_id")]),
            (f"{table}_changed", f"update on {table}", [_RAISE, _stamp("old.photo_id", "new.photo_id")]),
            (f"{table}_removed", f"delete on {table}", [_RAISE, _stamp("old.photo_id")]),
        ]
    return found


def _changed(table: str, columns: list[str] | tuple[str, ...]) -> str:
    """An update that changes one of these columns; one that writes what is there is none."""
    differs = " or ".join(f"old.{name} is not new.{name}" for name in columns)
    return f"update of {', '.join(columns)} on {table} when {differs}"


def _stamp(*photos: str) -> str:
    return f"update photo set revision = (select revision from catalogue) where id in ({', '.join(photos)})"
