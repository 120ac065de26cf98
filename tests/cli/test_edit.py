"""``photoindex edit``: what it prints, what it asks, and its exit status."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from photoindex.catalogue.editor import Edit
from photoindex.catalogue.user_metadata import UserMetadata
from photoindex.cli.edit import parse_answer
from photoindex.cli.main import main
from photoindex.errors import CorrectionError
from tests.support import REPOSITORY, make_photo

ON_BOTH = True


def run(data_dir: Path, *arguments: str | Path, **extra: str) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(data_dir), *map(str, arguments)], env=extra)


def test_an_edit_is_found_by_the_next_search_and_shown_with_its_source(indexed: Path, album: Path) -> None:
    result = run(indexed, "edit", album / "one.jpg", "--caption", "Minka on the sofa", "--tag", "Minka", "--lock")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "1 edited\n")
    assert run(indexed, "search", "minka").stdout == f"{album / 'one.jpg'}\tMinka on the sofa\n"
    shown = run(indexed, "show", album / "one.jpg", "--history").stdout
    assert "caption     Minka on the sofa\nby          user, " in shown
    assert " UTC, locked\n" in shown
    assert "overruled   a red square (fake-1)\n" in shown
    assert "tags        Minka\n" in shown
    assert "caption   nothing -> 'Minka on the sofa'\n" in shown
    photo = json.loads(run(indexed, "show", album / "one.jpg", "--json", "--history").stdout)
    assert (photo["photo"]["tags"], photo["photo"]["caption"]["locked"]) == (["Minka"], True)
    assert [change["kind"] for change in photo["corrections"]] == ["caption", "tags", "lock"]


def test_undo_and_history_say_what_they_did(indexed: Path, album: Path) -> None:
    run(indexed, "edit", album / "one.jpg", "--tag", "Lisbon", "--tag", "2019")
    assert run(indexed, "edit", album / "one.jpg", "--undo").stderr == "1 undone\n"
    assert run(indexed, "edit", album / "one.jpg", "--undo").stderr == "nothing to undo\n"
    history = run(indexed, "edit", album / "one.jpg", "--history").stdout
    assert "tags      nothing -> Lisbon, 2019 (undone " in history


def test_history_keeps_what_was_changed_apart_from_how(indexed: Path, album: Path) -> None:
    run(indexed, "edit", album / "one.jpg", "--favourite", "--rating", "4", "--hidden")
    history = run(indexed, "edit", album / "one.jpg", "--history").stdout
    for kind in ("favourite", "rating", "hidden"):
        assert re.search(rf"^[-\d]+ [:\d]+  {kind} +nothing -> '", history, re.MULTILINE)


class TestWhere:
    def test_all_photos_that_a_query_finds_are_edited_when_told_so(self, indexed: Path) -> None:
        result = run(indexed, "edit", "--where", "square", "--tag", "shapes", "--yes")
        assert (result.exit_code, result.stderr) == (0, "2 edited\n")
        assert len(run(indexed, "search", "tag:shapes").stdout.splitlines()) == 2

    def test_a_dry_run_shows_them_and_changes_nothing(self, indexed: Path, album: Path) -> None:
        result = run(indexed, "edit", "--where", "square -blue", "--tag", "shapes", "--dry-run")
        assert result.stderr == f"1 photo would be edited:\n  {album / 'one.jpg'}  a red square\n"
        assert run(indexed, "search", "tag:shapes").exit_code == 1

    def test_without_anybody_to_ask_it_is_refused(self, indexed: Path) -> None:
        result = run(indexed, "edit", "--where", "square", "--tag", "shapes")
        assert result.exit_code == 2
        assert "--yes" in result.stderr
        assert run(indexed, "search", "tag:shapes").exit_code == 1

    def test_on_a_terminal_it_asks(self, indexed: Path) -> None:
        pty = pytest.importorskip("pty")
        for answer, tagged in (("n", 1), ("y", 0)):
            ours, theirs = pty.openpty()
            command = [sys.executable, "-m", "photoindex", "--data-dir", str(indexed), "edit", "--where", "square"]
            with subprocess.Popen(
                [*command, "--tag", "shapes"], cwd=REPOSITORY, stdin=theirs, stderr=subprocess.DEVNULL
            ) as process:
                os.write(ours, answer.encode() + b"\n")
                process.wait()
            os.close(ours)
            os.close(theirs)
            assert run(indexed, "search", "tag:shapes").exit_code == tagged

    def test_a_query_that_finds_nothing_changes_nothing(self, indexed: Path) -> None:
        assert run(indexed, "edit", "--where", "xylophone", "--tag", "x", "--yes").stderr == "no photo matches\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--tag", "x"],
        ["FILE", "--where", "red", "--tag", "x"],
        ["FILE", "--undo", "--tag", "x"],
        ["--where", "red", "--yes"],
        ["FILE", "--history", "--undo"],
    ],
)
def test_wrong_usage_is_status_2(indexed: Path, album: Path, arguments: list[str]) -> None:
    named = [str(album / "one.jpg") if argument == "FILE" else argument for argument in arguments]
    assert run(indexed, "edit", *named).exit_code == 2


def test_bad_input_is_one_line_and_changes_no_photo(indexed: Path, album: Path) -> None:
    for arguments in (
        [album / "one.jpg", album / "no.jpg", "--tag", "x"],
        [album / "one.jpg", "--tag", "a\x01b"],
        [album / "one.jpg", "--caption", " "],
    ):
        result = run(indexed, "edit", *map(str, arguments))
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert run(indexed, "search", "tag:x").exit_code == 1


class TestChangedFiles:
    @pytest.mark.parametrize(
        "command", [["edit", "--tag", "x"], ["edit", "--undo"], ["edit", "--rating", "3"], ["albums", "add", "Cats"]]
    )
    def test_what_holds_other_content_now_is_refused(self, indexed: Path, album: Path, command: list[str]) -> None:
        state = (album / "one.jpg").stat()
        make_photo(album / "one.jpg", "green")
        result = run(indexed, *command, album / "one.jpg")
        line = f"{album / 'one.jpg'} has changed since it was indexed: run photoindex index {album} first"
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
        assert line in result.stderr
        make_photo(album / "one.jpg", "red")  # the bytes that were indexed
        os.utime(album / "one.jpg", ns=(state.st_atime_ns, state.st_mtime_ns + 1))
        assert run(indexed, *command, album / "one.jpg").exit_code == 0

    def test_files_that_are_away_are_edited(self, indexed: Path, album: Path) -> None:
        (album / "one.jpg").unlink()
        assert run(indexed, "edit", album / "one.jpg", "--tag", "x").exit_code == 0
        run(indexed, "index", album)
        assert run(indexed, "edit", album / "one.jpg", "--tag", "y").exit_code == 0

    def test_of_a_raw_file_its_jpeg_is_looked_at(self, indexed: Path, album: Path) -> None:
        (album / "one.cr2").write_bytes(b"raw")
        run(indexed, "index", album)
        (album / "one.cr2").write_bytes(b"another raw")
        assert run(indexed, "edit", album / "one.cr2", "--tag", "x").exit_code == 0
        make_photo(album / "one.jpg", "green")
        assert run(indexed, "edit", album / "one.cr2", "--tag", "x").exit_code == 1


class TestEditorProgram:
    @pytest.fixture
    def writes(self, tmp_path: Path) -> str:
        """An editor that writes a caption and a tag."""
        script = tmp_path / "editor.py"
        script.write_text(
            "import sys, pathlib, os\n"
            "path = pathlib.Path(sys.argv[1])\n"
            "text = path.read_text().replace('caption: ', 'caption: our cat').replace('tag: ', 'tag: Minka')\n"
            "path.write_text(text)\n"
            "os.utime(path, (1, 1))\n"
        )
        return f'"{sys.executable}" "{script}"'

    def test_it_opens_when_nothing_is_said(self, indexed: Path, album: Path, writes: str) -> None:
        result = run(indexed, "edit", album / "one.jpg", EDITOR=writes, VISUAL=writes)
        assert result.stderr == "1 edited\n"
        assert run(indexed, "search", "minka cat").stdout == f"{album / 'one.jpg'}\tour cat\n"

    def test_what_is_left_as_it_was_is_no_edit(self) -> None:
        said = UserMetadata("our cat", ("Minka",))
        assert parse_answer("# x\ncaption: our cat\ntag: Minka\n", said) == Edit()
        assert parse_answer("caption:\ntag: Minka\n", said) == Edit(uncaption=True)
        assert parse_answer("caption: our cat: asleep\n", said) == Edit("our cat: asleep", untags=("Minka",))
        assert parse_answer("caption: our cat\ntag: minka\ntag: Lisbon\n", said) == Edit(
            tags=("minka", "Lisbon"), untags=("Minka",)
        )

    @pytest.mark.parametrize(
        ("answer", "caption", "tags"),
        [
            ("caption: our cat\ntag: Minka\ntag: new\n", "meanwhile", ["Minka", "Lisbon", "new"]),
            ("caption: mine\ntag: Minka\n", "mine", ["Minka", "Lisbon"]),
            ("caption: our cat\n", "meanwhile", ["Lisbon"]),
            ("caption:\ntag: Minka\n", "meanwhile", ["Minka", "Lisbon"]),
        ],
    )
    def test_what_was_said_while_it_was_open_stays(
        self, indexed: Path, album: Path, monkeypatch: pytest.MonkeyPatch, answer: str, caption: str, tags: list[str]
    ) -> None:
        run(indexed, "edit", album / "one.jpg", "--caption", "our cat", "--tag", "Minka")

        def answer_late(*_: object, **__: object) -> str:
            run(indexed, "edit", album / "one.jpg", "--caption", "meanwhile", "--tag", "Lisbon")
            return answer

        monkeypatch.setattr("photoindex.cli.edit.click.edit", answer_late)
        result = run(indexed, "edit", album / "one.jpg")
        assert (result.exit_code == 1) == answer.startswith("caption:\n") == ("meanwhile" in result.stderr)
        photo = json.loads(run(indexed, "show", album / "one.jpg", "--json").stdout)["photo"]
        assert (photo["caption"]["text"], photo["tags"]) == (caption, tags)

    def test_a_line_that_is_neither_is_refused(self) -> None:
        with pytest.raises(CorrectionError, match="line 2"):
            parse_answer("caption: x\nMinka\n", UserMetadata())
