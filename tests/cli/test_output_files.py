"""What a command writes replaces nothing but what the same command wrote before."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from photoindex.cli.evaluate import CAPTIONS_HEAD
from photoindex.cli.main import main
from photoindex.cli.output_files import check_replaceable
from photoindex.errors import FolderError, TrainingError
from photoindex.library import Library
from photoindex.training.output_folder import check_nothing_is_replaced
from tests.support import make_photo

COMMANDS = [["search", "red", "--html"], ["export", "--jsonl"]]


@pytest.fixture
def data_dir_of(library: Library, album: Path) -> Path:
    """The data folder of a library of one photo, with a sidecar and notes beside it, closed."""
    make_photo(album / "a.jpg")
    (album / "a.xmp").write_text("<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    (album / "page.html").write_text("<!doctype html><title>My own page</title>")
    (album / "own.jsonl").write_text('{"mine": 1}\n')
    (album / "short.txt").write_text("<")
    (album / "link.html").symlink_to(album / "a.jpg")
    library.index(album)
    library.close()
    return library.settings.data_dir


def run(data_dir: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(data_dir), *map(str, arguments)])


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "name", ["a.jpg", "a.xmp", "page.html", "own.jsonl", "short.txt", "link.html", "../data/catalogue.sqlite3"]
)
def test_a_file_of_another_kind_is_left_as_it_is(data_dir_of: Path, album: Path, command: list[str], name: str) -> None:
    target = album / name
    before = target.read_bytes()
    result = run(data_dir_of, *command, target)
    assert result.exit_code == 1
    assert "name another file, or remove it first" in result.stderr
    assert target.read_bytes() == before
    assert run(data_dir_of, "search", "red").exit_code == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_what_the_command_wrote_is_replaced_and_so_is_an_empty_file(
    data_dir_of: Path, tmp_path: Path, command: list[str]
) -> None:
    target = tmp_path / "out"
    for before in (None, b"", None):
        if before is not None:
            target.write_bytes(before)
        assert run(data_dir_of, *command, target).exit_code == 0
        written = target.read_bytes()
        assert run(data_dir_of, *command, target).exit_code == 0
        assert target.read_bytes() == written != b""


@pytest.mark.parametrize("content", [b"\xff\xd8\xff\xe0", b"model\tbeam", b"{}", b"<!doctype html>", b"\0"])
def test_lists_of_captions_too(tmp_path: Path, content: bytes) -> None:
    target = tmp_path / "captions.tsv"
    check_replaceable(target, CAPTIONS_HEAD.encode(), "a list of captions")
    target.write_bytes(content)
    with pytest.raises(FolderError, match="is not a list of captions"):
        check_replaceable(target, CAPTIONS_HEAD.encode(), "a list of captions")
    target.write_bytes(CAPTIONS_HEAD.encode() + b"\n" + content)
    check_replaceable(target, CAPTIONS_HEAD.encode(), "a list of captions")


@pytest.mark.parametrize("name", ["config.json", "labels.txt", "MODEL_CARD.md", "training.json", "model.safetensors"])
def test_no_model_is_written_over_a_folder_of_something_else(tmp_path: Path, name: str) -> None:
    check_nothing_is_replaced(tmp_path)
    check_nothing_is_replaced(tmp_path / "new")
    (tmp_path / "other.txt").write_text("mine")
    check_nothing_is_replaced(tmp_path)
    (tmp_path / name).write_text("mine")
    with pytest.raises(TrainingError, match=name):
        check_nothing_is_replaced(tmp_path)
