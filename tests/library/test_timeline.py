"""The timeline narrowed: which folders it can be narrowed to, and that nothing is worked out twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from photoindex.library import Library
from photoindex.library.gallery import Gallery, TimelineFilter
from photoindex.library.gallery.timeline import MOST_KEPT, folder_counts
from tests.support import COLOURS, make_photo


def path(*names: str) -> str:
    return os.sep.join(("", *names))


def test_a_folder_counts_what_lies_below_it_and_one_that_tells_nothing_apart_is_left_out() -> None:
    own = [
        (path("home", "u", "Pictures", "2023", "june"), 2),
        (path("home", "u", "Pictures", "2023", "july"), 3),
        (path("home", "u", "Pictures", "2024", "trip"), 4),
        (path("home", "u", "Pictures", "2024"), 1),
    ]
    assert dict(folder_counts(own)) == {
        path("home", "u", "Pictures"): 10,
        path("home", "u", "Pictures", "2023"): 5,
        path("home", "u", "Pictures", "2023", "june"): 2,
        path("home", "u", "Pictures", "2023", "july"): 3,
        path("home", "u", "Pictures", "2024"): 5,
        path("home", "u", "Pictures", "2024", "trip"): 4,
    }
    assert folder_counts([]) == []
    assert folder_counts([(path("a"), 1)]) == [(path("a"), 1)]


@pytest.fixture
def gallery(library: Library, album: Path) -> Gallery:
    for number, colour in enumerate(COLOURS):
        make_photo(album / f"{number % 2}" / f"{colour}.jpg", colour)
    library.index(album)
    return Gallery(library)


def test_places_rows_and_neighbours_are_those_of_what_is_left(gallery: Gallery, album: Path) -> None:
    chosen = TimelineFilter(folder=str(album / "1"))
    timeline = gallery.narrowed(chosen)
    ids = [int(timeline.snapshot.ids[row]) for row in timeline.rows(0, 99)]
    assert len(ids) == timeline.count == len(COLOURS) // 2
    assert [timeline.place_of(one) for one in ids] == list(range(len(ids)))
    others = {int(one) for one in gallery.timeline().ids} - set(ids)
    assert {timeline.place_of(one) for one in others} == {None}
    assert timeline.place_of(10_000) is None
    assert gallery.neighbours(ids[0], chosen) == (None, ids[1])
    assert gallery.neighbours(ids[-1], chosen) == (ids[-2], None)
    assert gallery.neighbours(10_000, chosen) == (None, None)
    assert sum(count for _, count in timeline.days()) == len(timeline.shapes()) == timeline.count
    # What a folder would leave beside the other parts of the filter, of which there are none.
    assert timeline.choices["folder"] == [(str(album), 6), (str(album / "0"), 3), (str(album / "1"), 3)]
    assert timeline.choices["camera"] == []
    gallery.close()


def set_marks(gallery: Gallery, marks: str, photo_id: int) -> None:
    with gallery.library.database.write() as connection:
        connection.exec_driver_sql(f"update photo set {marks} where id = {photo_id}")
    gallery._snapshots.latest(now=True)


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize(
    ("chosen", "marks"),
    [
        (TimelineFilter(), "hidden = true"),
        (TimelineFilter(rating=5), "own_rating = 4"),
        (TimelineFilter(rating=5), "hidden = true"),
        (TimelineFilter(camera="Canon"), "camera = 'Nikon'"),
    ],
)
def test_a_photo_that_leaves_the_timeline_keeps_its_neighbours(
    gallery: Gallery, chosen: TimelineFilter, marks: str, place: int
) -> None:
    with gallery.library.database.write() as connection:
        connection.exec_driver_sql("update photo set own_rating = 5, camera = 'Canon'")
    ids = gallery._snapshots.latest(now=True).ids.tolist()
    around = gallery.neighbours(ids[place], chosen)
    assert around == (ids[place - 1] if place else None, ids[place + 1] if place < 5 else None)
    set_marks(gallery, marks, ids[place])
    assert gallery.narrowed(chosen).place_of(ids[place]) is None
    assert gallery.neighbours(ids[place], chosen) == around
    # Its neighbours pass over it, and it passes over one that leaves behind it.
    if place and place < 5:
        assert gallery.neighbours(ids[place - 1], chosen)[1] == ids[place + 1]
        set_marks(gallery, marks, ids[place + 1])
        assert gallery.neighbours(ids[place], chosen) == (ids[place - 1], ids[place + 2] if place < 4 else None)
    gallery.close()


def test_a_timeline_is_kept_while_its_photos_are_the_same(gallery: Gallery) -> None:
    chosen = TimelineFilter(rating=1)
    first = gallery.narrowed(chosen)
    assert gallery.narrowed(chosen) is first
    for number in range(MOST_KEPT):
        gallery.narrowed(TimelineFilter(camera=str(number)))
    assert gallery.narrowed(chosen) is not first
    kept = gallery.narrowed(chosen)
    with gallery.library.database.write() as connection:
        connection.exec_driver_sql("update photo set own_rating = 4 where id = 2")
    gallery._snapshots.latest(now=True)
    assert gallery.narrowed(chosen) is not kept
    assert gallery.narrowed(chosen).count == 1
    gallery.close()
