"""The triggers of the change feed (:mod:`.change_feed`) for PostgreSQL, where many transactions write at once.

A revision must not be seen before a lower one that is committed later, or whoever asks for what came after it misses
that one. So a transaction notes what it touches under a number of its own, below zero, which nobody else sees, and the
revisions are given when it commits: by a trigger that PostgreSQL puts off until then, which takes the counter's row for
the few statements that are left.

``photo.text_stale`` is always 0 here. It is one program's note of what its index has yet to learn, and here each node
has an index of its own, which the feed tells what changed. So a mark counts as a change of the photo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from photoindex.catalogue.change_feed import NOT_OF_PHOTO, OF_FILE, OF_ROOT, OTHERS, WORDS
from photoindex.catalogue.raw_sql import ask

if TYPE_CHECKING:
    from sqlalchemy import Connection

_PREFIX: Final = "feed_"

_FUNCTIONS: Final = {
    # The number of this transaction, below zero.
    "feed_pending() returns bigint language sql": "select -(pg_current_xact_id()::text::bigint)",
    "feed_touch_photo() returns trigger language plpgsql": """
        begin
            new.text_stale := 0;
            new.revision := feed_pending();
            return new;
        end""",
    "feed_remove_photo() returns trigger language plpgsql": """
        begin
            insert into removed_photo (photo_id, content_hash, revision)
            values (old.id, old.content_hash, feed_pending())
            on conflict (photo_id) do update set revision = excluded.revision;
            return null;
        end""",
    # After statements about rows of one photo each; the rows are called "touched", whether they came or went.
    "feed_touch_photos() returns trigger language plpgsql": """
        begin
            update photo set revision = feed_pending()
            where id in (select photo_id from touched) and revision <> feed_pending();
            return null;
        end""",
    "feed_touch_file() returns trigger language plpgsql": """
        begin
            if tg_op <> 'INSERT' then
                update photo set revision = feed_pending() where id = old.photo_id and revision <> feed_pending();
            end if;
            if tg_op <> 'DELETE' then
                update photo set revision = feed_pending() where id = new.photo_id and revision <> feed_pending();
            end if;
            return null;
        end""",
    # When the transaction commits, once: the first of many calls does it.
    "feed_number() returns trigger language plpgsql": """
        declare
            last bigint;
            photos bigint;
            removed bigint;
        begin
            if current_setting('photoindex.numbered', true) = feed_pending()::text then
                return null;
            end if;
            perform set_config('photoindex.numbered', feed_pending()::text, true);
            select count(*) into photos from photo where revision = feed_pending();
            select count(*) into removed from removed_photo where revision = feed_pending();
            update catalogue set revision = revision + greatest(1, photos + removed) returning revision into last;
            update photo set revision = last - removed - place
            from (select id as numbered, row_number() over (order by id desc) - 1 as place from photo
                  where revision = feed_pending()) as these
            where id = numbered;
            update removed_photo set revision = last - place
            from (select photo_id as numbered, row_number() over (order by photo_id desc) - 1 as place
                  from removed_photo where revision = feed_pending()) as these
            where photo_id = numbered;
            return null;
        end""",
}


def install(connection: Connection) -> None:
    """Make the triggers."""
    drop(connection)
    for signature, body in _FUNCTIONS.items():
        connection.exec_driver_sql(f"create or replace function {signature} as $feed$ {body} $feed$")
    for name, event, function in _triggers(sorted(set(_columns(connection, "photo")) - NOT_OF_PHOTO)):
        kind = "constraint trigger" if "deferrable" in event else "trigger"
        connection.exec_driver_sql(f"create {kind} {_PREFIX}{name} {event} execute function {function}()")


def drop(connection: Connection) -> None:
    """Remove the triggers."""
    for name, table in _present(connection):
        connection.exec_driver_sql(f"drop trigger {name} on {table}")


def missing(connection: Connection) -> list[str]:
    """Return the names of triggers that should be there and are not."""
    present = {name for name, _ in _present(connection)}
    return [_PREFIX + name for name, _, _ in _triggers([]) if _PREFIX + name not in present]


def _present(connection: Connection) -> list[tuple[str, str]]:
    """(name, table) of each trigger of the feed."""
    rows = ask(
        connection,
        "select tgname, relname from pg_trigger join pg_class on pg_class.oid = tgrelid"
        " where not tgisinternal and relnamespace = (select oid from pg_namespace where nspname = current_schema())",
    )
    return [(name, table) for name, table in rows if name.startswith(_PREFIX)]


def _columns(connection: Connection, table: str) -> list[str]:
    sql = "select column_name from information_schema.columns where table_schema = current_schema()"
    return [name for (name,) in ask(connection, f"{sql} and table_name = :name", name=table)]


def _triggers(of_photo: list[str]) -> list[tuple[str, str, str]]:
    """(name, when it is called, function) of each."""
    row = "for each row"
    late = "deferrable initially deferred for each row"
    photo_differs = _differs([*of_photo, "text_stale"])
    found = [
        ("photo_added", f"before insert on photo {row}", "feed_touch_photo"),
        ("photo_changed", f"before update on photo {row} when ({photo_differs})", "feed_touch_photo"),
        ("photo_removed", f"after delete on photo {row}", "feed_remove_photo"),
        ("photo_late", f"after insert or update on photo {late} when (new.revision < 0)", "feed_number"),
        ("removed_late", f"after insert or update on removed_photo {late} when (new.revision < 0)", "feed_number"),
        ("file_touched", f"after insert or delete on file {row}", "feed_touch_file"),
        ("file_changed", f"after update on file {row} when ({_differs(OF_FILE)})", "feed_touch_file"),
        ("file_late", f"after insert or delete on file {late}", "feed_number"),
        ("file_changed_late", f"after update on file {late} when ({_differs(OF_FILE)})", "feed_number"),
        ("root_late", f"after insert or delete on root {late}", "feed_number"),
        ("root_changed_late", f"after update on root {late} when ({_differs(OF_ROOT)})", "feed_number"),
        (
            "failure_ignored_late",
            f"after update on job {late} when ((old.state = 'ignored') <> (new.state = 'ignored'))",
            "feed_number",
        ),
    ]
    found += [
        (f"{table}_late", f"after insert or update or delete on {table} {late}", "feed_number") for table in OTHERS
    ]
    for table in WORDS:
        for event, rows in (("insert", "new"), ("update", "new"), ("delete", "old")):
            when = f"after {event} on {table} referencing {rows} table as touched for each statement"
            found.append((f"{table}_{event}", when, "feed_touch_photos"))
    return found


def _differs(columns: list[str] | tuple[str, ...]) -> str:
    return " or ".join(f"old.{name} is distinct from new.{name}" for name in columns)
