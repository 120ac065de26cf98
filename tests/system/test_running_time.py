"""Time limits of a process that is stopped meanwhile and goes on later."""

from __future__ import annotations

import math

import pytest

from photoindex.system.running_time import PIECE_SECONDS, within


@pytest.mark.parametrize("seconds", [0.0, 0.1, PIECE_SECONDS, 1.0, 7.3])
def test_what_does_not_come_is_waited_for_as_long_as_said(seconds: float) -> None:
    waited: list[float] = []
    assert not within(seconds, waited.append)
    assert math.isclose(sum(waited), seconds, abs_tol=1e-9)
    assert max(waited) <= PIECE_SECONDS


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_what_comes_is_not_waited_for_any_longer(parts: int) -> None:
    answers = [False] * (parts - 1) + [True]
    assert within(1000.0, lambda _: answers.pop(0))
    assert not answers


def test_what_has_come_when_the_time_is_over_came_in_time() -> None:
    assert within(0.0, lambda seconds: seconds == 0)
