"""What the command line writes is safe on any terminal, possible in any locale, and no error when nobody reads it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from photoindex.cli.main import COMMANDS, main
from photoindex.cli.progress import ProgressDisplay
from photoindex.library import Library
from photoindex.types import Progress
from tests.support import REPOSITORY, make_photo

POSIX = pytest.mark.skipif(os.name == "nt", reason="file names are text on Windows")
NASTY = "ev\x1b]0;owned\x07\x1b[2Jil \u202egpj\u2066 \u200bx\ufeff.jpg"
HARMFUL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def run(data_dir: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(data_dir), *map(str, arguments)])


@pytest.fixture
def nasty(library: Library, album: Path) -> Path:
    """A library of a photo whose name controls a terminal, and a file of such a name that is no photo."""
    make_photo(album / "one.jpg").rename(album / NASTY)
    (album / NASTY.replace("jpg", "png")).write_text("no photo")
    library.index(album)
    library.close()
    return library.settings.data_dir


def commands(album: Path) -> list[list[str]]:
    photo = str(next(path for path in sorted(album.iterdir()) if path.suffix == ".jpg"))
    return [
        ["search", "red"], ["search", "red", "--explain"], ["search", "red", "--json"], ["search", "red", "--csv"],
        ["search", "red", "--format", "{path} {caption}"], ["search", "red", "-0"], ["search", "xylophone"],
        ["show", photo], ["show", photo, "--history", "--json"], ["status"], ["stats"], ["failures", "list"],
        ["duplicates"], ["jobs", "list"], ["models", "list"], ["models", "info"], ["formats"], ["doctor"],
        ["config", "show"], ["completion", "bash"], ["export", "--jsonl", "-"], ["export", "--sidecars", "--dry-run"],
        ["edit", photo, "--history"], ["reindex", "--resume", "--dry-run"], ["show", photo + "x"],
        ["index", photo + "\u2603"], ["--help"], ["--version"], *([name, "--help"] for name in COMMANDS),
    ]  # fmt: skip


class TestControls:
    @POSIX
    @pytest.mark.parametrize(
        "arguments",
        [
            ["show", "PHOTO"], ["failures", "list"], ["search", "red", "--explain"],
            ["search", "red", "--format", "{path}"],
            ["search", "red", "--csv"], ["search", "red", "-0"], ["caption", "BAD"], ["show", "PHOTOx\x1b[2J"],
            ["search", "\x1b[2J\u202e"], ["duplicates", "no\x1b[31msuch"], ["edit", "PHOTO", "--caption", "a\x1bb"],
            ["edit", "--where", "red", "--tag", "x", "--dry-run"], ["--set", "a\x1b=1", "status"], ["ser\x1bch"],
            ["failures", "ignore", "\u202enone"], ["index", "\u200bnone"], ["search", "--\x1b"],
        ],
    )  # fmt: skip
    def test_nothing_in_a_name_controls_a_terminal(self, nasty: Path, album: Path, arguments: list[str]) -> None:
        pty = pytest.importorskip("pty")
        named = [
            each.replace("PHOTO", str(album / NASTY)).replace("BAD", str(album / NASTY.replace("jpg", "png")))
            for each in arguments
        ]
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "photoindex", "--data-dir", nasty, *named],
            cwd=REPOSITORY, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "NO_COLOR": "1"},
        ):  # fmt: skip
            os.close(theirs)
            written = _read_all(ours)
        text = written.decode().replace("\r", "").replace("\0", "")
        assert text
        assert HARMFUL.findall(text) == []
        assert "Traceback" not in text

    @POSIX
    def test_people_see_which_bytes_a_name_has(self, library: Library, album: Path) -> None:
        make_photo(album / "x.jpg").rename(os.fsdecode(os.fsencode(album) + b"/caf\xe9\x9b.jpg"))
        library.index(album)
        [path] = [hit.path for hit in library.search("red")]
        library.close()
        assert f"file        {album}/caf\\xe9\\x9b.jpg\n" in run(library.settings.data_dir, "show", path).stdout

    def test_only_one_module_writes(self) -> None:
        folder = REPOSITORY / "photoindex" / "cli"
        exempt = {"terminal.py"}
        writers = {
            path.name
            for path in folder.glob("*.py")
            if path.name not in exempt
            and re.search(r"click\.s?echo\(|\bprint\(|sys\.std(out|err)\.write", path.read_text())
        }
        assert writers == set()


@POSIX
class TestLocales:
    @pytest.mark.parametrize("encoding", ["latin-1", "ascii:strict", "cp1252", "cp437", "utf-8:strict"])
    def test_no_command_ends_for_want_of_a_character(self, nasty: Path, album: Path, encoding: str) -> None:
        script = (
            "import sys, json; from click.testing import CliRunner; from photoindex.cli.main import main\n"
            "for arguments in json.loads(sys.argv[2]):\n"
            "    try: main(['--data-dir', sys.argv[1], *arguments])\n"
            "    except SystemExit as end: assert end.code in (0, 1, 2), arguments\n"
        )
        import json

        done = subprocess.run(
            [sys.executable, "-c", script, nasty, json.dumps(commands(album))], cwd=REPOSITORY, capture_output=True,
            env={**os.environ, "PYTHONIOENCODING": encoding}, check=False,
        )  # fmt: skip
        assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr[-2000:]

    def test_characters_that_are_lacking_have_substitutes(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "photoindex", "index", "--help"], cwd=REPOSITORY, capture_output=True, check=True,
            env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        )  # fmt: skip
        assert b"PATH..." in done.stdout


@POSIX
class TestOutputs:
    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
    @pytest.mark.parametrize("arguments", [["search", "red"], ["status"], ["stats"], ["search", "red", "--json"],
                                           ["config", "show"], ["--help"], ["export", "--jsonl", "-"]])  # fmt: skip
    def test_an_output_that_cannot_be_written_is_one_line(self, nasty: Path, arguments: list[str]) -> None:
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [sys.executable, "-m", "photoindex", "-q", "--data-dir", nasty, *arguments],
                cwd=REPOSITORY, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
            )  # fmt: skip
        what = "" if arguments == ["--help"] else "cannot write to the standard output: "  # it is printed by click
        assert (done.returncode, done.stderr) == (1, f"photoindex: {what}No space left on device\n")

    @pytest.mark.parametrize("arguments", [["search", "red", "--jsonl"], ["formats"], ["completion", "zsh"], ["status"],
                                           ["export", "--jsonl", "-"], ["--help"]])  # fmt: skip
    def test_a_reader_that_has_gone_is_no_error(self, nasty: Path, arguments: list[str]) -> None:
        ours, theirs = os.pipe()
        os.close(ours)
        done = subprocess.run(
            [sys.executable, "-m", "photoindex", "-q", "--data-dir", nasty, *arguments], cwd=REPOSITORY, stdout=theirs,
            stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
        os.close(theirs)
        assert done.stderr == b""

    @pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
    def test_closed_streams_harm_nothing(self, nasty: Path, album: Path, closed: str) -> None:
        make_photo(album / "new.jpg", "blue")
        for arguments in ("search red", "status", "export --jsonl -", "import -"):
            line = f'"$0" -m photoindex --data-dir "$1" {arguments} {closed}'
            done = subprocess.run(
                ["sh", "-c", line, sys.executable, nasty], cwd=REPOSITORY, capture_output=True, check=False
            )
            assert done.returncode in (0, 1)
            assert b"Traceback" not in done.stderr
        assert run(nasty, "doctor").stdout.count("problem ") == 0

    def test_ctrl_c_is_one_line(self, nasty: Path) -> None:
        script = (
            "import os, signal, sys; from photoindex.library import Library; from photoindex.cli.main import main\n"
            "Library.stats = lambda *_: os.kill(os.getpid(), signal.SIGINT)\n"
            "main(['--data-dir', sys.argv[1], 'stats'])\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, nasty], cwd=REPOSITORY, capture_output=True, text=True, check=False,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
        assert (done.returncode, done.stderr.strip()) == (130, "photoindex: interrupted")


class TestProgress:
    def on_terminal(self, script: str) -> str:
        pty = pytest.importorskip("pty")
        ours, theirs = pty.openpty()
        with subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY, stdout=theirs, stderr=theirs):
            os.close(theirs)
            return _read_all(ours).decode()

    PREPARE = (
        "import logging, sys; from photoindex.types import Progress\n"
        "from photoindex.cli.progress import ProgressDisplay\n"
        "from photoindex.cli import progress, terminal; progress.DRAW_SECONDS = 0\n"
    )

    def test_a_line_is_never_glued_to_the_bar(self) -> None:
        written = self.on_terminal(
            self.PREPARE + "logging.basicConfig(format='photoindex: %(message)s', handlers=[terminal.LogHandler()])\n"
            "with ProgressDisplay() as display:\n"
            "    display(Progress('captioning', 1, 9)); terminal.print_error('first line')\n"
            "    display(Progress('captioning', 2, 9)); logging.warning('second line')\n"
            "    display(Progress('captioning', 3, 9)); terminal.print_line('third line')\n"
        )
        assert "captioning" in written
        for line in ("first line", "photoindex: second line", "third line"):
            before = written[: written.index(line)]
            assert re.search(r"(\x1b\[2K|\x1b\[\?25h|\r|\n)$", before), repr(before[-60:])

    def test_no_bar_stays_when_the_work_is_done(self) -> None:
        written = self.on_terminal(
            self.PREPARE + "display = ProgressDisplay()\n"
            "for done in range(4): display(Progress('captioning', done, 3))\n"
            "assert terminal._Bar.hide is None; print('END')\n"
        )
        assert written.rstrip().endswith("END")
        assert "captioning" not in written[written.rindex("\x1b[2K") :]

    @POSIX
    def test_a_terminal_that_is_gone_ends_no_work(self) -> None:
        pty = pytest.importorskip("pty")
        ours, theirs = pty.openpty()
        script = (
            f"{self.PREPARE}with ProgressDisplay() as display:\n"
            "    display(Progress('captioning', 1, 9))\n"
            "    print('begun', flush=True); sys.stdin.readline()\n"
            "    for done in range(2, 10): display(Progress('captioning', done, 9)); terminal.print_error('a line')\n"
            "    display(Progress('refreshing', 1, 2))\n"
            "print('done')\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", script], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=theirs, text=True,
        ) as process:  # fmt: skip
            os.close(theirs)
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            os.close(ours)
            assert process.communicate("go on\n")[0] == "done\n"
        assert process.returncode == 0

    def test_a_count_without_an_end_is_no_share_of_itself(self, capsys: pytest.CaptureFixture[str]) -> None:
        with ProgressDisplay() as display:
            for seen in (1_000, 2_000, 3_000):
                display(Progress("scanning", seen, seen, counting=True))
        assert capsys.readouterr().err == "scanning: 1,000 photos\n"

    def test_counts_have_their_plural(self, capsys: pytest.CaptureFixture[str]) -> None:
        with ProgressDisplay() as display:
            display(Progress("captioning", 0, 1))
            display(Progress("captioning", 1, 1))
            display(Progress("captioning", 1_000, 1_000))
        assert [line.split(",")[0] for line in capsys.readouterr().err.splitlines()][:2] == [
            "captioning: 0 of 1 photo", "captioning: 1 of 1 photo",
        ]  # fmt: skip

    def test_what_is_counted_may_differ_from_stage_to_stage(self, capsys: pytest.CaptureFixture[str]) -> None:
        with ProgressDisplay(unit="query") as display:
            display(Progress("rounding", 0, 22, unit="block"))
            display(Progress("searching", 0, 3))
        assert capsys.readouterr().err.splitlines() == ["rounding: 0 of 22 blocks", "searching: 0 of 3 queries"]


def _read_all(descriptor: int) -> bytes:
    written = b""
    try:
        while piece := os.read(descriptor, 65536):
            written += piece
    except OSError:  # how Linux says that the other side is closed
        pass
    os.close(descriptor)
    return written
