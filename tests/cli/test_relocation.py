"""``photoindex forget`` and ``photoindex move`` at the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from photoindex.cli.main import main
from photoindex.errors import FullTextError
from photoindex.library import Library
from photoindex.search import FullText
from tests.support import make_photo

ON_BOTH = True


@pytest.fixture
def data_dir_of_album(library: Library, album: Path) -> Path:
    make_photo(album / "a.jpg")
    library.index(album)
    library.close()
    return library.settings.data_dir


def run(data_dir: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(data_dir), *map(str, arguments)])


def searched(data_dir: Path) -> int:
    return len(run(data_dir, "search", "red", "-0").stdout)


def test_nothing_is_forgotten_without_yes_where_nobody_can_be_asked(data_dir_of_album: Path, album: Path) -> None:
    result = run(data_dir_of_album, "forget", album)
    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert "1 file (0 of them gone) leave the catalogue" in result.stderr
    assert searched(data_dir_of_album)


def test_a_dry_run_says_what_would_be_removed(data_dir_of_album: Path, album: Path) -> None:
    result = run(data_dir_of_album, "forget", album, "--dry-run", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "path": str(album), "roots": [str(album)], "present": 1, "missing": 0, "photos": 1, "by_people": 0,
        "forgotten": False,
    }  # fmt: skip
    assert searched(data_dir_of_album)


def test_forget_says_what_it_removes_and_touches_no_photo(data_dir_of_album: Path, album: Path) -> None:
    result = run(data_dir_of_album, "forget", album, "--yes")
    assert result.exit_code == 0
    assert "1 photo with captions and terms leave the search" in result.stderr
    assert "no photo on the disk is touched" in result.stderr
    assert (album / "a.jpg").is_file()
    assert not searched(data_dir_of_album)
    again = run(data_dir_of_album, "forget", album, "--yes")
    assert again.exit_code == 1
    assert len(again.stderr.splitlines()) == 1


def test_move_says_where_the_photos_are(data_dir_of_album: Path, album: Path) -> None:
    new = album.with_name("a new place")
    refused = run(data_dir_of_album, "move", album, new)
    assert (refused.exit_code, len(refused.stderr.splitlines())) == (1, 1)
    album.rename(new)
    result = run(data_dir_of_album, "move", album, new)
    assert result.exit_code == 0
    assert f"1 file of {album} are at {new} now" in result.stderr
    assert f"photoindex index '{new}'" in result.stderr
    assert run(data_dir_of_album, "search", "red", "-0").stdout.strip("\0") == str(new / "a.jpg")


@pytest.mark.parametrize("command", ["forget", "move"])
def test_an_index_that_cannot_be_written_is_said_and_what_was_asked_is_done(
    data_dir_of_album: Path, album: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    def refuse(*_: object) -> None:
        raise FullTextError("cannot write to the full-text index: No space left on device")

    new = album.with_name("new")
    if command == "move":
        album.rename(new)
    with monkeypatch.context() as patch:
        patch.setattr(FullText, "update", refuse)
        result = run(data_dir_of_album, command, album, *(["--yes"] if command == "forget" else [new]))
    assert result.exit_code == 0
    assert "searches know of it after the next `photoindex index`: cannot write" in result.stderr
    again = run(data_dir_of_album, "forget", album, "--yes")
    assert "the library has nothing of" in again.stderr
