"""Work shared out among threads."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
import torch

from photoindex.captioner.thread_pool import LANES, LEAST_PHOTOS, MOST_THREADS, Lanes, Shares


class Worker:
    """Notes the threads it is called from, and how many cores torch uses there."""

    def __init__(self) -> None:
        self.threads: set[int] = set()
        self.cores: set[int] = set()
        self.parts: set[tuple[int, int]] = set()

    def __call__(self, some: slice) -> list[int]:
        self.threads.add(threading.get_ident())
        self.cores.add(torch.get_num_threads())
        self.parts.add((some.start, some.stop))
        assert torch.is_inference_mode_enabled()
        return list(range(some.start, some.stop))


@pytest.mark.parametrize(
    ("cores", "photos", "parts"),
    [
        (2, 2 * LEAST_PHOTOS - 1, 1),
        (2, 2 * LEAST_PHOTOS, 2),
        (2, 64, 2),
        (1, 64, 1),
        (3, 50, 3),
        (64, 1000, MOST_THREADS),
        (4, 0, 1),
    ],
)
def test_the_parts_are_all_of_it_in_order(cores: int, photos: int, parts: int) -> None:
    worker, shares = Worker(), Shares(cores)
    with torch.inference_mode():
        assert shares.map(worker, photos) == list(range(photos))
    shares.close()
    assert len(worker.parts) == parts


def test_each_thread_has_its_share_of_the_cores_and_the_others_keep_theirs() -> None:
    worker, shares, before = Worker(), Shares(8), torch.get_num_threads()
    with torch.inference_mode():
        shares.map(worker, 100)
    assert worker.cores == {2}
    assert threading.get_ident() not in worker.threads
    elsewhere: list[int] = []
    other = threading.Thread(target=lambda: elsewhere.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert [torch.get_num_threads(), *elsewhere] == [before, before]
    shares.close()


def test_what_a_part_shares_out_itself_stays_in_its_thread() -> None:
    shares, both = Shares(2), threading.Barrier(2, timeout=60)

    def work(some: slice) -> list[tuple[int, bool]]:
        inner = Worker()
        both.wait()  # no thread is left for what is shared out
        count = len(shares.map(inner, 2 * LEAST_PHOTOS))
        return [(count, inner.threads == {threading.get_ident()})]

    assert shares.map(work, 2 * LEAST_PHOTOS) == [(2 * LEAST_PHOTOS, True)] * 2
    shares.close()


def test_each_part_has_a_thread_of_its_own_and_answers_come_in_order() -> None:
    shares, both = Shares(2), threading.Barrier(2, timeout=60)

    def work(part: str) -> tuple[str, int]:
        assert torch.is_inference_mode_enabled()
        both.wait()  # the other part is in work, too
        return part, threading.get_ident()

    with torch.inference_mode():
        (first, one), (second, other) = shares.each(work, ["first", "second"])
    shares.close()
    assert (first, second) == ("first", "second")
    assert len({one, other, threading.get_ident()}) == 3


@pytest.mark.parametrize("parts", [[], ["only"]])
def test_for_a_single_part_no_thread_is_started(parts: list[str]) -> None:
    before, shares = threading.active_count(), Shares(2)
    assert shares.each(lambda part: (part, threading.get_ident()), parts) == [
        (part, threading.get_ident()) for part in parts
    ]
    assert threading.active_count() == before


def test_after_closing_it_may_be_used_again_and_no_thread_is_left() -> None:
    before, shares = threading.active_count(), Shares(2)
    for _ in range(2):
        with torch.inference_mode():
            assert len(shares.map(Worker(), 64)) == 64
        shares.close()
        assert threading.active_count() == before


def test_an_error_in_one_part_is_an_error_of_the_whole() -> None:
    def fail(some: slice) -> list[int]:
        raise ZeroDivisionError if some.start else ValueError

    shares = Shares(2)
    with pytest.raises(ValueError):  # noqa: PT011 (the first part's)
        shares.map(fail, 64)
    shares.close()


def test_on_a_cpu_there_is_one_lane_which_is_the_callers() -> None:
    lanes = Lanes(torch.device("cpu"))
    threads: list[str] = []

    def work(some: Sequence[int]) -> list[int]:
        threads.append(threading.current_thread().name)
        return [2 * number for number in some]

    assert lanes.map(work, range(100)) == [2 * number for number in range(100)]
    assert threads == [threading.current_thread().name]
    lanes.close()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU on this machine")
def test_on_a_gpu_each_lane_has_a_stream_of_its_own() -> None:
    lanes = Lanes(torch.device("cuda"))
    both_there = threading.Barrier(LANES)
    streams: set[int] = set()

    def work(some: Sequence[int]) -> list[int]:
        both_there.wait()
        streams.add(torch.cuda.current_stream().cuda_stream)
        return torch.tensor(some, device="cuda").mul(2).tolist()

    assert lanes.map(work, range(100)) == [2 * number for number in range(100)]
    assert len(streams) == LANES
    lanes.close()
