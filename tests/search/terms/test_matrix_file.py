"""Impact matrices on disk: whole or not at all, and never in one another's way."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from photoindex.search.checked_file import DamagedFile
from photoindex.search.terms import matrix_file
from photoindex.search.terms.matrix import Stamp, TermMatrix, build
from photoindex.types import TermVocabulary, VectorBatch

TERMS = ("dog", "cat", "black dog", "été")
IDENTITY = "0123456789abcdef0123456789abcdef"


def make(revision: int = 5, *, photos: int = 20, identity: str = IDENTITY) -> TermMatrix:
    """Photo n has the impact n for each term."""
    ids = np.arange(1, photos + 1)
    vectors = VectorBatch(
        ids, np.full(photos, len(TERMS)), np.tile(np.arange(len(TERMS), dtype=np.uint16), photos),
        np.repeat(ids, len(TERMS)).astype(np.uint8),
    )  # fmt: skip
    return build(Stamp(identity, revision), {1: TermVocabulary(TERMS, 0.5)}, lambda _: [vectors])


def everything(matrix: TermMatrix) -> list[list[float]]:
    columns = [matrix.column(term) for term in TERMS]
    parts = [part for column in columns if column is not None for part in column]
    return [values.tolist() for part in parts for values in (part.rows, part.impacts())]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_matrix_comes_back_as_it_was(tmp_path: Path) -> None:
    written = make()
    read = matrix_file.load(matrix_file.publish(written, tmp_path / "new" / "folder"))
    assert (read.stamp, list(read.terms)) == (written.stamp, list(TERMS))
    for name in ("photo_ids", "norms", "scales"):
        assert getattr(read, name).tolist() == getattr(written, name).tolist()
    assert everything(read) == everything(written)
    assert read.column("unheard") is None


@pytest.mark.parametrize("photos", [0, 1])
def test_a_matrix_of_little_comes_back_too(tmp_path: Path, photos: int) -> None:
    assert len(matrix_file.load(matrix_file.publish(make(photos=photos), tmp_path))) == photos
    nothing = build(Stamp(IDENTITY, 1), {}, lambda _: [])
    assert len(matrix_file.load(matrix_file.publish(nothing, tmp_path))) == 0


def test_the_newest_replaces_the_others_and_a_mapped_one_stays_readable(tmp_path: Path) -> None:
    matrix_file.publish(make(5), tmp_path)
    old = matrix_file.load_newest(tmp_path, IDENTITY, 9)
    matrix_file.publish(make(6, photos=3), tmp_path)
    new = matrix_file.load_newest(tmp_path, IDENTITY, 9)
    assert old is not None
    assert new is not None
    assert (old.stamp.revision, new.stamp.revision) == (5, 6)
    assert everything(old) == everything(make(5))
    assert matrix_file.newest_stamp(tmp_path, IDENTITY, 9) == (Stamp(IDENTITY, 6), 3)
    if os.name != "nt":
        assert names(tmp_path) == ["terms-2.matrix"]


def test_another_catalogues_matrix_and_one_from_the_future_are_not_used(tmp_path: Path) -> None:
    matrix_file.publish(make(5), tmp_path)
    assert matrix_file.load_newest(tmp_path, "f" * 32, 9) is None
    assert matrix_file.load_newest(tmp_path, IDENTITY, 4) is None
    assert matrix_file.newest_stamp(tmp_path, IDENTITY, 4) is None
    assert matrix_file.load_newest(tmp_path, IDENTITY, 5) is not None


def test_where_there_is_none_there_is_none(tmp_path: Path) -> None:
    assert matrix_file.load_newest(tmp_path / "absent", IDENTITY, 9) is None
    (tmp_path / "terms-x.matrix").write_text("a stranger's")
    (tmp_path / "terms-7.matrix").mkdir()
    assert matrix_file.load_newest(tmp_path, IDENTITY, 9) is None
    assert matrix_file.newest_stamp(tmp_path, IDENTITY, 9) is None


def test_behind_a_damaged_newest_the_one_before_is_used(tmp_path: Path) -> None:
    whole = matrix_file.publish(make(5), tmp_path).read_bytes()
    (tmp_path / "terms-2.matrix").write_bytes(whole[:-1])
    found = matrix_file.load_newest(tmp_path, IDENTITY, 9)
    assert found is not None
    assert everything(found) == everything(make(5))


def test_what_a_killed_writer_left_goes_when_it_is_old(tmp_path: Path) -> None:
    for name, age in (("terms-abc.new", 0), ("terms-def.new", 7200)):
        (tmp_path / name).write_text("half a matrix")
        os.utime(tmp_path / name, (time.time() - age, time.time() - age))
    matrix_file.publish(make(), tmp_path)
    assert names(tmp_path) == ["terms-1.matrix", "terms-abc.new"]


def test_a_disk_that_refuses_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix_file.publish(make(5), tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        matrix_file.publish(make(6), tmp_path)
    assert names(tmp_path) == ["terms-1.matrix"]
    assert matrix_file.newest_stamp(tmp_path, IDENTITY, 9) == (Stamp(IDENTITY, 5), 20)


def test_a_file_of_another_format_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(matrix_file, "FORMAT", matrix_file.FORMAT + 1)
        path = matrix_file.publish(make(), tmp_path)
        matrix_file.load(path)
    with pytest.raises(DamagedFile):
        matrix_file.load(path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return matrix_file.publish(make(), tmp_path_factory.mktemp("whole")).read_bytes()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_damage_goes_unnoticed(tmp_path: Path, whole: bytes, data: st.DataObject) -> None:
    """Every byte but the padding's says something, and is checked before it is believed."""
    kind = data.draw(st.sampled_from(["cut", "flipped", "longer", "zeros"]))
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    if kind == "cut":
        del damaged[place:]
    elif kind == "flipped":
        damaged[place] ^= data.draw(st.integers(1, 255))
    elif kind == "longer":
        damaged[place:place] = data.draw(st.binary(min_size=1, max_size=20))
    else:
        damaged[place:] = bytes(len(whole) - place)
    path = tmp_path / "terms-1.matrix"
    path.unlink(missing_ok=True)  # the file of the example before may be mapped still
    path.write_bytes(damaged)
    try:
        found = everything(matrix_file.load(path))
    except DamagedFile:
        return
    assert found == everything(make())


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_garbage_is_no_matrix(tmp_path_factory: pytest.TempPathFactory, garbage: bytes) -> None:
    path = tmp_path_factory.mktemp("garbage") / "terms-1.matrix"
    path.write_bytes(garbage)
    with pytest.raises(DamagedFile):
        matrix_file.load(path)
