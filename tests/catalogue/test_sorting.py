"""The order of search results by what is known of the photos."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from photoindex.catalogue.database import Database
from photoindex.catalogue.schema import photo
from photoindex.catalogue.sorting import in_order
from tests.support import add_files, add_photo

ON_BOTH = True


def when(day: int) -> datetime:
    return datetime(2020, 1, day, tzinfo=timezone.utc)


@pytest.fixture
def photos(database: Database, album: Path) -> dict[str, int]:
    """Photos b (known best), a, C, d by name, of which d has nothing to sort by but a name."""
    known: dict[str, dict[str, object]] = {
        "b.jpg": {"taken_at": datetime(2021, 1, 1), "rating": 3, "added_at": when(3)},
        "a.jpg": {"taken_at": datetime(2020, 1, 1), "rating": 5, "added_at": when(1)},
        "C.jpg": {"taken_at": datetime(2022, 1, 1), "rating": 3, "added_at": when(2)},
        "d.jpg": {"taken_at": None, "rating": None, "added_at": when(4)},
    }
    add_files(database, album, *known)
    ids = {name: add_photo(database, album / name) for name in known}
    with database.write() as connection:
        for name, values in known.items():
            connection.execute(update(photo).where(photo.c.id == ids[name]).values(values))
    return ids


@pytest.mark.parametrize(
    ("key", "reverse", "expected"),
    [
        ("score", False, "baCd"),
        ("score", True, "dCab"),
        ("taken", False, "abCd"),
        ("taken", True, "Cbad"),
        ("name", False, "abCd"),
        ("name", True, "dCba"),
        ("rating", False, "abCd"),
        ("rating", True, "bCad"),
        ("added", False, "aCbd"),
        ("added", True, "dbCa"),
    ],
)
def test_orders(database: Database, photos: dict[str, int], key: Any, reverse: bool, expected: str) -> None:
    names = {number: name[0] for name, number in photos.items()}
    with database.read() as connection:
        ordered = in_order(connection, list(photos.values()), key, reverse=reverse)

    assert "".join(names[number] for number in ordered) == expected
