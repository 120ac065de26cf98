"""What photos look like and how sure the model is, from a file to search, `show`, statistics, exports and upgrades."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image, ImageOps

from photoindex.catalogue import photos
from photoindex.catalogue.editor import Edit
from photoindex.catalogue.opening import open_database
from photoindex.cli.main import main
from photoindex.library import Library
from photoindex.types import Hit, Prediction
from tests.conftest import OpenLibrary
from tests.support import FakeCaptioner, make_photo, migrate

ON_BOTH = True

SURE = {"red": 0.9, "blue": 0.25, "green": None}


class SureCaptioner(FakeCaptioner):
    """Knows how likely its captions are right, but for green ones; takes photos large enough to be measured."""

    def __init__(self, identity: str = "sure-1", *, knows: bool = True) -> None:
        super().__init__(identity)
        self.input_size = 160
        self._knows = knows

    def _predict(self, pixels: NDArray[np.uint8]) -> Prediction:
        said = super()._predict(pixels)
        colour = next((name for name in SURE if name in said.caption), "green")
        best = dataclasses.replace(said.candidates[0], confidence=SURE[colour] if self._knows else None)
        return dataclasses.replace(said, candidates=(best, *said.candidates[1:]))


def make_photos(album: Path) -> None:
    for colour in SURE:
        make_photo(album / f"{colour}.jpg", colour)
    grains = Image.fromarray(np.random.default_rng(5).integers(60, 250, (200, 300), dtype=np.uint8))
    ImageOps.colorize(grains, "black", "yellow").save(album / "Screenshot 1.png")
    grains.convert("RGB").resize((900, 200)).save(album / "grey.png")


@pytest.fixture
def indexed(open_library: OpenLibrary, album: Path) -> Library:
    make_photos(album)
    library = open_library(SureCaptioner())
    library.index(album)
    return library


def names(hits: list[Hit]) -> list[str]:
    return [hit.path.stem for hit in hits]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("is:bw", {"grey"}), ("is:screenshot", {"Screenshot 1"}), ("is:panorama", {"grey"}),
        ("is:landscape -is:bw -is:screenshot", {"red", "blue", "green"}), ("confidence:<0.5", {"blue"}),
        ("confidence:>=0.9 -is:screenshot -is:bw", {"red"}),
    ],
)  # fmt: skip
def test_photos_are_found_by_what_they_look_like(indexed: Library, query: str, expected: set[str]) -> None:
    assert set(names(indexed.search(query))) == expected


def test_the_surest_come_first_and_those_without_last(indexed: Library) -> None:
    query = "square -is:bw -is:screenshot"
    assert names(indexed.search(query, sort="confidence")) == ["red", "blue", "green"]
    assert names(indexed.search(query, sort="confidence", reverse=True)) == ["blue", "red", "green"]


def test_a_hit_and_a_photo_say_it(indexed: Library, album: Path) -> None:
    [hit] = indexed.search("is:bw")
    assert (hit.is_, hit.looks) == (("bw", "panorama", "landscape"), frozenset({"bw"}))
    [red] = indexed.search("name:red confidence:0.9")
    assert red.confidence == 0.9
    shown = indexed.show(album / "red.jpg")
    assert shown is not None
    assert shown.caption is not None
    assert (shown.is_, shown.caption.confidence) == (("landscape",), 0.9)
    assert [each.confidence for each in shown.candidates] == [None]


def test_the_commands_print_it(indexed: Library, album: Path) -> None:
    indexed.close()

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(main, ["--data-dir", str(indexed.settings.data_dir), *arguments])
        assert done.exit_code == 0, done.output
        return done.stdout

    text = run("show", str(album / "red.jpg"))
    assert "90% likely to be right" in text
    assert "is          landscape" in text
    photo = json.loads(run("show", "--json", str(album / "Screenshot 1.png")))["photo"]
    assert photo["is"] == ["screenshot", "landscape"]
    [hit] = json.loads(run("search", "--json", "name:blue"))
    assert (hit["is"], hit["confidence"]) == (["dark", "landscape"], 0.25)
    assert run("search", "--format", "{confidence:.2f} {is}", "name:blue").strip() == "0.25 dark; landscape"
    assert json.loads(run("stats", "--json"))["looks"] == {
        "landscape": 5, "bw": 1, "dark": 1, "panorama": 1, "screenshot": 1,
    }  # fmt: skip


def test_a_persons_caption_has_no_confidence(indexed: Library, album: Path) -> None:
    indexed.editor().apply(indexed.editor().photos_at([album / "blue.jpg"]), Edit("the sea"))
    [hit] = indexed.search("sea")
    assert hit.confidence is None
    assert indexed.search("confidence:<0.5") == []
    photo = indexed.show(album / "blue.jpg")
    assert photo is not None
    assert [each.confidence for each in photo.overruled] == [0.25]


def test_a_model_without_confidence_takes_it_away_and_history_keeps_it(
    indexed: Library, open_library: OpenLibrary, album: Path
) -> None:
    indexed.close()
    library = open_library(SureCaptioner("plain-1", knows=False))
    library.recaption()
    assert library.search("confidence:0..1") == []
    photo = library.show(album / "red.jpg")
    assert photo is not None
    assert [each.confidence for each in photo.history] == [0.9]


def test_metadata_that_is_read_again_leaves_the_looks(indexed: Library, album: Path) -> None:
    (album / "grey.xmp").write_bytes(b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>')
    indexed.index(album)
    assert names(indexed.search("is:bw")) == ["grey"]


def test_an_export_brings_looks_and_confidence(indexed: Library, tmp_path: Path) -> None:
    lines = _export(indexed, tmp_path / "export.jsonl")
    records = [value for line in lines if (value := json.loads(line))["kind"] == "photo"]
    assert {record["facts"]["looks"] for record in records} == {"", "bw", "dark", "screenshot"}
    assert {caption["confidence"] for record in records for caption in record["captions"]} == {0.9, 0.25, None}


def _export(library: Library, path: Path) -> list[str]:
    library.close()
    done = CliRunner().invoke(main, ["--data-dir", str(library.settings.data_dir), "export", "--jsonl", str(path)])
    assert done.exit_code == 0, done.output
    return path.read_text().splitlines()


def test_an_import_takes_them_over(indexed: Library, tmp_path: Path) -> None:
    lines = _export(indexed, tmp_path / "export.jsonl")
    for command in (["import", "export.jsonl"], ["export", "--jsonl", "again.jsonl"]):
        command[-1] = str(tmp_path / command[-1])
        done = CliRunner().invoke(main, ["--data-dir", str(tmp_path / "new"), *command])
        assert done.exit_code == 0, done.output
    assert _values((tmp_path / "again.jsonl").read_text().splitlines()) == _values(lines)


def _values(lines: list[str]) -> list[tuple[Any, ...]]:
    records = [value for line in lines if (value := json.loads(line))["kind"] == "photo"]
    return [(each["sha256"], each["facts"]["looks"], [c["confidence"] for c in each["captions"]]) for each in records]


def test_a_catalogue_from_before_has_none_until_its_photos_are_decoded(
    open_library: OpenLibrary, data_dir: Path, album: Path
) -> None:
    make_photos(album)
    data_dir.mkdir()
    path = data_dir / "catalogue.sqlite3"
    migrate(path, "0012")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "insert into photo (id, content_hash, size, format, width, height, added_at, text_stale, metadata_stale)"
            " values (7, 'x', 1, 'JPEG', 900, 300, '2024-01-01', 0, 0)"
        )
        connection.execute(
            'insert into caption (photo_id, text, source, rank, "current", created_at, log_probability)'
            " values (7, 'a dog', 'model', 0, 1, '2024-01-01', -3.0)"
        )
        connection.commit()
    with closing(open_database(path)) as upgraded, upgraded.read() as read:
        [photo] = photos.load_photos(read, [7], {})
        assert photo.caption is not None
        assert (photo.looks, photo.is_, photo.caption.confidence) == (None, ("panorama", "landscape"), None)
    library = open_library(SureCaptioner())
    library.index(album)
    assert names(library.search("is:bw")) == ["grey"]
