"""``photoindex export`` and ``import``: what they print, where it goes, and their exit status."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from photoindex.cli.main import main
from photoindex.config import Settings
from photoindex.library import Library
from tests.exchange import samples
from tests.support import FakeCaptioner, make_photo

ON_BOTH = True


@pytest.fixture
def indexed(indexed: Path, album: Path) -> Path:
    """A library of two photos, one of them corrected, closed; returns its data folder."""
    run(indexed, "edit", album / "one.jpg", "--caption", "Minka", "--tag", "cat")
    return indexed


def run(data_dir: Path, *arguments: str | Path, **options: bytes) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(data_dir), *map(str, arguments)], **options)  # type: ignore[arg-type]


@pytest.mark.sqlite  # two libraries, which in PostgreSQL were two databases
class TestLines:
    def test_a_library_is_rebuilt_by_two_commands(self, indexed: Path, album: Path, tmp_path: Path) -> None:
        backup = tmp_path / "backup.jsonl"
        result = run(indexed, "export", "--jsonl", backup)
        assert (result.exit_code, result.stdout, result.stderr.splitlines()[-1]) == (0, "", "2 photos exported")
        new = tmp_path / "new"
        result = run(new, "import", backup)
        assert result.exit_code == 0
        assert result.stderr.splitlines()[-2:] == [
            "2 photos read: 2 added, 0 changed, 0 unchanged",
            f"2 photos are searchable once indexed: photoindex index {album}",
        ]
        # The captions are there: no model is loaded, which this data folder has no fake one of.
        assert "0 captioned, 2 recognised" in run(new, "index", album).stderr
        assert run(new, "search", "minka").stdout == f"{album / 'one.jpg'}\tMinka\n"

    def test_the_standard_streams_will_do(self, indexed: Path, tmp_path: Path) -> None:
        exported = run(indexed, "export", "--jsonl", "-").stdout_bytes
        assert [json.loads(line)["kind"] for line in exported.splitlines()] == ["library", "model", "photo", "photo"]
        assert "2 added" in run(tmp_path / "new", "import", "-", input=exported).stderr

    def test_paths_and_queries_choose_photos(self, indexed: Path, album: Path) -> None:
        for arguments in ([album / "one.jpg"], ["--where", "minka"]):
            lines = run(indexed, "export", "--jsonl", "-", *arguments).stdout.splitlines()
            assert json.loads(lines[0])["photos"] == 1
            assert json.loads(lines[-1])["tags"] == ["cat"]

    def test_a_dry_run_says_how_much(self, indexed: Path, tmp_path: Path) -> None:
        run(indexed, "export", "--jsonl", tmp_path / "backup.jsonl")
        result = run(tmp_path / "new", "import", tmp_path / "backup.jsonl", "--dry-run")
        assert result.stderr.splitlines()[-1] == ("2 photos read: 2 would be added, 0 would be changed, 0 unchanged")
        assert "0 known" in run(tmp_path / "new", "status").stdout

    def test_bad_lines_are_told_and_the_status_is_4(self, indexed: Path, tmp_path: Path) -> None:
        backup = tmp_path / "backup.jsonl"
        run(indexed, "export", "--jsonl", backup)
        backup.write_bytes(b"{\n" + backup.read_bytes() + b'{"photoindex_export":9}\n')
        result = run(tmp_path / "new", "import", backup)
        assert result.exit_code == 4
        problems = [line for line in result.stderr.splitlines() if line.startswith("photoindex: ")]
        assert [line.split(":")[1] for line in problems] == [f" {backup}, line 1", f" {backup}, line 6"]
        assert "2 photos read: 2 added" in result.stderr

    def test_a_file_that_cannot_be_read_or_written_is_one_line(self, indexed: Path, tmp_path: Path) -> None:
        for arguments in (
            ["import", str(tmp_path / "no.jsonl")],
            ["export", "--jsonl", str(tmp_path / "no" / "x.jsonl")],
        ):
            result = run(indexed, *arguments)
            assert (result.exit_code, result.stderr.count("\n")) == (1, 1)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
    @pytest.mark.parametrize("make", [getattr(os, "mkfifo", None), os.mkdir, lambda path: path.symlink_to("/dev/zero")])
    def test_an_import_opens_only_regular_files(
        self, indexed: Path, tmp_path: Path, make: Callable[[Path], None]
    ) -> None:
        make(tmp_path / "x.jsonl")
        result = run(indexed, "import", tmp_path / "x.jsonl")
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
        assert "x.jsonl" in result.stderr

    def test_other_content_at_the_same_path_is_reported(self, indexed: Path, album: Path, tmp_path: Path) -> None:
        backup = tmp_path / "backup.jsonl"
        run(indexed, "export", "--jsonl", backup)
        make_photo(album / "one.jpg", "green")
        library = Library(Settings(tmp_path / "new", settle_seconds=0.0), lambda _: FakeCaptioner())
        with library:
            library.index(album)
        result = run(tmp_path / "new", "import", backup)
        assert "at 1 path is other content now" in result.stderr
        assert run(tmp_path / "new", "search", "minka").exit_code == 1
        assert "1 changed" in run(tmp_path / "new", "import", backup, "--match-paths").stderr
        assert run(tmp_path / "new", "search", "minka").stdout == f"{album / 'one.jpg'}\tMinka\n"

    def test_an_export_that_fails_leaves_the_last_one(
        self, indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        backup = tmp_path / "backup.jsonl"
        run(indexed, "export", "--jsonl", backup)
        before = backup.read_bytes()

        def refuse(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", refuse)
        result = run(indexed, "export", "--jsonl", backup)
        assert (result.exit_code, result.stderr.splitlines()[-1].endswith("No space left on device")) == (1, True)
        assert backup.read_bytes() == before
        assert sorted(path.name for path in tmp_path.iterdir()) == ["album", "backup.jsonl", "data"]


class TestSidecars:
    def test_a_dry_run_prints_what_would_be_written(self, indexed: Path, album: Path) -> None:
        result = run(indexed, "export", "--sidecars", "--dry-run")
        assert result.stdout == f"{album / 'one.jpg.xmp'}: new, caption 'Minka', +cat\n"
        assert result.stderr.splitlines()[-1] == "1 sidecar would be written, 0 unchanged"
        assert not list(album.glob("*.xmp"))

    def test_they_are_written_once_and_read_back(self, indexed: Path, album: Path) -> None:
        assert run(indexed, "export", album, "--sidecars").stderr.splitlines()[-1] == "1 sidecar written, 0 unchanged"
        assert run(indexed, "export", album, "--sidecars").stderr.splitlines()[-1] == "0 sidecars written, 1 unchanged"
        run(indexed, "edit", album / "one.jpg", "--clear")
        result = run(indexed, "import", album, "--sidecars", "--replace")
        assert result.stderr.splitlines()[-1] == "1 photo read: 0 added, 1 changed, 0 unchanged"
        assert run(indexed, "search", "minka").stdout == f"{album / 'one.jpg'}\tMinka\n"

    def test_somebody_elses_description_stays_and_is_told(self, indexed: Path, album: Path) -> None:
        (album / "one.xmp").write_bytes(samples.LIGHTROOM)
        result = run(indexed, "export", "--sidecars")
        assert f"{album / 'one.xmp'}: +cat, keeps 'Our holiday'" in result.stderr
        assert result.stderr.splitlines()[-1] == (
            "1 sidecar written, 0 unchanged, 1 keep a description that is not yours"
        )

    def test_one_that_is_none_makes_the_status_4(self, indexed: Path, album: Path) -> None:
        (album / "one.jpg.xmp").write_bytes(b"\xff\xd8")
        for command in (["export", "--sidecars"], ["import", "--sidecars", album]):
            result = run(indexed, *command)
            assert result.exit_code == 4
            assert sum(line.startswith("photoindex: ") for line in result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["export"],
        ["export", "--sidecars", "--jsonl", "x"],
        ["export", "--jsonl", "x", "--dry-run"],
        ["export", ".", "--where", "x", "--sidecars"],
        ["import"],
        ["import", "--sidecars"],
        ["import", "x", "--sidecars", "--match-paths"],
    ],
)
def test_wrong_usage_is_status_2(data_dir: Path, arguments: list[str]) -> None:
    assert run(data_dir, *arguments).exit_code == 2


def test_only_folders_that_are_here_are_suggested(data_dir: Path, album: Path, tmp_path: Path) -> None:
    """An export may come from anywhere, and what is suggested is pasted."""
    roots = ["", ".", "..", "../../etc", "~", "\u202e", "x" * 5000, "/no/such", "--data-dir=/", "$(reboot)", "a\0b"]
    sha = "0" * 64
    record = {
        "photoindex_export": 1,
        "kind": "photo",
        "sha256": sha,
        "bytes": 1,
        "facts": {},
        "files": [],
        "captions": [],
        "tags": [],
        "terms": [],
        "corrections": [],
        "added_at": "2024-01-01T00:00:00+00:00",
    }
    for number, chosen in enumerate([roots, [*roots, str(album)]]):
        lines = [{"photoindex_export": 1, "kind": "library", "roots": [root], "photos": 1} for root in chosen]
        record["sha256"] = str(number) * 64
        exported = tmp_path / "e.jsonl"
        exported.write_text("".join(json.dumps(line) + "\n" for line in [*lines, record]))
        result = CliRunner().invoke(main, ["--data-dir", str(data_dir), "import", str(exported)])
        assert "1 added" in result.stderr
        [line] = [line for line in result.stderr.splitlines() if "once indexed" in line]
        assert line.endswith(f"photoindex index {album if number else 'FOLDER'}")
