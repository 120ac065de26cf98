"""When a file counts as finished. Time is a number the tests set."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoindex.folders.settle import Settler
from photoindex.types import FileStat

QUIET = 2.0
A, B = Path("/p/a.jpg"), Path("/p/b.jpg")


class World:
    """A clock and a disk, both set by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.files: dict[Path, FileStat] = {}
        self.broken: set[Path] = set()
        self.looks = 0

    def clock(self) -> float:
        return self.now

    def stat(self, path: Path) -> FileStat | None:
        self.looks += 1
        if path in self.broken:
            raise PermissionError(13, "Permission denied")
        return self.files.get(path)

    def write(self, path: Path, size: int = 10) -> None:
        self.files[path] = FileStat(size, int(self.now * 1e9), 1)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def settler(world: World) -> Settler:
    return Settler(QUIET, world.clock, world.stat)


def ready(settler: Settler) -> list[Path]:
    return [path for path, _ in settler.take_ready()]


def test_a_file_is_ready_after_the_quiet_period_and_is_released_once(world: World, settler: Settler) -> None:
    world.write(A)
    settler.touch(A)
    world.now += 1.9
    assert ready(settler) == []
    assert settler.pending == 1
    world.now += 0.1
    assert settler.take_ready() == [(A, world.files[A])]
    assert ready(settler) == []
    assert settler.pending == 0


def test_every_event_starts_the_quiet_period_again(world: World, settler: Settler) -> None:
    world.write(A)
    for _ in range(5):
        settler.touch(A)
        world.now += 1.5
        assert ready(settler) == []
    world.now += 0.5
    assert ready(settler) == [A]


def test_a_file_that_grows_without_events_waits_until_it_stops(world: World, settler: Settler) -> None:
    world.write(A, 10)
    settler.touch(A)
    for size in (20, 30, 40):
        world.now += QUIET
        world.write(A, size)
        assert ready(settler) == []
    world.now += QUIET
    assert settler.take_ready() == [(A, world.files[A])]


def test_another_modification_time_alone_is_a_change(world: World, settler: Settler) -> None:
    world.write(A)
    settler.touch(A)
    world.now += 1
    world.write(A)
    world.now += 1
    assert ready(settler) == []
    world.now += QUIET
    assert ready(settler) == [A]


def test_an_empty_file_waits_longer_and_is_then_released_anyway(world: World, settler: Settler) -> None:
    world.write(A, 0)
    settler.touch(A)
    for _ in range(9):
        world.now += QUIET
        assert ready(settler) == []
    world.now += QUIET
    assert ready(settler) == [A]


def test_files_that_are_waited_for_only_because_they_are_empty_are_named(world: World, settler: Settler) -> None:
    assert settler.only_empty() == []
    for path in (B, A):
        world.write(path, size=0)
        settler.touch(path)
    world.now += QUIET
    assert settler.only_empty() == []  # nobody has looked again yet
    assert ready(settler) == []
    assert settler.only_empty() == [A, B]
    settler.touch(A)
    assert settler.only_empty() == []  # something happens to it
    world.now += QUIET
    assert ready(settler) == []
    assert settler.only_empty() == [A, B]
    world.write(B)
    world.now += QUIET
    assert ready(settler) == []
    assert settler.only_empty() == []


def test_an_empty_file_that_gets_its_bytes_waits_only_the_usual_time(world: World, settler: Settler) -> None:
    world.write(A, 0)
    settler.touch(A)
    world.now += 5 * QUIET
    assert ready(settler) == []
    world.write(A, 10)
    settler.touch(A)
    world.now += QUIET
    assert ready(settler) == [A]


def test_a_vanished_file_is_dropped(world: World, settler: Settler) -> None:
    world.write(A)
    settler.touch(A)
    del world.files[A]
    world.now += QUIET
    assert ready(settler) == []
    assert settler.pending == 0
    assert settler.next_due() is None


def test_a_file_that_was_away_at_the_event_and_is_back_is_not_lost(world: World, settler: Settler) -> None:
    settler.touch(A)
    world.write(A)
    world.now += QUIET
    assert ready(settler) == []
    world.now += QUIET
    assert ready(settler) == [A]


def test_a_file_that_cannot_be_looked_at_stays_until_it_can(world: World, settler: Settler) -> None:
    world.write(A)
    world.broken.add(A)
    settler.touch(A)
    for _ in range(3):
        world.now += QUIET
        assert ready(settler) == []
    world.broken.clear()
    world.now += QUIET
    assert ready(settler) == []
    world.now += QUIET
    assert ready(settler) == [A]


def test_a_forgotten_file_is_not_released(world: World, settler: Settler) -> None:
    world.write(A)
    settler.touch(A)
    settler.forget(A)
    settler.forget(B)
    assert settler.next_due() is None
    world.now += QUIET
    assert ready(settler) == []


def test_a_file_touched_after_being_forgotten_waits_its_full_time(world: World, settler: Settler) -> None:
    world.write(A)
    settler.touch(A)
    world.now += 1
    settler.forget(A)
    settler.touch(A)
    world.now += 1
    assert ready(settler) == []
    world.now += 1
    assert ready(settler) == [A]


def test_a_pending_file_that_is_renamed_is_released_under_its_new_name(world: World, settler: Settler) -> None:
    world.write(A)
    settler.touch(A)
    world.files[B] = world.files.pop(A)
    settler.move(A, B)
    world.now += QUIET
    assert ready(settler) == [B]
    assert settler.pending == 0


def test_renaming_a_settled_file_makes_nothing_pending(world: World, settler: Settler) -> None:
    world.write(B)
    settler.move(A, B)
    assert settler.pending == 0


def test_a_settled_file_that_replaces_a_pending_one_is_awaited(world: World, settler: Settler) -> None:
    world.write(B)
    settler.touch(B)
    world.now += 1.5
    settler.move(A, B)
    world.now += 1.5
    assert ready(settler) == []
    world.now += 0.5
    assert ready(settler) == [B]


def test_pending_files_follow_a_renamed_folder(world: World, settler: Settler) -> None:
    inside, other = Path("/p/old/x/a.jpg"), Path("/p/older/a.jpg")
    for path in (inside, other):
        world.write(path)
        settler.touch(path)
    moved = Path("/p/new/x/a.jpg")
    world.files[moved] = world.files.pop(inside)
    settler.move_below(Path("/p/old"), Path("/p/new"))
    world.now += QUIET
    assert sorted(ready(settler)) == [moved, other]


def test_pending_files_of_a_removed_folder_are_forgotten(world: World, settler: Settler) -> None:
    inside, other = Path("/p/old/x/a.jpg"), Path("/p/older/a.jpg")
    for path in (inside, other):
        world.write(path)
        settler.touch(path)
    settler.forget_below(Path("/p/old"))
    world.now += QUIET
    assert ready(settler) == [other]


def test_next_due_tells_the_seconds_until_something_may_be_ready(world: World, settler: Settler) -> None:
    assert settler.next_due() is None
    world.write(A)
    world.write(B)
    settler.touch(A)
    world.now += 0.5
    settler.touch(B)
    assert settler.next_due() == pytest.approx(1.5)
    settler.touch(A)
    world.now += 0.5
    assert settler.next_due() == pytest.approx(1.5)
    world.now += 10
    assert settler.next_due() == 0.0


def test_without_a_quiet_period_a_file_is_ready_at_once_unless_it_changes_at_every_look(world: World) -> None:
    settler = Settler(0, world.clock, world.stat)
    world.write(A)
    settler.touch(A)
    assert ready(settler) == [A]

    sizes = iter(range(1, 1000))
    restless = Settler(0, world.clock, lambda path: FileStat(next(sizes), 1, 1))
    restless.touch(A)
    assert ready(restless) == []
    assert restless.pending == 1


def test_a_storm_of_events_costs_one_look_each_and_one_more_to_release(world: World, settler: Settler) -> None:
    paths = [Path(f"/p/{number}.jpg") for number in range(5_000)]
    for path in paths:
        world.write(path)
    for _ in range(10):
        for path in paths:
            settler.touch(path)
        world.now += 0.1
        assert ready(settler) == []
    assert world.looks == 50_000
    world.now += QUIET
    assert sorted(ready(settler)) == sorted(paths)
    assert world.looks == 55_000


def test_real_files_are_looked_at_by_default(tmp_path: Path, world: World) -> None:
    settler = Settler(QUIET, world.clock)
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"12345")
    os.mkfifo(tmp_path / "pipe.jpg")
    settler.touch(photo)
    settler.touch(tmp_path / "pipe.jpg")
    world.now += QUIET
    ((path, stat),) = settler.take_ready()
    assert (path, stat.size, stat.inode) == (photo, 5, photo.stat().st_ino)
    assert settler.pending == 0


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from([A, B]), st.integers(0, 3)),  # without an event
        st.tuples(st.just("event"), st.sampled_from([A, B]), st.integers(1, 3)),
        st.tuples(st.just("remove"), st.sampled_from([A, B]), st.just(0)),
        st.tuples(st.just("wait"), st.just(A), st.integers(1, 5)),
    ),
    max_size=40,
)


@given(STEPS)
def test_no_file_is_released_while_it_changes_and_none_is_lost(steps: list[tuple[str, Path, int]]) -> None:
    world = World()
    settler = Settler(QUIET, world.clock, world.stat)
    last_event: dict[Path, float] = {}
    awaited: set[Path] = set()

    def take() -> None:
        for path, stat in settler.take_ready():
            assert stat == world.files[path]
            assert world.now - last_event[path] >= QUIET
            awaited.remove(path)  # fails when a file is released that no event came for

    for kind, path, amount in steps:
        if kind == "wait":
            world.now += amount / 2
            take()
        elif kind == "remove":
            world.files.pop(path, None)
            settler.forget(path)
            awaited.discard(path)
        else:
            world.write(path, amount)
            if kind == "event":
                settler.touch(path)
                last_event[path] = world.now
                awaited.add(path)
    for _ in range(25):
        world.now += QUIET
        take()
    assert awaited == set()
    assert settler.pending == 0
