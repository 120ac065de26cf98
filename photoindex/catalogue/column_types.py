"""Columns that take whatever the file system, a photo's metadata or a model gives them.

The rule: a value that the database cannot hold never fails the row, nor the rows that are written with it. A number of
the file system is kept as the nearest one that fits, or by its last 64 bits where it only tells files apart
(:mod:`photoindex.types.files` has that rule); a number that was read in a photo and cannot be one is not known. Text
loses what is no text.
"""

from __future__ import annotations

import math
import os
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Float, Integer, LargeBinary, String, Text, TypeDecorator
from sqlalchemy.types import TypeEngine

from photoindex.catalogue.mounted import engine_mounts
from photoindex.catalogue.stored_paths import stored_path
from photoindex.system.paths import native_path
from photoindex.types.files import clamped, signed, wrapped


class PathText(TypeDecorator[str]):
    """A path as the bytes the file system holds, so that a name that is no valid UTF-8 survives the round trip.

    Its parts are separated by ``/`` on every system, which is what queries for a folder rely on.
    """

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | os.PathLike[str] | None, dialect: Dialect) -> bytes | None:
        return None if value is None else stored_path(os.fspath(value))

    def process_result_value(self, value: Any | None, dialect: Dialect) -> str | None:
        return None if value is None else os.fsdecode(bytes(value))


class RootText(PathText):
    """A root's path: as it is on this machine for the program, and as all machines know it in the catalogue."""

    cache_ok = True

    def process_bind_param(self, value: str | os.PathLike[str] | None, dialect: Dialect) -> bytes | None:
        return None if value is None else engine_mounts(dialect).everywhere(stored_path(os.fspath(value)))

    def process_result_value(self, value: Any | None, dialect: Dialect) -> str | None:
        return None if value is None else native_path(engine_mounts(dialect).here(bytes(value)))


class UtcTime(TypeDecorator[datetime]):
    """An aware time, kept as UTC; SQLite has no time zones."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        with suppress(OverflowError):  # on the first or the last day of the calendar
            value = value.astimezone(timezone.utc)
        return value.replace(tzinfo=None)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=timezone.utc)


class Clamped(TypeDecorator[int]):
    """A number of the file system, the nearest that 64 bits hold."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        return None if value is None else clamped(value)


class Unsigned64(TypeDecorator[int]):
    """A number that tells files or devices apart by all its 64 bits; SQL integers are signed."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        return None if value is None else signed(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> int | None:
        return None if value is None else wrapped(int(value))


class Whole(TypeDecorator[int]):
    """A whole number that was read in a photo; one that 64 bits do not hold is not known."""

    impl = Integer
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[int]:
        # SQLite's INTEGER has 64 bits, others' has 32.
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else BigInteger())

    @property
    def python_type(self) -> type[int]:
        return int

    def process_bind_param(self, value: float | None, dialect: Dialect) -> int | None:
        if isinstance(value, float):
            value = int(value) if value.is_integer() else None
        return value if value is not None and clamped(value) == value else None


class Real(TypeDecorator[float]):
    """A number that was read in a photo or comes of a model; what is none, or endless, is not known."""

    impl = Float
    cache_ok = True

    @property
    def python_type(self) -> type[float]:
        return float

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        try:
            return float(value) if value is not None and math.isfinite(value) else None
        except OverflowError:  # a whole number of hundreds of digits
            return None


class Weight(Real):
    """The same where something must stand: 0."""

    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float:
        return super().process_bind_param(value, dialect) or 0.0


class PlainText(TypeDecorator[str]):
    """Text. The zero character, which ends text for many programs, is left out; half of a character is a mark."""

    impl = Text
    cache_ok = True

    @property
    def python_type(self) -> type[str]:
        return str

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else plain_text(value)


class ShortText(PlainText):
    """The same of a length that is given, which SQLite does not hold anybody to."""

    impl = String  # type: ignore[assignment]
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self._length = length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        return dialect.type_descriptor(String(self._length) if dialect.name == "sqlite" else Text())


def plain_text(text: str) -> str:
    """Return text as the catalogue can keep it."""
    if "\0" in text:
        text = text.replace("\0", "")
    # By way of UTF-16, in which two halves that belong together become their character again.
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
