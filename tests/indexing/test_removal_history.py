"""What a root lost lately, by the times at which events arrived."""

from __future__ import annotations

import pytest

from photoindex.indexing.removal_history import BURST_SECONDS, LONGEST_BURST, RemovalHistory

GAP = BURST_SECONDS + 1


@pytest.mark.parametrize(
    ("steps", "peak", "photos"),
    [
        pytest.param([(0, 9, 8)], 9, [0], id="one"),
        pytest.param([(0, 9, 8), (1, 8, 7), (2, 7, 6)], 9, [0, 1, 2], id="one after the other"),
        pytest.param([(0, 9, 8), (GAP, 8, 7)], 8, [1], id="time between them"),
        pytest.param([(0, 9, 8), (1, 9, 8), (2, 9, 8)], 9, [2], id="each replaced"),
        pytest.param([(0, 9, 8), (1, 8, 7), (2, 8, 7)], 9, [0, 1, 2], id="the last replaced"),
        pytest.param([(0, 9, 8), (1, 8, 5), (2, 20, 19)], 20, [2], id="more than made up for"),
        pytest.param([(place * 4, 40 - place, 39 - place) for place in range(20)], 36, [*range(4, 20)], id="no end"),
        pytest.param([(0, 9, 8), (1, 8, 7), (2, 4, 3)], 6, [0, 1, 2], id="three went otherwise"),
        pytest.param([(0, 9, 8), (900, 9, 8), (3, 8, 7)], 9, [1, 2], id="a clock that is behind"),
    ],
)
def test_the_loss_counts_since_the_most_files_were_held(
    steps: list[tuple[float, int, int]], peak: int, photos: list[int]
) -> None:
    history = RemovalHistory()
    for place, (arrived, held, left) in enumerate(steps):
        history.add(arrived, held, left, [place])
    assert (history.peak, history.photos) == (peak, photos)


@pytest.mark.parametrize("rate", [1, 7])
@pytest.mark.parametrize("seconds", [30, 300])
def test_a_steady_coming_and_going_is_no_loss_however_long_it_lasts(rate: int, seconds: int) -> None:
    history = RemovalHistory()
    for second in range(seconds):
        history.add(second, 100, 100 - rate, range(second * rate, (second + 1) * rate))
        assert (history.peak, len(history.photos)) == (100, rate)


@pytest.mark.parametrize("start", [0, 50, 500])
def test_a_loss_in_the_middle_of_coming_and_going_counts_what_went_in_it_alone(start: int) -> None:
    history = RemovalHistory()
    for second in range(start):
        history.add(second, 100, 99, [second])
    history.add(start, 100, 10, range(1000, 1090))
    history.add(start + 1, 10, 9, [2000])
    assert history.peak == 100
    assert history.photos == [*range(1000, 1090), 2000]
    history.add(start + LONGEST_BURST + 1, 9, 8, [2001])
    assert history.peak == 9
