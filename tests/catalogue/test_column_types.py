"""Values that no database column takes as they are: each costs itself alone."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from photoindex.catalogue import files, metadata, photos, user_metadata
from photoindex.catalogue.database import Database
from photoindex.catalogue.fast_queries import known_states
from photoindex.catalogue.roots import ensure_root, list_roots
from photoindex.catalogue.schema import caption, photo, root, term
from photoindex.library import Library
from photoindex.types import Candidate, FileStat, Label, PhotoFacts, Place, Prediction, ScannedFile, Written
from tests.support import NOW, add_files, add_photo, make_photo, names

OpenLibrary = Callable[..., Library]
HUGE = 10**400
YEARS = ["2300-01-01", "2262-04-12", "1677-09-20", "1600-01-01", "9999-12-31", "1969-12-31"]
NUMBERS = [2**63 - 1, 2**63, 2**64, 2**127 + 5, -(2**63), -(2**63) - 1, -(2**100), 0, -1]


@pytest.mark.parametrize("day", YEARS)
def test_a_file_of_any_year_is_indexed_and_known_again(open_library: OpenLibrary, album: Path, day: str) -> None:
    for name in ("a", "m", "z"):
        make_photo(album / f"{name}.jpg")
    seconds = int(datetime.fromisoformat(day).replace(tzinfo=timezone.utc).timestamp())
    os.utime(album / "m.jpg", ns=(0, seconds * 10**9))
    if os.stat(album / "m.jpg").st_mtime_ns != seconds * 10**9:
        pytest.skip("this file system has no such year")
    library = open_library()
    assert library.index(album).seen == 3
    assert names(library.search("red")) == ["a.jpg", "m.jpg", "z.jpg"]
    again = library.index(album)
    assert (again.unchanged, again.captioned, again.recognised) == (3, 0, 0)
    assert open_library().index(album).unchanged == 3


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_of_the_file_system_cost_no_neighbour(database: Database, album: Path, number: int) -> None:
    odd = FileStat(abs(number), number, abs(number), number)
    scanned = [ScannedFile(album / "a.jpg", FileStat(1, 2, 3, 4)), ScannedFile(album / "odd.jpg", odd),
               ScannedFile(album / "z.jpg", FileStat(4, 5, 6, 7))]  # fmt: skip
    with database.write() as connection:
        ensure_root(connection, album)
        assert files.record_files(connection, scanned) == 3
    with database.ask() as asker:
        known = known_states(asker, album)
    assert known[str(album / "a.jpg")] == (1, 2, 3, 4)
    size, mtime_ns, inode, ctime_ns = known[str(album / "odd.jpg")]
    half = 1 << 63
    clamped = max(-half, min(half - 1, number))
    assert (size, mtime_ns, ctime_ns) == (min(abs(number), half - 1), clamped, clamped)
    assert inode == abs(number) % (1 << 64)
    add_photo(database, album / "odd.jpg", content_hash="odd")
    with database.write() as connection:
        files.link_photos(connection, [files.Link(2, 1, odd)])


@pytest.mark.parametrize("number", [0, 1, 2**63, 2**64 - 1, 2**64 + 7])
def test_a_device_of_any_number_is_known_again(database: Database, album: Path, number: int) -> None:
    with database.write() as connection:
        connection.execute(insert(root).values(path=str(album), device=number, added_at=NOW))
        assert [each.device for each in list_roots(connection)] == [number % 2**64]


FACTS = PhotoFacts("JPEG", 48, 32)
ODD_FACTS = {
    "no number": dataclasses.replace(FACTS, latitude=math.nan, longitude=math.nan, altitude=math.nan),
    "endless": dataclasses.replace(FACTS, latitude=math.inf, longitude=-math.inf, altitude=math.inf),
    "hundreds of digits": dataclasses.replace(FACTS, altitude=HUGE, rating=HUGE, taken_offset=-HUGE, orientation=HUGE),
    "beyond 64 bits": dataclasses.replace(FACTS, rating=2**63, taken_offset=-(2**63) - 1, width=2**64),
    "half a character": dataclasses.replace(FACTS, camera="Canon \ud83d", lens="\udcff50mm"),
    "a zero character": dataclasses.replace(FACTS, camera="Canon\0EOS", lens="\0"),
    "in a place": dataclasses.replace(FACTS, place=Place("Lis\0boa", "\udfff", "", "Portugal", "PT", "")),
    "the first day": dataclasses.replace(FACTS, taken_at=datetime.min),
    "the last day": dataclasses.replace(FACTS, taken_at=datetime.max),
}


@pytest.mark.parametrize("what", ODD_FACTS)
def test_what_was_read_in_a_photo_costs_no_neighbour(database: Database, what: str) -> None:
    contents = [
        photos.Content(name, 1, facts) for name, facts in (("a", FACTS), ("odd", ODD_FACTS[what]), ("z", FACTS))
    ]
    with database.write() as connection:
        ids = photos.save_photos(connection, contents)
        photos.save_photos(connection, contents)  # met again
        metadata.save_facts(connection, dict(zip(ids, (FACTS, ODD_FACTS[what], FACTS), strict=True)))
        rows = connection.execute(select(photo).order_by(photo.c.id)).all()
    assert [row.width for row in rows][::2] == [48, 48]
    for value in rows[1]:
        assert not isinstance(value, float) or math.isfinite(value)
        assert not isinstance(value, str) or (value.isprintable() and json.loads(json.dumps(value)) == value)
        if isinstance(value, str):
            value.encode("utf-8")


TEXTS = ["half \ud83d", "\udcff\udcfe", "a\0b", "\0", "\ud83d\ude00 joined", "x" * 100_000, "\ufffe\uffff", "e\u0301"]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text[:12]))
def test_text_costs_no_neighbour(database: Database, album: Path, text: str) -> None:
    add_files(database, album, "a.jpg", "b.jpg")
    first, second = add_photo(database, album / "a.jpg"), add_photo(database, album / "b.jpg")
    written = Written(title=text, caption=text, keywords=(text, "tea"), people=(text,), places=(text,))
    with database.write() as connection:
        metadata.save_written(connection, {first: written, second: Written(keywords=("cup",))})
        user_metadata.put_tags(connection, {first: [text, "garden"]})
        user_metadata.put_captions(connection, {first: text}, NOW)
        predicted = Prediction((Candidate(text, -1.0, -1.0),), (Label(text, 0.5),), (Label(text, 0.5),))
        photos.save_predictions(connection, {first: predicted}, 1, text)
    with database.read() as connection:
        words = connection.execute(select(term.c.text)).scalars().all()
        said_texts = connection.execute(select(caption.c.text)).scalars().all()
    assert {"tea", "cup", "garden"} <= set(words)
    for each in (*words, *said_texts):
        assert "\0" not in each
        each.encode("utf-8")
    if "joined" in text:
        assert "\U0001f600 joined" in words


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, HUGE])
def test_what_a_model_says_costs_no_neighbour(database: Database, album: Path, number: float) -> None:
    add_files(database, album, "a.jpg", "b.jpg")
    ids = [add_photo(database, album / name) for name in ("a.jpg", "b.jpg")]
    odd = Prediction((Candidate("odd", number, number),), (Label("thing", number),))
    good = Prediction((Candidate("good", -1.0, -1.0),), (Label("thing", 0.5),))
    with database.write() as connection:
        photos.save_predictions(connection, dict(zip(ids, (odd, good), strict=True)), 1, "none")
    with database.read() as connection:
        weights = connection.execute(select(term.c.weight).order_by(term.c.photo_id)).scalars().all()
        assert weights == [0.0, 0.5]
        assert {"odd", "good"} <= set(connection.execute(select(caption.c.text)).scalars())


@pytest.mark.parametrize("moment", [datetime.min, datetime.max])
@pytest.mark.parametrize("hours", [-14, 0, 14])
def test_a_time_at_the_end_of_the_calendar_is_kept(
    database: Database, album: Path, moment: datetime, hours: int
) -> None:
    add_files(database, album, "a.jpg")
    photo_id = add_photo(database, album / "a.jpg")
    made = moment.replace(tzinfo=timezone(timedelta(hours=hours)))
    with database.write() as connection:
        user_metadata.put_captions(connection, {photo_id: "mine"}, made)
        assert connection.execute(select(caption.c.created_at).where(caption.c.text == "mine")).scalar() is not None
