"""``photoindex benchmark``: rates on the user's photos or made ones; the user's library is left alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from photoindex.cli.main import main
from photoindex.library import benchmark
from tests.support import FakeCaptioner, make_photo


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The beam widths that captioners were loaded for; they are fake ones, and what is stored is little."""
    widths: list[int] = []
    real = benchmark.measure

    def load(settings: Any) -> FakeCaptioner:
        widths.append(settings.beam_width)
        return FakeCaptioner()

    monkeypatch.setattr(benchmark, "STORED", 5)
    monkeypatch.setattr(benchmark, "MADE_SIZE", (64, 48))
    monkeypatch.setattr(benchmark, "measure", lambda *args, **kinds: real(*args, load=load, **kinds))
    return widths


def run(data_dir: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(data_dir), "benchmark", *map(str, arguments)])


def test_it_measures_made_photos(data_dir: Path, fakes: list[int]) -> None:
    done = run(data_dir, "--photos", "10", "--json", "--beam-width", "1", "--beam-width", "5")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert fakes == [1, 5]
    assert (told["photos"], told["failed"], told["found"], told["library"]) == (10, 0, None, 10_000)
    assert told["megapixels"] == pytest.approx(64 * 48 / 1e6)
    assert [each["beam_width"] for each in told["captions"]] == [1, 5]
    rates = [told["decode"], told["store"], *(each[what] for each in told["captions"] for what in ("caption", "whole"))]
    assert min(rates) > 0
    assert told["library_seconds"] == pytest.approx(10_000 / told["captions"][0]["whole"])


def test_it_measures_the_users_photos_and_touches_neither_them_nor_the_library(
    data_dir: Path, album: Path, fakes: list[int]
) -> None:
    for number in range(6):
        make_photo(album / f"{number}.jpg")
    (album / "broken.jpg").write_bytes(b"no photo")
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in album.iterdir()}
    done = run(data_dir, album)
    assert done.exit_code == 0, done.output
    assert "measured on               7 photos" in done.stdout
    assert "1 of which cannot be read" in done.stdout
    assert "7 photos take" in done.stdout
    assert fakes == [3]
    assert not data_dir.exists()
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in album.iterdir()} == before


def test_fewer_are_chosen_from_many_and_all_are_counted(data_dir: Path, album: Path, fakes: list[int]) -> None:
    for number in range(6):
        make_photo(album / f"{number}.jpg")
    told = json.loads(run(data_dir, "--photos", "2", "--json", album).stdout)
    assert (told["photos"], told["found"], told["library"]) == (2, 6, 6)


@pytest.mark.parametrize(("content", "why"), [(None, "no photos in"), (b"nothing", "none of the 1 photos can be")])
def test_without_photos_it_says_so(
    data_dir: Path, album: Path, fakes: list[int], content: bytes | None, why: str
) -> None:
    if content is not None:
        (album / "a.jpg").write_bytes(content)
    done = run(data_dir, album)
    assert done.exit_code == 1
    assert why in done.stderr
    assert len(done.stderr.splitlines()) <= 4
