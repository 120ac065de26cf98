"""A process that writes without end leaves the catalogue to others in between."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from photoindex.catalogue import sqlite_database, turns
from photoindex.catalogue.opening import open_database
from photoindex.catalogue.turns import MOST, REST, Turns


class Clock:
    """A monotonic clock that goes on by what is slept and by what is said."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept += [seconds] if seconds else []
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(turns, "time", made)
    return made


def write(turn: Turns, clock: Clock, seconds: float) -> None:
    turn.wait()
    began = clock.now
    clock.now += seconds
    turn.note(began)


def test_short_transactions_rest_once_they_have_held_the_lock_for_long(clock: Clock) -> None:
    turn = Turns()
    for _ in range(1000):
        write(turn, clock, MOST / 100)
    assert clock.slept == pytest.approx([REST] * 9)


def test_a_long_transaction_is_followed_by_a_rest(clock: Clock) -> None:
    turn = Turns()
    write(turn, clock, 10 * MOST)
    clock.now += REST / 4  # counts as part of the rest
    write(turn, clock, MOST / 2)
    assert clock.slept == pytest.approx([REST * 3 / 4])


def test_who_writes_now_and_then_never_waits(clock: Clock) -> None:
    turn = Turns()
    for _ in range(100):
        write(turn, clock, MOST)
        clock.now += REST
    assert clock.slept == []


def test_the_catalogue_rests_between_its_write_transactions(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_database, "time", clock)
    with closing(open_database(tmp_path / "catalogue.db")) as catalogue:
        for _ in range(3):
            with catalogue.write():
                clock.now += MOST
        with pytest.raises(ValueError, match="rolled back"), catalogue.write():
            clock.now += MOST
            raise ValueError("rolled back")
        with catalogue.write():
            pass
    assert clock.slept == pytest.approx([REST] * 4)
