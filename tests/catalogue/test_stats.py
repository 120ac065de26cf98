"""What a library holds, counted, and drawn as bars."""

from __future__ import annotations

import json
import os
import shutil
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from sqlalchemy import update

from photoindex.catalogue.database import Database
from photoindex.catalogue.editor import Edit
from photoindex.catalogue.schema import photo
from photoindex.cli.main import main
from photoindex.cli.stats import bars
from photoindex.library import Library
from tests.conftest import OpenLibrary
from tests.support import FakeCaptioner, make_photo

ON_BOTH = True


def test_photos_are_counted_under_each_heading(library: Library, database: Database, album: Path) -> None:
    make_photo(album / "one" / "a.jpg", "red")
    make_photo(album / "one" / "b.png", "red")
    shutil.copy(album / "one" / "a.jpg", album / "copy.jpg")
    gone = make_photo(album / "gone.jpg", "blue")
    library.index(album)
    gone.unlink()
    library.index(album)
    with database.write() as connection:
        connection.execute(
            update(photo)
            .where(photo.c.format == "PNG")
            .values(taken_at=datetime(2023, 7, 1, 12), taken_source="exif", camera="Canon R5", latitude=1.0)
        )
    found = library.stats()
    assert (found.photos, found.captioned, found.undated, found.unknown_camera, found.located) == (2, 2, 1, 1, 1)
    assert (found.years, found.months, found.cameras) == ({"2023": 1}, {"2023-07": 1}, {"Canon R5": 1})
    assert found.formats == {"JPEG": 1, "PNG": 1}
    assert found.folders == {str(album / "one"): 2, str(album): 1}
    assert (found.caption_sources, found.words, found.labels) == ({"model": 2}, {"red": 2, "square": 2}, {"paint": 2})
    assert list(library.stats(1).words) == ["red"]


def test_what_is_not_known_of_photos_is_counted_as_that(library: Library, database: Database, album: Path) -> None:
    odd = album / os.fsdecode(b"caf\xe9") if sys.platform == "linux" else album / "café"
    for number, folder in enumerate((album, album, album / "in" / "in", odd, odd)):
        make_photo(folder / f"{number}.jpg")
    shutil.copy(album / "0.jpg", odd / "copy.jpg")
    shutil.copy(album / "0.jpg", odd / "again.jpg")
    library.index(album)
    told: list[dict[str, Any]] = [
        {"camera": None, "format": None, "looks": None, "width": None},
        {"camera": "", "taken_at": datetime(2021, 1, 1), "taken_source": "mtime", "looks": "bw dark nonsense"},
        {"camera": "X", "taken_at": datetime(987, 12, 31, 23, 59), "taken_source": "folder", "looks": "dark"},
        {"camera": "X", "taken_at": datetime(2021, 1, 1), "taken_source": None},
        {"camera": "Y", "taken_at": datetime(2021, 11, 1), "taken_source": "exif", "latitude": 0.0},
    ]
    with database.write() as connection:
        for number, facts in enumerate(told, 1):
            connection.execute(update(photo).where(photo.c.id == number).values(facts))

    found = library.stats()

    assert (found.photos, found.undated, found.unknown_camera, found.located) == (5, 2, 2, 1)
    assert found.years == {"2021": 2, "987": 1}
    assert found.months == {"2021-01": 1, "2021-11": 1, "987-12": 1}
    assert found.cameras == {"X": 2, "Y": 1}
    assert found.formats == {"JPEG": 4, "unknown": 1}
    assert (found.looks["dark"], found.looks["bw"], found.looks["landscape"]) == (2, 1, 4)
    assert found.folders == {str(odd): 3, str(album): 2, str(album / "in" / "in"): 1}
    assert list(library.stats(2).folders) == [str(odd), str(album)]


def test_forms_of_a_word_are_one(library: Library, database: Database, album: Path) -> None:
    from photoindex.catalogue.schema import caption

    for name in ("a.jpg", "b.jpg", "c.jpg"):
        make_photo(album / name)
    library.index(album)
    with database.write() as connection:
        for photo_id, text in ((1, "dogs and a dog"), (2, "two dogs"), (3, "the dogs run")):
            connection.execute(
                update(caption).where(caption.c.photo_id == photo_id, caption.c.rank == 0).values(text=text)
            )
    assert library.stats().words == {"dogs": 3, "run": 1, "two": 1}


def test_a_caption_that_is_kept_counts_and_not_what_came_later(
    library: Library, open_library: OpenLibrary, album: Path
) -> None:
    for name in ("kept.jpg", "said.jpg"):
        make_photo(album / name, "red")
    library.index(album)
    editor = library.editor()
    editor.apply(editor.photos_at([album / "kept.jpg"]), Edit(lock=True))
    with open_library(FakeCaptioner("fake-2", shape="circle")) as other:
        other.recaption()
        editor = other.editor()
        editor.apply(editor.photos_at([album / "said.jpg"]), Edit(caption="a red ball"))
        found = other.stats()
    assert found.words == {"red": 2, "ball": 1, "square": 1}
    assert (found.caption_sources, found.captioned) == ({"model": 1, "user": 1}, 2)


def test_an_empty_library_has_nothing_to_count(library: Library) -> None:
    library.close()
    result = CliRunner().invoke(main, ["--data-dir", str(library.settings.data_dir), "stats"])
    assert result.exit_code == 0
    assert result.stdout.startswith("0 photos, 0 bytes; 0 captioned\n")


def test_the_command_draws_bars_and_prints_json(library: Library, album: Path) -> None:
    make_photo(album / "a.jpg")
    library.index(album)
    library.close()
    runner, start = CliRunner(), ["--data-dir", str(library.settings.data_dir), "stats"]
    shown = runner.invoke(main, start).stdout
    assert "\nformats\n  JPEG  █" in shown
    assert json.loads(runner.invoke(main, [*start, "--json"]).stdout)["formats"] == {"JPEG": 1}


def test_bars_are_as_long_as_what_they_count_and_fit() -> None:
    lines = list(bars({"ab": 100, "c": 50, "x" * 90 + "end": 1}, 80))
    assert max(map(len, lines)) <= 80
    lengths = [line.count("█") for line in lines]
    assert lengths[0] == 2 * lengths[1] or abs(lengths[0] - 2 * lengths[1]) == 1
    assert lengths[2] == 1
    assert "xend" in lines[2]
    assert "#" in next(bars({"a\x1b[2J": 1}, 40, solid=False))
    assert "\x1b" not in next(bars({"a\x1b[2J": 1}, 40))
