"""The triggers of the change feed (:mod:`.change_feed`) for SQLite: each row that changes raises the revision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from photoindex.catalogue.change_feed import NEWER, NOT_OF_PHOTO, OF_FILE, OF_ROOT, OTHERS, WORDS
from photoindex.catalogue.raw_sql import ask

if TYPE_CHECKING:
    from sqlalchemy import Connection

_PREFIX: Final = "feed_"
_RAISE: Final = "update catalogue set revision = revision + 1"


def install(connection: Connection) -> None:
    """Make the triggers, in a catalogue that has the columns for them."""
    drop(connection)
    columns = _columns(connection, "photo")
    if "revision" not in columns:
        return
    for name, event, statements in _triggers(sorted(set(columns) - NOT_OF_PHOTO)):
        newer = [table for table in NEWER if name.startswith(f"{table}_")]
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
        ("file_changed", _changed("file", OF_FILE), [_RAISE, _stamp("old.photo_id", "new.photo_id")]),
        ("file_removed", "delete on file", [_RAISE, _stamp("old.photo_id")]),
        ("root_added", "insert on root", [_RAISE]),
        ("root_changed", _changed("root", OF_ROOT), [_RAISE]),
        ("root_removed", "delete on root", [_RAISE]),
        (
            "failure_ignored",
            "update of state on job when (old.state = 'ignored') <> (new.state = 'ignored')",
            [_RAISE],
        ),
    ]
    for table in OTHERS:
        found += [
            (f"{table}_added", f"insert on {table}", [_RAISE]),
            (f"{table}_changed", f"update on {table}", [_RAISE]),
            (f"{table}_removed", f"delete on {table}", [_RAISE]),
        ]
    for table in WORDS:
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
