"""Telling new, changed and missing files apart, and what the difference means in events."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoindex.folders.compare import TELL_EVERY, FolderChanges, compare, events, sift
from photoindex.folders.walk import scanned_file
from photoindex.system.file_state import Numbers, numbers_of
from photoindex.types import FileEvent, FileStat, ScannedFile


def state(size: int = 1, mtime_ns: int = 1, inode: int = 1) -> FileStat:
    return FileStat(size, mtime_ns, inode)


def found(name: str, stat: FileStat) -> ScannedFile:
    return ScannedFile(Path(name), stat)


def test_files_are_sorted_into_new_changed_missing_and_unchanged() -> None:
    known = {Path("/same"): state(), Path("/grown"): state(), Path("/touched"): state(), Path("/gone"): state()}
    grown, touched, new = found("/grown", state(size=2)), found("/touched", state(mtime_ns=2)), found("/new", state())
    changes = compare([grown, found("/same", state()), touched, new], known)
    assert changes == FolderChanges(new=(new,), changed=(grown, touched), missing=(Path("/gone"),), unchanged=1)


FIXED = FileStat(1, 100, 7, 200)  # its change time tells of a change of the inode after the last writing


@pytest.mark.parametrize(
    ("before", "after", "unchanged"),
    [
        (FIXED, FIXED, True),
        (FIXED, replace(FIXED, size=2), False),
        (FIXED, replace(FIXED, mtime_ns=101), False),
        (FIXED, replace(FIXED, mtime_ns=99), False),
        (FIXED, replace(FIXED, inode=8), False),
        (FIXED, replace(FIXED, ctime_ns=201), False),
        (FIXED, replace(FIXED, ctime_ns=199), False),
        # Nothing is numbered there.
        (replace(FIXED, inode=0), FIXED, True),
        # No change time of its own: a file system that numbers files as it pleases.
        (replace(FIXED, ctime_ns=100), replace(FIXED, ctime_ns=100, inode=8), True),
        # Stored before change times were.
        (replace(FIXED, ctime_ns=None), replace(FIXED, inode=8), True),
        (replace(FIXED, ctime_ns=None), replace(FIXED, size=2), False),
    ],
)
def test_what_counts_as_unchanged(before: FileStat, after: FileStat, *, unchanged: bool) -> None:
    file = found("/a", after)
    changes = compare([file], {Path("/a"): before})
    assert changes.unchanged == unchanged
    assert changes.changed == (() if unchanged else (file,))
    assert changes.undated == ((file,) if unchanged and before.ctime_ns is None else ())


def test_an_older_modification_time_is_a_change() -> None:
    assert len(compare([found("/a", state(mtime_ns=1))], {Path("/a"): state(mtime_ns=2)}).changed) == 1


def test_files_that_nobody_could_look_at_are_not_missing() -> None:
    known = {Path(name): state() for name in ("/r/shut/a", "/r/shut/deep/b", "/r/shut2/c", "/r/file", "/r/gone")}
    changes = compare([], known, unreadable=[Path("/r/shut"), Path("/r/file")])
    assert changes.missing == (Path("/r/gone"), Path("/r/shut2/c"))


def test_a_path_scanned_twice_counts_once() -> None:
    assert compare([found("/a", state())] * 2, {}).new == (found("/a", state()),)


NAMES = st.sampled_from([Path(f"/{name}") for name in "abcdef"])
STATES = st.builds(FileStat, st.integers(0, 2), st.integers(0, 2), st.integers(0, 9))


@given(st.dictionaries(NAMES, STATES), st.dictionaries(NAMES, STATES))
def test_every_path_is_counted_exactly_once(on_disk: dict[Path, FileStat], known: dict[Path, FileStat]) -> None:
    changes = compare([ScannedFile(path, stat) for path, stat in on_disk.items()], known)
    listed = [file.path for file in (*changes.new, *changes.changed)] + list(changes.missing)
    assert len(listed) == len(set(listed))
    assert len(listed) + changes.unchanged == len(on_disk.keys() | known.keys())


@given(st.dictionaries(NAMES, STATES), st.dictionaries(NAMES, STATES))
def test_replaying_the_events_leads_to_what_is_on_disk(
    on_disk: dict[Path, FileStat], known: dict[Path, FileStat]
) -> None:
    changes = compare([ScannedFile(path, stat) for path, stat in on_disk.items()], known)
    replayed = dict(known)
    for event in events(changes, known):
        if event.kind == "removed":
            del replayed[event.path]
        elif event.kind == "moved":
            assert event.destination is not None
            replayed[event.destination] = replayed.pop(event.path)
        else:
            replayed[event.path] = on_disk[event.path]
    assert {path: (stat.size, stat.mtime_ns) for path, stat in replayed.items()} == {
        path: (stat.size, stat.mtime_ns) for path, stat in on_disk.items()
    }


def test_a_file_that_kept_its_inode_size_and_time_has_moved() -> None:
    known = {Path("/old"): state(inode=5)}
    changes = compare([found("/new", state(inode=5))], known)
    assert list(events(changes, known)) == [FileEvent("moved", Path("/old"), Path("/new"))]


def test_a_move_that_could_mean_several_files_is_not_guessed() -> None:
    known = {Path("/old"): state(inode=5)}
    changes = compare([found("/new1", state(inode=5)), found("/new2", state(inode=5))], known)
    assert [event.kind for event in events(changes, known)] == ["removed", "written", "written"]


def test_files_without_inode_numbers_are_never_taken_for_moved() -> None:
    known = {Path("/old"): state(inode=0)}
    changes = compare([found("/new", state(inode=0))], known)
    assert [event.kind for event in events(changes, known)] == ["removed", "written"]


def test_sifting_leaves_what_differs_and_what_was_not_met(tmp_path: Path) -> None:
    for name in ("changed.jpg", "new.jpg", "same.jpg"):
        (tmp_path / name).write_bytes(b"x")
    met = [(str(path), path.stat(), "") for path in sorted(tmp_path.iterdir())]
    states = {path: numbers_of(stat) for path, stat, _ in met}
    changed, new, same = states
    known: dict[str, Numbers] = {changed: (2, *states[changed][1:]), same: states[same], "gone.jpg": (1, 1, 1, 1)}
    found = sift(met, known, {}, scanned_file)
    assert (found.seen, found.unchanged) == (3, 1)
    assert [str(file.path) for file in found.others] == [changed, new]
    assert [file.stat for file in found.others] == [FileStat(*states[changed]), FileStat(*states[new])]
    assert set(known) == {changed, "gone.jpg"}


def test_sifting_tells_whose_sidecars_are_others(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    stat = (tmp_path / "x").stat()
    beside = {"gone": "", "added": "added.xmp:1:2", "same": "same.xmp:1:2", "written": "written.xmp:3:4", "none": ""}
    before = {"gone": "g.xmp:1:2", "same": "same.xmp:1:2", "written": "written.xmp:1:2", "changed": "c.xmp:1:2"}
    met = [(name, stat, state) for name, state in {**beside, "changed": "", "new": "new.xmp:1:2"}.items()]
    known = dict.fromkeys((*beside, "changed"), numbers_of(stat))
    known["changed"] = (2, 2, 2, 2)
    found = sift(met, known, before, scanned_file)
    assert found.beside == tuple(map(Path, ("gone", "added", "written", "changed")))
    assert [(str(file.path), file.sidecars) for file in found.others] == [("changed", ""), ("new", "new.xmp:1:2")]
    assert found.unchanged == 5


def test_sifting_makes_nothing_of_what_is_known_and_tells_how_far_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    stat = (tmp_path / "a.jpg").stat()
    met = [(f"{number}.jpg", stat, "") for number in range(2 * TELL_EVERY + 1)]
    known: dict[str, Numbers] = {path: (stat.st_size, stat.st_mtime_ns, 0, stat.st_ctime_ns) for path, *_ in met}
    told: list[tuple[int, str]] = []

    def make(path: str, _: os.stat_result, beside: str) -> ScannedFile:
        raise AssertionError(path)

    found = sift(met, known, {}, make, lambda seen, path: told.append((seen, path)))
    assert (found.seen, found.unchanged, found.others, known) == (len(met), len(met), (), {})
    assert told == [(TELL_EVERY, f"{TELL_EVERY - 1}.jpg"), (2 * TELL_EVERY, f"{2 * TELL_EVERY - 1}.jpg")]
