"""Signals: each that asks for an end is followed in order, and one that is ignored stays ignored."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from photoindex.catalogue.editor import Edit
from photoindex.errors import FullTextError
from photoindex.library import Library
from tests.support import REPOSITORY, FakeCaptioner, make_photo

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows sends no signals to another process")
ENDING = ("SIGINT", "SIGTERM", "SIGHUP")


def handled(*ignored: str) -> Callable[[], None]:
    """What a process does first: it ignores these signals, and has the others as a terminal's programs have them."""

    def prepare() -> None:
        for name in ENDING:
            signal.signal(getattr(signal, name), signal.SIG_IGN if name in ignored else signal.SIG_DFL)

    return prepare


def run(script: str, *ignored: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False,
        preexec_fn=handled(*ignored),
    )  # fmt: skip


@pytest.mark.parametrize("name", ENDING)
@pytest.mark.parametrize("command", ["watch", "worker"])
def test_what_runs_until_it_is_stopped_ends_in_order(
    library: Library, data_dir: Path, album: Path, command: str, name: str
) -> None:
    make_photo(album / "a.jpg")
    library.index(album)
    arguments = [command, album] if command == "watch" else [command]
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "photoindex", "--data-dir", data_dir, *arguments], cwd=REPOSITORY,
        stderr=subprocess.PIPE, text=True, preexec_fn=handled(),
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert any("Ctrl-C stops" in line for line in process.stderr)
        process.send_signal(getattr(signal, name))
        last = process.stderr.readlines()[-1]
    assert (process.returncode, last.split(";")[0].strip()) == (0, "stopped")


# A command that gets a signal in the moment in which a file that it writes is whole and has another name still.
WHILE_WRITING = """
import os, signal, sys

def interrupted(_descriptor):
    os.fsync = flush
    os.kill(os.getpid(), getattr(signal, sys.argv[1]))

flush, os.fsync = os.fsync, interrupted
from photoindex.cli import main
main(sys.argv[2:])
"""


@pytest.mark.parametrize("name", ENDING)
@pytest.mark.parametrize("what", [["--jsonl", "{album}/all.jsonl"], ["--sidecars"], ["--sidecars", "--style", "a.xmp"]])
def test_what_is_ended_while_it_writes_leaves_nothing_half_written(
    library: Library, data_dir: Path, album: Path, what: list[str], name: str
) -> None:
    editor = library.editor()
    library.index(make_photo(album / "a.jpg"))
    editor.apply(editor.photos_at([album / "a.jpg"]), Edit("Minka"))
    library.close()
    arguments = [part.format(album=album) for part in what]
    done = subprocess.run(
        [sys.executable, "-c", WHILE_WRITING, name, "--data-dir", data_dir, "export", *arguments], cwd=REPOSITORY,
        capture_output=True, text=True, check=False, preexec_fn=handled(),
    )  # fmt: skip
    assert (done.returncode, done.stderr.splitlines()[-1]) == (130, "photoindex: interrupted")
    assert [path.name for path in album.iterdir()] == ["a.jpg"]


def ended_as_it_waits(data_dir: Path, command: list[str], name: str) -> tuple[int, str]:
    """Send a command the signal of this name when it waits for the lock of the search index; return its status, and
    what it said from then on."""
    with (
        FileLock(data_dir / "fulltext.lock"),
        subprocess.Popen(
            [sys.executable, "-u", "-m", "photoindex", "--data-dir", data_dir, *command], cwd=REPOSITORY,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=handled(),
        ) as process,
    ):  # fmt: skip
        assert process.stderr is not None
        assert any("waiting for it" in line for line in process.stderr)
        process.send_signal(getattr(signal, name))
        _, said = process.communicate(timeout=60)
    return process.returncode, said


@pytest.mark.parametrize("name", ENDING)
@pytest.mark.parametrize("command", [["reindex", "--fulltext"], ["forget", "--yes", "{album}"]])
def test_what_waits_for_another_process_is_ended(
    library: Library, data_dir: Path, album: Path, command: list[str], name: str
) -> None:
    make_photo(album / "a.jpg")
    library.index(album)
    library.close()
    status, said = ended_as_it_waits(data_dir, [part.format(album=album) for part in command], name)
    assert (status, said.strip()) == (130, "photoindex: interrupted")


@pytest.mark.parametrize("name", ENDING)
@pytest.mark.parametrize(
    ("command", "status"),
    [(["index", "{album}"], 130), (["reindex", "--all"], 130), (["watch", "{album}"], 0), (["worker"], 0),
     (["serve", "--no-browser", "--port", "0"], 0)],
    ids=lambda given: given[0] if isinstance(given, list) else "",
)  # fmt: skip
def test_what_ends_in_order_waits_no_longer_for_another_process_to_make_the_index(
    library: Library, data_dir: Path, album: Path, command: list[str], status: int, name: str
) -> None:
    make_photo(album / "a.jpg")
    library.index(album)
    library.close()
    shutil.rmtree(library.settings.index_path)
    ended, said = ended_as_it_waits(data_dir, [part.format(album=album) for part in command], name)
    assert ended == status, said
    assert said.count("\n") <= 2
    assert "Traceback" not in said


def test_the_making_of_an_index_is_ended_by_who_asked_for_it(library: Library, album: Path) -> None:
    make_photo(album / "a.jpg")
    library.index(album)
    library.close()
    shutil.rmtree(library.settings.index_path)
    stop = threading.Event()
    with Library(library.settings, lambda _: FakeCaptioner()) as again:
        again.rebuilding = lambda _: stop.set()
        with pytest.raises(FullTextError, match="stopped before the search index was rebuilt"):
            again.index(album, stop=stop)
        assert len(again.search("red")) == 1


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_second_signal_ends_at_once_what_does_not_end_in_order(name: str) -> None:
    done = run(
        "import os, signal\n"
        "from photoindex.system.interrupts import ending_in_order\n"
        "with ending_in_order():\n"
        f"    try: os.kill(os.getpid(), signal.{name})\n"
        f"    except KeyboardInterrupt: print('once', flush=True); os.kill(os.getpid(), signal.{name})\n"
        "    print('still here')\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (-getattr(signal, name), "once\n", "")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_that_is_ignored_does_not_end_a_command(name: str) -> None:
    done = run(
        "import os, signal\n"
        "from photoindex.system.interrupts import ending_in_order\n"
        f"with ending_in_order(): os.kill(os.getpid(), signal.{name})\n"
        f"print(signal.getsignal(signal.{name}) is signal.SIG_IGN)\n",
        name,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


@pytest.mark.parametrize("ignored", [(), ("SIGINT",), ("SIGHUP",), ("SIGTERM",), ENDING])
def test_a_signal_that_is_ignored_stays_ignored(ignored: tuple[str, ...]) -> None:
    script = (
        "import os, signal\n"
        "from photoindex.cli.context import stop_on_signals\n"
        f"for name in {ENDING}:\n"
        "    with stop_on_signals() as stop:\n"
        "        os.kill(os.getpid(), getattr(signal, name)); print(stop.is_set())\n"
    )
    done = run(script, *ignored)
    assert (done.stdout.split(), done.stderr) == ([str(name not in ignored) for name in ENDING], "")


# Ctrl-C while a module is imported, as a command begins.
INTERRUPTED = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            print("importing", flush=True)
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
{before}
import photoindex.cli
print("imported", signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


@pytest.mark.parametrize("module", ["photoindex.cli.main", "click", "photoindex.cli.terminal", "photoindex.errors"])
def test_ctrl_c_before_a_command_begins_ends_it_without_a_word(module: str) -> None:
    done = run(INTERRUPTED.format(module=module, before=""))
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "importing\n", "")


@pytest.mark.parametrize(
    ("before", "ignored", "said"),
    [
        ("", ("SIGINT",), "importing imported False"),
        ("signal.signal(signal.SIGINT, lambda *_: print('handled'))", (), "importing handled imported False"),
        ("del sys.meta_path[0]", (), "imported True"),
    ],
)
def test_how_a_program_handles_ctrl_c_is_left_alone(before: str, ignored: tuple[str, ...], said: str) -> None:
    done = run(INTERRUPTED.format(module="click", before=before), *ignored)
    assert (done.stdout.split(), done.stderr) == (said.split(), "")


def test_a_thread_may_import_the_commands() -> None:
    done = run(
        "import threading; t = threading.Thread(target=__import__, args=['photoindex.cli']); t.start(); t.join()"
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ENDING)
def test_rebuilding_the_index_ends_at_once_and_the_old_one_answers(
    library: Library, data_dir: Path, album: Path, name: str
) -> None:
    make_photo(album / "a.jpg")
    library.index(album)
    script = (
        "import os, signal; from photoindex.search.fulltext import sync; from photoindex.cli.main import main\n"
        "load = sync.load_documents\n"
        f"sync.load_documents = lambda *of: [load(*of), os.kill(os.getpid(), signal.{name})][0]\n"
        f"main(['--data-dir', {str(data_dir)!r}, 'reindex', '--fulltext'])\n"
    )
    done = run(script)
    assert done.returncode == 130
    assert "indexed" not in done.stderr
    library.close()
    again = Library(library.settings)
    assert [hit.path.name for hit in again.search("red")] == ["a.jpg"]
    assert again.rebuild_full_text() == 1
    again.close()
