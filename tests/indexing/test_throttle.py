"""Fewer photos a second, and a lower priority, for this process and those it starts. No test waits for a clock."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from photoindex.catalogue.database import Database
from photoindex.config import Settings, load_settings
from photoindex.errors import ConfigError
from photoindex.indexing.pipeline import Pipeline
from photoindex.indexing.throttle import Throttle
from photoindex.search import FullText
from tests.support import REPOSITORY, FakeCaptioner, add_files, make_photo


class Clock(threading.Event):
    """A stop that is never set; waiting for it only moves the clock on, and is noted."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 100.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.seconds

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.seconds += timeout
        self.waits.append(timeout)
        return False


def test_photos_begin_evenly() -> None:
    clock = Clock()
    throttle = Throttle(4, clock)
    begun = []
    for work in (0.1, 0.0, 0.2, 0.0):
        clock.wait(throttle.reserve())
        begun.append(clock())
        clock.seconds += work
    assert begun == pytest.approx([100, 100.25, 100.5, 100.75])


def test_idle_time_is_not_caught_up_on() -> None:
    clock = Clock()
    throttle = Throttle(2, clock)
    throttle.reserve()
    clock.seconds += 60
    assert [throttle.reserve() for _ in range(3)] == pytest.approx([0, 0.5, 1.0])


def test_slow_work_waits_for_nothing() -> None:
    clock = Clock()
    throttle = Throttle(10, clock)
    for _ in range(3):
        assert throttle.reserve() == 0
        clock.seconds += 0.2


def test_without_a_limit_nothing_waits_and_batches_stay_whole() -> None:
    throttle = Throttle(0)
    assert [throttle.reserve() for _ in range(3)] == [0, 0, 0]
    assert throttle.batch_size(64) == 64


@pytest.mark.parametrize(("rate", "expected"), [(0.01, 1), (1, 5), (3.5, 18), (1000, 64)])
def test_little_is_claimed_at_once_when_it_goes_slowly(rate: float, expected: int) -> None:
    assert Throttle(rate).batch_size(64) == expected


def test_the_pipeline_keeps_the_pace(database: Database, data_dir: Path, album: Path) -> None:
    count = 12
    for number in range(count):
        make_photo(album / f"{number}.jpg")
    add_files(database, album, *(f"{number}.jpg" for number in range(count)))
    settings, clock, captioner = (
        Settings(data_dir, max_rate=3.0, read_text="never"),
        Clock(),
        FakeCaptioner(batch_size=8),
    )
    sizes: list[int] = []
    captioner.before = lambda: sizes.append(len(captioner.captions))
    with FullText.open(settings.index_path) as index:
        pipeline = Pipeline(database, index, settings, lambda _: captioner, throttle=Throttle(settings.max_rate, clock))
        tally = pipeline.run(stop=clock)
        pipeline.close()
    assert tally.captioned == count
    assert clock() - 100 == pytest.approx((count - 1) / 3)
    assert max(after - before for before, after in zip([0, *sizes], [*sizes, count], strict=True)) == 3  # a second's


def test_settings_out_of_range_are_refused(data_dir: Path) -> None:
    rates = [("max_rate", value) for value in (-1.0, 0.001, float("nan"))]
    for name, value in (("nice", 20), ("nice", -1), *rates):
        with pytest.raises(ConfigError, match=rf"{name.replace('_', '.')} is"):
            load_settings(data_dir=data_dir, **{name: value})  # type: ignore[arg-type]
    assert load_settings(data_dir=data_dir, nice=19, max_rate=0.01).nice == 19


PRIORITIES = """
import os, sys
from contextlib import suppress
from pathlib import Path
from photoindex.media.decode import Decoder
from photoindex.system.processes import give_way

os.setpriority(os.PRIO_PROCESS, 0, int(sys.argv[2]))
give_way(int(sys.argv[3]))
with Decoder(16, workers=1, seconds=60, max_pixels=10**6) as decoder:
    list(decoder.decode([Path(sys.argv[1])]))
    found = set()
    while not found:  # a child belongs to the thread that started it, and to another one when that ends
        for task in Path(f"/proc/{os.getpid()}/task").iterdir():
            with suppress(FileNotFoundError):
                found.update((task / "children").read_text().split())
    [worker] = found
    print(os.getpriority(os.PRIO_PROCESS, 0), os.getpriority(os.PRIO_PROCESS, int(worker)), worker)
    sys.stdout.flush()
    sys.stdin.read()  # the worker is looked at meanwhile
"""
SESSION = Path("/proc/self/autogroup")
HAS_SESSIONS = SESSION.exists() and bool(SESSION.read_text().strip())  # it is empty where they are turned off


def session_priority(pid: int) -> int:
    """Of the session of a process, by which Linux shares processors out before it looks at the process's own."""
    return int(Path(f"/proc/{pid}/autogroup").read_text().split()[-1])


def session_priority_of(pid: int, expected: int) -> int:
    """The same, when it is as expected or does not become so: Linux changes few at once."""
    patience = time.monotonic() + 30
    while session_priority(pid) != expected and time.monotonic() < patience:
        os.sched_yield()
    return session_priority(pid)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="a process's children are looked up in /proc")
@pytest.mark.parametrize(("before", "nice", "after"), [(0, 7, 7), (0, 0, 0), (12, 7, 12)])
def test_helper_processes_give_way_as_well(album: Path, before: int, nice: int, after: int) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    photo = make_photo(album / "a.jpg")
    terminal = session_priority(os.getpid()) if HAS_SESSIONS else None
    with subprocess.Popen(
        [sys.executable, "-c", PRIORITIES, str(photo), str(max(own, before)), str(nice)],
        cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        this, worker, pid = map(int, process.stdout.readline().split())
        assert this == max(own, after)
        assert worker >= this  # which gives way a little more still
        if terminal is not None:  # a kernel with priorities of sessions
            assert session_priority_of(pid, worker) == worker
            assert session_priority(process.pid) == terminal  # what else runs in it goes on as before
        process.communicate()
    assert process.returncode == 0


LOWERED = """
import os, sys
from photoindex.system.child_process import Child
os.setpriority(os.PRIO_PROCESS, 0, int(sys.argv[1]))
child = Child(
    "import os, sys; sys.path[:] = sys.argv[1:]; from photoindex.system.child_process import own_streams, send;"
    " requests, answers = own_streams(); requests.readline(); send(answers, os.getpid()); requests.readline()"
)
print(child.exchange({}, seconds=60).decode(), flush=True)
sys.stdin.read()
child.close()
"""


@pytest.mark.skipif(not HAS_SESSIONS, reason="sessions have no priorities here")
def test_the_session_of_a_child_gives_way_as_far_as_its_parent() -> None:
    nice = max(os.getpriority(os.PRIO_PROCESS, 0), 12)
    with subprocess.Popen(
        [sys.executable, "-c", LOWERED, str(nice)],
        cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert session_priority_of(int(process.stdout.readline()), nice) == nice
        process.communicate()
    assert process.returncode == 0


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="priorities are read as POSIX has them")
def test_the_command_line_gives_way_when_it_works(data_dir: Path, album: Path) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    code = "import os, sys; from photoindex.cli import main\ntry: main(sys.argv[1:])\nfinally: " \
        "print(os.getpriority(os.PRIO_PROCESS, 0))"  # fmt: skip
    for arguments, expected in (
        (["index", "--nice", "9", str(album)], max(own, 9)),
        (["--quiet", "reindex", "--nice", "9", "--fulltext"], max(own, 9)),
        (["status"], own),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, "--data-dir", str(data_dir), *arguments],
            cwd=REPOSITORY, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.split()[-1] == str(expected)
