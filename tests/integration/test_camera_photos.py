"""Photos of many cameras, as they came: found by when, where and with what they were taken, and by people's words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from photoindex.config import Settings
from photoindex.library import Library
from tests.support import FakeCaptioner, names


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """A library of the shared camera photos."""
    import os

    from tests.support import REPOSITORY

    folder = Path(os.environ.get("PHOTOINDEX_SHARED", REPOSITORY.parent / "shared")) / "data" / "library"
    if not folder.is_dir():
        pytest.skip(f"no camera photos: {folder} does not exist")
    data = tmp_path_factory.mktemp("data")
    with Library(Settings(data, settle_seconds=0.0, read_text="never"), lambda _: FakeCaptioner()) as library:
        library.index(folder)
        yield library


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("camera:iphone", ["metadata-extractor__Apple_iPhone_4.jpg"]),
        ("camera:nikon place:slovakia", ["metadata-extractor__Nikon_D5000.jpg"]),
        ("place:paris", ["metadata-extractor__FujiFilm_FinePixS2Pro.jpg"]),
        ("place:wales harvest", ["metadata-extractor__FujiFilm_FinePixS1Pro_(2).jpg"]),
        ("lens:18", ["metadata-extractor__Nikon_D5000.jpg"]),
        ("taken:2017-07-07", ["metadata-extractor__Issue_339.jpg"]),
        ("tag:woodworking", ["metadata-extractor__Nikon_D1X.jpg"]),
        ('caption:"workbench and storage"', ["metadata-extractor__Nikon_D1X.jpg"]),
        ("title:jupiter", ["metadata-extractor__Issue_600_(2).jpg"]),
        ("camera:sanyo -has:date", ["exif-samples__sanyo-vpcg250.jpg"]),  # 1998-01-01 00:00:00: its clock was not set
        ("caption:olympus", []),
        ("place:ghana", []),  # the nearest to 0, 0
    ],
)
def test_what_a_query_finds(cameras: Library, query: str, found: list[str]) -> None:
    assert names(cameras.search(query)) == found


def test_places_dates_and_people_s_words_are_counted(cameras: Library) -> None:
    counts = {what: len(cameras.search(f"has:{what}", None)) for what in ("gps", "place", "date", "caption")}

    assert counts == {"gps": 21, "place": 21, "date": 72, "caption": 10}


def test_in_the_order_in_which_they_were_taken(cameras: Library) -> None:
    hits = cameras.search("has:date", 3, sort="taken")

    assert names(hits) == [f"metadata-extractor__FujiFilm_DS-7_({number}).jpg" for number in (1, 2, 3)]
