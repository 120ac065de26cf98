"""Ids of photos as programs give them: of any kind of whole number, and one by one; what is none is refused."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from photoindex.catalogue.editor import Edit
from photoindex.errors import AlbumError
from photoindex.library import Library
from tests.support import make_photo

# Each asks for something about photos, and returns what differs between those that were meant and none.
TAKING_IDS: list[Callable[[Library, Any], object]] = [
    lambda library, ids: [photo.id for photo in library.photos(ids)],
    lambda library, ids: library.albums.put("new", ids)[1],
    lambda library, ids: library.albums.add("new", None, ids).photos,
    lambda library, ids: library.albums.remove(library.albums.named("old").id, ids),
    lambda library, ids: library.albums.set_distinct(ids),
    lambda library, ids: (library.albums.set_distinct([1, 2]), library.albums.set_distinct(ids, False)),
    lambda library, ids: library.editor().apply(ids, Edit(tags=("new",))),
    lambda library, ids: library.editor().apply(ids, Edit(lock=True)),
    lambda library, ids: library.editor().said(ids),
    lambda library, ids: {number: len(changes) for number, changes in library.editor().history(ids).items()},
    lambda library, ids: {number: len(changes) for number, changes in library.editor().undo(ids).items()},
    lambda library, ids: library.exchange().write_lines(io.BytesIO(), ids),
    lambda library, ids: library.exchange().write_sidecars(ids).written,
]
GIVEN: list[Callable[[list[int]], Iterable[object]]] = [
    lambda ids: np.array(ids, np.uint16),
    lambda ids: (np.int64(number) for number in ids),
]
NO_IDS: list[object] = ["12", ["1"], [1.0], np.array([1.0]), [None], [True], [b"1"]]
TAKING_A_NUMBER: list[Callable[[Library, Any], object]] = [
    lambda library, number: library.albums.get(number).name,
    lambda library, number: library.albums.photos(number),
    lambda library, number: [album.name for album in library.albums.holding(number)],
    lambda library, number: len(library.album_hits(number)),
    lambda library, number: library.albums.rename(number, "other"),
    lambda library, number: library.albums.delete(number)[1],
    lambda library, number: library.batches.get(number).kind,
    lambda library, number: library.batches.pause(number),
    lambda library, number: library.batches.cancel(number),
    lambda library, number: library.editor().apply([1], Edit(rating=number)),
]


@pytest.fixture
def edited(library: Library, album: Path) -> Library:
    """A library of two photos that are tagged, picked for an album, and wait in a batch."""
    for name, colour in (("a.jpg", "red"), ("b.jpg", "blue")):
        make_photo(album / name, colour)
    library.index(album)
    library.editor().apply([1, 2], Edit(tags=("mine",)))
    library.albums.put("old", [1, 2])
    library.queue_recaption(everything=True)
    return library


@pytest.mark.parametrize("given", GIVEN, ids=range(len(GIVEN)))
@pytest.mark.parametrize("take", TAKING_IDS, ids=range(len(TAKING_IDS)))
def test_ids_of_any_kind_are_of_the_photos_that_are_meant(
    edited: Library, take: Callable[[Library, Any], object], given: Callable[[list[int]], Iterable[object]]
) -> None:
    expected = {
        0: [1, 2], 1: 2, 2: 2, 3: 2, 4: 3, 5: (3, 3), 6: 2, 7: 2, 8: edited.editor().said([1, 2]), 9: {1: 1, 2: 1},
        10: {1: 1, 2: 1}, 11: 2, 12: 2,
    }  # fmt: skip
    assert take(edited, given([1, 2])) == expected[TAKING_IDS.index(take)]
    assert edited.search("tag:mine", limit=None) or TAKING_IDS.index(take) == 10


@pytest.mark.parametrize("given", NO_IDS, ids=range(len(NO_IDS)))
def test_what_is_no_id_is_refused_before_anything_is_done(edited: Library, given: object) -> None:
    before = edited.albums.all(), edited.editor().history([1, 2])
    for take in TAKING_IDS[:5] + TAKING_IDS[6:]:
        with pytest.raises(TypeError, match="the id of a photo is a whole number, not"):
            take(edited, given)
    assert (edited.albums.all(), edited.editor().history([1, 2])) == before


@pytest.mark.parametrize("take", TAKING_A_NUMBER, ids=range(len(TAKING_A_NUMBER)))
def test_one_number_may_be_of_any_kind(edited: Library, take: Callable[[Library, Any], object]) -> None:
    expected = ["old", [1, 2], ["old"], 2, None, [1, 2], "all", [1], [1], 1]
    assert take(edited, np.int64(1)) == expected[TAKING_A_NUMBER.index(take)]


@pytest.mark.parametrize("number", ["1", 1.0, 2.5, True, b"1"])
def test_what_is_no_number_is_refused(edited: Library, number: object) -> None:
    for take in TAKING_A_NUMBER:
        with pytest.raises(TypeError, match="is a whole number, not"):
            take(edited, number)


TOO_LARGE = [2**63, 2**80, np.uint64(2**63)]


@pytest.mark.parametrize("number", [*TOO_LARGE, 0, -1, -(2**80)])
def test_a_number_that_no_database_holds_is_of_no_photo_and_no_album(edited: Library, number: Any) -> None:
    expected = {
        0: [1, 2], 1: 2, 2: 2, 3: 2, 4: 3, 5: (3, 3), 6: 2, 7: 2, 8: edited.editor().said([1, 2]), 9: {1: 1, 2: 1},
        10: {1: 1, 2: 1}, 11: 2, 12: 2,
    }  # fmt: skip
    for place in (0, 1, 8, 9, 11, 12, 4, 6):
        assert TAKING_IDS[place](edited, [1, number, 2]) == expected[place]
    assert (edited.albums.photos(number), edited.albums.holding(number), edited.album_hits(number)) == ([], [], [])
    for take in (edited.albums.get, edited.albums.delete, lambda one: edited.albums.rename(one, "other")):
        with pytest.raises(AlbumError, match="there is no such album"):
            take(number)
