"""Reads the fields of a line of an export, which is data of unknown origin: types, ranges and sizes are checked."""

from __future__ import annotations

import base64
import binascii
import math
from datetime import datetime, timezone
from typing import Any, Final, cast

from photoindex.catalogue.user_metadata import REVIEWS, Review
from photoindex.errors import ExchangeError

MOST_TEXT: Final = 1_000_000  # characters of one caption, tag or name


def short(value: Any) -> str:
    """Return a value for an error message: at most 60 characters, whatever its size and depth."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    text = value if isinstance(value, str) else str(value)
    return ascii(text if len(text) <= 40 else text[:40] + "...")


class RecordFields:
    """Reads the fields of a JSON object. Errors name the field by its position in the line."""

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise ExchangeError(f"{where.rstrip('.')} must be an object")
        self._value, self._where = value, where

    def _get(self, name: str, kinds: tuple[type, ...], what: str, optional: bool) -> Any:
        value = self._value.get(name)
        if value is None and optional:
            return None
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise ExchangeError(f"{self._where}{name} must be {what}")
        return value

    def text(self, name: str, longest: int = MOST_TEXT) -> str:
        return cast(str, self.optional_text(name, longest, optional=False))

    def optional_text(
        self, name: str, longest: int = MOST_TEXT, *, optional: bool = True, path: bool = False
    ) -> str | None:
        value = self._get(name, (str,), "text", optional)
        if value is not None:
            check_text(value, self._where + name, longest, path=path)
        return cast("str | None", value)

    def path(self, name: str) -> str:
        return cast(str, self.optional_text(name, optional=False, path=True))

    def number(self, name: str) -> int:
        value = self._get(name, (int,), "a whole number", False)
        if not 0 <= value < 2**63:
            raise ExchangeError(f"{self._where}{name} must be a whole number from 0 to 2^63")
        return cast(int, value)

    def numbers(self, name: str, count: int, most: int) -> tuple[int, ...]:
        values = self._get(name, (list,), "a list", False)
        if len(values) != count or not all(type(each) is int and 0 <= each <= most for each in values):
            raise ExchangeError(f"{self._where}{name} must be {count} whole numbers from 0 to {most:,}")
        return tuple(values)

    def real(self, name: str, *, optional: bool = False) -> float | None:
        value = self._get(name, (int, float), "a number", optional)
        try:
            number = None if value is None else float(value)
        except OverflowError:  # a whole number of hundreds of digits
            number = math.inf
        if number is not None and not math.isfinite(number):
            raise ExchangeError(f"{self._where}{name} must be a finite number")
        return number

    def stars(self, name: str) -> int | None:
        value = self._get(name, (int,), "a whole number", True)
        if value is not None and not -1 <= value <= 5:
            raise ExchangeError(f"{self._where}{name} must be from -1 to 5")
        return cast("int | None", value)

    def review(self, name: str) -> Review | None:
        value = self._get(name, (str,), "text", True)
        if value is not None and value not in REVIEWS:
            raise ExchangeError(f"{self._where}{name} must be one of {', '.join(REVIEWS)}")
        return cast("Review | None", value)

    def flag(self, name: str) -> bool:
        return bool(self._get(name, (bool,), "true or false", True))

    def time(self, name: str) -> datetime:
        return cast(datetime, self.optional_time(name, optional=False))

    def optional_time(self, name: str, *, optional: bool = True) -> datetime | None:
        text = self._get(name, (str,), "a time", optional)
        if text is None:
            return None
        try:
            time = datetime.fromisoformat(text.replace("Z", "+00:00"))
            return (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
        except (ValueError, OverflowError) as error:
            raise ExchangeError(f"{self._where}{name} is not an ISO 8601 time: {short(text)}") from error

    def base64(self, name: str) -> bytes:
        try:
            return base64.b64decode(self._get(name, (str,), "base64", False), validate=True)
        except (binascii.Error, ValueError) as error:
            raise ExchangeError(f"{self._where}{name} must be base64") from error

    def object(self, name: str) -> dict[str, Any]:
        return cast("dict[str, Any]", self._get(name, (dict,), "an object", True) or {})

    def texts(self, name: str, *, path: bool = False) -> tuple[str, ...]:
        values = self._get(name, (list,), "a list", True) or []
        for number, value in enumerate(values):
            if not isinstance(value, str):
                raise ExchangeError(f"{self._where}{name}[{number}] must be text")
            check_text(value, f"{self._where}{name}[{number}]", path=path)
        return tuple(values)

    def rows(self, name: str) -> list[RecordFields]:
        values = self._get(name, (list,), "a list", True) or []
        return [RecordFields(value, f"{self._where}{name}[{number}].") for number, value in enumerate(values)]

    def has(self, name: str) -> bool:
        return self._value.get(name) is not None


def check_text(text: str, where: str, longest: int = MOST_TEXT, *, path: bool = False) -> None:
    """Raise :class:`ExchangeError` for a text that is too long or cannot be stored; ``path`` allows lone surrogates."""
    if len(text) > longest:
        raise ExchangeError(f"{where} has {len(text):,} characters, at most {longest:,} are read")
    try:
        text.encode("utf-8", "surrogateescape" if path else "strict")
    except UnicodeEncodeError as error:
        raise ExchangeError(f"{where} holds a lone surrogate") from error
    if "\0" in text:
        raise ExchangeError(f"{where} holds a NUL")
