"""What differs between the databases that may hold a catalogue, besides opening it; asked of an open transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, func, select

from photoindex.system.clock import utc_now


def is_shared(connection: Connection) -> bool:
    """Return whether processes of other machines may use the catalogue, and several write at once."""
    return connection.dialect.name == "postgresql"


def insert_new(connection: Connection, table: Table) -> Any:
    """Return an insert that leaves out rows which are there already, by any of the table's unique columns."""
    if is_shared(connection):
        from sqlalchemy.dialects.postgresql import insert as insert_postgres

        return insert_postgres(table).on_conflict_do_nothing()
    from sqlalchemy.dialects.sqlite import insert as insert_sqlite

    return insert_sqlite(table).on_conflict_do_nothing()


def now_of(connection: Connection) -> datetime:
    """Return the time by which leases and waits are judged: the database's, where several machines share one."""
    if not is_shared(connection):
        return utc_now()
    moment: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return moment


def continue_numbers(connection: Connection, table: Table) -> None:
    """Let the next row that is given a number have one above all, after rows were stored with theirs."""
    key = table.primary_key.columns.values()[0]
    if not is_shared(connection) or table.autoincrement_column is not key:
        return
    name = table.name
    connection.exec_driver_sql(
        f"select setval(pg_get_serial_sequence('{name}', '{key.name}'), greatest(max({key.name}), 1),"
        f" max({key.name}) is not null) from {name}"
    )
