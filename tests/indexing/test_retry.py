"""Trying again: which errors, how often it is told, and how the pauses grow."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from photoindex.errors import CaptionerCrashed, CatalogueError, CatalogueUnavailable, FullTextError
from photoindex.indexing.retry import FIRST_PAUSE, LONGEST_PAUSE, Retry

FULL = CatalogueUnavailable("the disk is full")


@dataclass
class Trial:
    """A step that fails with each of ``errors`` in turn and then succeeds; no time passes."""

    errors: list[Exception]
    stop_after: int = 1000  # pauses
    said: list[str] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    let_go: int = 0
    is_retrying: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        def let_go() -> None:
            self.let_go += 1

        self.retry = Retry(self.said.append, self.pauses.append, lambda: len(self.pauses) >= self.stop_after, let_go)

    def step(self) -> str:
        self.is_retrying.append(self.retry.is_retrying)
        if self.errors:
            raise self.errors.pop(0)
        return "done"

    def run(self) -> str | None:
        return self.retry.until_done(self.step)


def test_what_works_is_done_once_and_nothing_is_said() -> None:
    trial = Trial([])
    assert trial.run() == "done"
    assert (trial.said, trial.pauses, trial.let_go, trial.is_retrying) == ([], [], 0, [False])


@pytest.mark.parametrize(
    "make",
    [CatalogueUnavailable, FullTextError, CaptionerCrashed, lambda text: OSError(errno.ENOSPC, text)],
    ids=["catalogue", "index", "captioner", "system"],
)
def test_what_may_pass_is_tried_again_until_it_works(make: Callable[[str], Exception]) -> None:
    trial = Trial([make("no room"), make("no room")])
    assert trial.run() == "done"
    assert trial.let_go == 2
    assert trial.is_retrying == [False, True, True]
    assert len(trial.said) == 2
    assert "no room; nothing is lost" in trial.said[0]
    assert "going on" in trial.said[1]
    assert not trial.retry.is_retrying


def test_each_trouble_is_told_once() -> None:
    trial = Trial([FULL] * 5 + [FullTextError("locked")] * 5)
    trial.run()
    assert [line.split(";")[0] for line in trial.said] == ["the disk is full", "locked", "it works again"]


def test_trouble_with_other_numbers_is_the_same_trouble() -> None:
    full = 'the server has no room left (could not extend file "base/{}/{}"): make room there'
    trial = Trial([*(CatalogueUnavailable(full.format(5, number)) for number in (9, 10, 1234)), FULL])
    trial.run()
    assert [line.split(";")[0] for line in trial.said] == [full.format(5, 9), "the disk is full", "it works again"]


def test_the_same_trouble_is_told_again_when_it_comes_back() -> None:
    trial = Trial([FULL])
    trial.run()
    trial.errors.append(FULL)
    trial.run()
    assert [line.split(";")[0] for line in trial.said] == ["the disk is full", "it works again"] * 2
    assert trial.pauses == [FIRST_PAUSE] * 2


def test_the_pauses_grow_up_to_a_limit() -> None:
    trial = Trial([FULL] * 30)
    trial.run()
    assert trial.pauses[:4] == [FIRST_PAUSE * factor for factor in (1, 2, 4, 8)]
    assert trial.pauses == sorted(trial.pauses)
    assert set(trial.pauses[10:]) == {LONGEST_PAUSE}


def test_a_stop_ends_the_waiting() -> None:
    trial = Trial([FULL] * 30, stop_after=3)
    assert trial.run() is None
    assert len(trial.pauses) == 3


@pytest.mark.parametrize("error", [CatalogueError("damaged"), KeyError("a mistake of ours")], ids=["damage", "bug"])
def test_other_errors_are_not_held_back(error: Exception) -> None:
    trial = Trial([FULL, error])
    with pytest.raises(type(error)):
        trial.run()
