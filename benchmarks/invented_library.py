"""A library of invented photos for the benchmarks of the gallery, as large as asked, with dates, places, cameras, tags.

Its files do not exist, so that nothing of it is decoded.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import invented
from search_scale import FIRST_DAY
from sqlalchemy import insert, update

from photoindex.catalogue import feed_triggers
from photoindex.catalogue.database import Database
from photoindex.catalogue.opening import open_database
from photoindex.catalogue.schema import caption, catalogue, file, photo, term, term_vector
from photoindex.config import Settings
from photoindex.library import Library

DAYS = 365 * 12
PLACES = 400
INVENTED = 100_000  # photos, whose captions are drawn; further ones repeat them
CAMERAS = ("Canon EOS R5", "Pixel 9", "iPhone 15 Pro", "Nikon Z6", "FUJIFILM X-T5")
TAGS = ("holiday", "family", "garden", "work", "birthday", "winter walk")


def make(folder: Path, count: int) -> None:
    """Make a library with its index."""
    make_catalogue(folder, count)
    with Library(Settings(folder / "data")) as library:
        library.rebuild_full_text()


def make_catalogue(folder: Path, count: int) -> None:
    """Make a catalogue whose photos were taken over twelve years, in many shapes, places and folders; a third has no
    position, and one in twenty has a tag. What is above :data:`INVENTED` photos repeats their captions."""
    album = folder / "album"
    album.mkdir(parents=True, exist_ok=True)
    database = open_database(folder / "data" / "catalogue.sqlite3")
    with database.write() as connection:
        feed_triggers.drop(connection)  # nobody keeps anything of a library that is being made
    invented.fill(database, album, min(count, INVENTED))
    multiply(database, count)
    database.close()


def multiply(database: Database, count: int) -> None:
    """Repeat the first photos until there are so many, and tell them apart by date, place, camera and tags."""
    with database.write() as connection:
        feed_triggers.drop(connection)
        for shift in range(INVENTED, count, INVENTED):
            for table, owner in ((photo, "id"), (file, "photo_id"), (caption, "photo_id"), (term, "photo_id"),
                                 (term_vector, "photo_id")):  # fmt: skip
                columns = [column.name for column in table.columns if column.name != "id" or owner == "id"]
                values = {
                    owner: f"{owner} + {shift}", "content_hash": f"printf('%064d', id + {shift})",
                    "relative_path": f"cast('{shift}/' || relative_path as blob)", "revision": f"revision + {shift}",
                }  # fmt: skip
                wanted = ", ".join(values.get(name, f'"{name}"') for name in columns)
                names = ", ".join(f'"{name}"' for name in columns)
                connection.exec_driver_sql(
                    f"insert into {table.name} ({names}) select {wanted} from {table.name}"
                    f" where {owner} <= {min(INVENTED, count - shift)}"
                )
        facts = list(_facts(1, count))[1:]
        statement = (
            f"update photo set revision = id, {', '.join(f'{name} = :{name}' for name in facts)} where id = :one"
        )
        for first in range(0, count, 20_000):
            numbers = range(first + 1, min(first + 20_000, count) + 1)
            connection.exec_driver_sql(statement, [_facts(number, count) for number in numbers])
            tags = [{"photo_id": number, "text": TAGS[number // 20 % len(TAGS)], "weight": 1.0, "source": "keyword"}
                    for number in numbers if number % 20 == 0]  # fmt: skip
            connection.execute(insert(term), tags)
        connection.execute(update(catalogue).values(vector_revision=count, revision=count))
        feed_triggers.install(connection)


def _facts(number: int, count: int) -> dict[str, Any]:
    """What is known of an invented photo."""
    taken = FIRST_DAY + timedelta(days=number * DAYS // count, seconds=number % 50_000)
    place = number // 40 * 7919 % PLACES  # forty photos after each other are of one place
    found: dict[str, Any] = {
        "one": number, "taken_at": None if number % 100 == 0 else f"{taken:%Y-%m-%d %H:%M:%S}.000000",
        "width": (4000, 2250, 4000, 4500)[number % 4],
        "camera": CAMERAS[number % len(CAMERAS)], "favourite": number % 50 == 0,
        "latitude": None, "longitude": None, "city": None, "country": None,
    }  # fmt: skip
    if number % 3:
        found |= {
            "latitude": -55 + 120 * (place * 31 % PLACES) / PLACES + number % 40 / 4000,
            "longitude": -170 + 340 * place / PLACES + number % 37 / 4000,
            "city": f"City {place}", "country": f"Country {place % 40}",
        }  # fmt: skip
    return found
