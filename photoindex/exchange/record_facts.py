"""The facts of a photo in an export, checked and in the types of the catalogue's columns."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from typing import Any

from photoindex.errors import ExchangeError
from photoindex.exchange.export import FACTS
from photoindex.exchange.record_fields import check_text, short
from photoindex.exchange.records import PhotoRecord
from photoindex.types.limits import MOST_STARS

_LONGEST_FACT = 10_000  # characters
_RANGES: dict[str, tuple[float, float]] = {
    "width": (0, 2**31 - 1),
    "height": (0, 2**31 - 1),
    "orientation": (0, 2**16 - 1),
    "rating": (-1, MOST_STARS),
    "taken_offset": (-24 * 60, 24 * 60),
    "latitude": (-90, 90),
    "longitude": (-180, 180),
    "metadata_reader": (0, 2**31 - 1),
}


def facts_of_record(record: PhotoRecord) -> dict[str, Any]:
    """Return the facts that this catalogue has columns for, as the columns' types.

    Raises :class:`ExchangeError` for a value of another type, or one that no photo has.
    """
    values: dict[str, Any] = {}
    for column in FACTS:
        value = record.facts.get(column.name)
        if value is None:
            continue
        try:
            converted = _converter(column.type.python_type)(value)
            low, high = _RANGES.get(column.name, (-math.inf, math.inf))
            if isinstance(converted, (int, float)) and not low <= converted <= high:
                raise ValueError
            values[column.name] = converted
        except (TypeError, ValueError, OverflowError, NotImplementedError, KeyError, ExchangeError) as error:
            raise ExchangeError(f"facts.{column.name} cannot be {short(value)}") from error
    return values


def _converter(kind: type) -> Callable[[Any], Any]:
    def number(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
            raise ValueError
        return value

    def real(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(float(value)):
            raise ValueError
        return float(value)

    def text(value: Any) -> str:
        if not isinstance(value, str):
            raise TypeError
        check_text(value, "it", _LONGEST_FACT)
        return value

    def flag(value: Any) -> bool:
        if not isinstance(value, bool):
            raise TypeError
        return value

    def local_time(value: Any) -> datetime:
        return datetime.fromisoformat(value).replace(tzinfo=None)  # the camera's clock; its offset is another fact

    converters: dict[type, Callable[[Any], Any]] = {
        int: number, float: real, str: text, bool: flag, datetime: local_time, date: date.fromisoformat,
        bytes: partial(base64.b64decode, validate=True),
    }  # fmt: skip
    return converters[kind]
