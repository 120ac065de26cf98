"""Statements about many rows: photos by their ids, and rows that are put in together.

A parameter for each id, or a statement for each row, takes most of the time of an edit of tens of thousands of photos:
SQLAlchemy handles each parameter, and SQLite starts again for each row that has a trigger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import BigInteger, Column, ColumnElement, Connection, Dialect, Table, bindparam, insert, select

from photoindex.catalogue.chunks import CHUNK, chunks
from photoindex.catalogue.dialects import is_shared

SET: Final = 1_000  # ids of a statement, and photos of a transaction: some tenths of a second on a slow machine


def is_one_of(column: Column[Any], numbers: Sequence[int]) -> ColumnElement[bool]:
    """Return that a column holds one of these whole numbers, which become part of the statement's text."""
    # Typed as numbers: nothing else gets into the text.
    return column.in_(bindparam(None, list(numbers), BigInteger(), expanding=True, literal_execute=True))


def among(
    connection: Connection, column: Column[Any], numbers: Iterable[int], *conditions: ColumnElement[bool]
) -> set[int]:
    """Return those of these whole numbers that a column holds in a row, of those that fulfil the conditions."""
    found: set[int] = set()
    for chunk in chunks(dict.fromkeys(numbers), SET):
        query = select(column).where(is_one_of(column, chunk), *conditions).distinct()
        found.update(connection.execute(query).scalars())
    return found


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same columns. Values are those that the columns' types take; no default of Python's
    is filled in."""
    if not rows:
        return
    if is_shared(connection):
        connection.execute(insert(table), list(rows))  # which the driver sends together
        return
    names = list(rows[0])
    stored = [_stored(table.c[name], connection.dialect) for name in names]
    quoted = ", ".join(f'"{name}"' for name in names)
    one = f"({', '.join('?' * len(names))})"
    for some in chunks(rows, CHUNK // len(names)):
        values = tuple(store(row[name]) for row in some for name, store in zip(names, stored, strict=True))
        connection.exec_driver_sql(
            f'insert into "{table.name}" ({quoted}) values {", ".join([one] * len(some))}', values
        )


def _stored(column: Column[Any], dialect: Dialect) -> Callable[[Any], Any]:
    """Return what makes of a value of a column what the driver stores; of equal ones it is made once."""
    make = column.type.dialect_impl(dialect).bind_processor(dialect)
    if make is None:
        return lambda value: value
    return lru_cache(maxsize=SET)(make)
