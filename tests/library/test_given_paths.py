"""Paths as programs give them: an empty one is refused, and one alone is a list of one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import photoindex
from photoindex.catalogue.editor import Edit
from photoindex.errors import ConfigError, FolderError
from photoindex.library import Library
from tests.support import make_photo


@pytest.fixture
def indexed(library: Library, album: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """A library of the folder that the program runs in, and of one beside it."""
    for name in ("trip/a.jpg", "home/b.jpg"):
        (album / name).parent.mkdir()
        make_photo(album / name, "red" if "a.jpg" in name else "blue")
    library.index(album)
    monkeypatch.chdir(album / "trip")
    return library


TAKING_A_PATH: list[Callable[[Library], object]] = [
    lambda library: library.index(""),
    lambda library: library.index("home", ""),
    lambda library: library.forget(""),
    lambda library: library.plan_forget(""),
    lambda library: library.move("", "elsewhere"),
    lambda library: library.move("elsewhere", ""),
    lambda library: library.show(""),
    lambda library: library.like(""),
    lambda library: library.duplicates(""),
    lambda library: library.failure_at(""),
    lambda library: library.retry_failures(""),
    lambda library: library.ignore_failures(""),
    lambda library: list(library.caption("")),
    lambda library: library.editor().photos_at([""]),
    lambda library: library.editor().photos_at(""),
    lambda library: library.exchange().photos_below([""]),
    lambda library: library.exchange().write_sidecars([1, 2], below=[""]),
    lambda library: library.exchange().read_sidecars([""]),
]


@pytest.mark.parametrize("take", TAKING_A_PATH, ids=range(len(TAKING_A_PATH)))
def test_an_empty_path_is_not_the_folder_that_the_program_runs_in(
    indexed: Library, album: Path, take: Callable[[Library], object]
) -> None:
    make_photo(album / "trip" / "new.jpg", "green")
    with pytest.raises(FolderError, match="a path cannot be empty"):
        take(indexed)
    assert indexed.status().photos == 2


@pytest.mark.parametrize("kind", [str, Path])
def test_one_path_alone_is_a_list_of_one(indexed: Library, album: Path, kind: type) -> None:
    exchange, editor = indexed.exchange(), indexed.editor()
    photo, folder = kind(album / "trip" / "a.jpg"), kind(album / "trip")
    [number] = editor.photos_at(photo)
    assert exchange.photos_below(folder) == [number]
    both = exchange.photos_below(())
    editor.apply(both, Edit(tags=("Lisbon",)))
    assert exchange.write_sidecars(both, below=folder).written == 1
    assert sorted(album.rglob("*.xmp")) == [album / "trip" / "a.jpg.xmp"]
    assert exchange.read_sidecars(folder).read == 1


def test_one_tag_alone_is_one_tag() -> None:
    assert Edit(tags="Lisbon", untags="Porto") == Edit(tags=("Lisbon",), untags=("Porto",))  # type: ignore[arg-type]


def test_an_empty_data_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="must be a path"):
        photoindex.open("")
    (tmp_path / "photoindex.toml").write_text('data_dir = ""\n')
    with pytest.raises(ConfigError, match="data_dir"):
        photoindex.config.load_settings(tmp_path / "photoindex.toml", {})
    assert [path.name for path in tmp_path.iterdir()] == ["photoindex.toml"]
