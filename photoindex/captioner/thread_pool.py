"""Work on a batch of photos shared out among a few threads, for models that are many small operations.

torch spreads each operation over all cores by itself, and each then ends with the cores waiting for the last of them,
some thousands of times a batch. When each thread has photos of its own and its own cores there is nothing to wait for
but the end: on two cores, beam search by two threads takes four fifths of the time, and of the processor.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import torch

MOST_THREADS = 4  # Python runs the code between the operations for one thread at a time
LANES = 2
LEAST_PHOTOS = 16  # for a thread: with fewer the small operations get too small

_here = threading.local()

Item = TypeVar("Item")
Part = TypeVar("Part")
Photo = TypeVar("Photo")


class Shares:
    """Shares work out among threads, which are started when they are first needed, for ``cores`` processor cores."""

    def __init__(self, cores: int) -> None:
        self._cores = cores
        self._threads = shared_among(cores)
        self._pool: ThreadPoolExecutor | None = None

    def map(self, work: Callable[[slice], list[Item]], photos: int) -> list[Item]:
        """What ``work`` returns for all of so many photos, in order. It is given some of them at a time, by their
        numbers, from several threads, in inference mode; what it shares out itself stays in its thread."""
        parts = min(self._threads, photos // LEAST_PHOTOS)
        if parts < 2 or getattr(_here, "is_share", False):
            return work(slice(0, photos))
        edges = [photos * part // parts for part in range(parts + 1)]
        return [item for share in self.each(work, list(map(slice, edges, edges[1:]))) for item in share]

    def each(self, work: Callable[[Part], Item], parts: Sequence[Part]) -> list[Item]:
        """What ``work`` returns for each of some parts of a batch, in order; otherwise as :meth:`map`."""
        if len(parts) < 2 or getattr(_here, "is_share", False):
            return list(map(work, parts))
        if self._pool is None:
            self._pool = _pool(self._threads, self._cores // self._threads)
        return list(self._pool.map(torch.inference_mode()(work), parts))

    def close(self) -> None:
        """End the threads; others are started when there is more to do."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


def shared_among(cores: int) -> int:
    """How many threads :class:`Shares` shares the work of so many cores out among."""
    return min(cores, MOST_THREADS)


class Lanes:
    """Two halves of a batch at once on a GPU: it computes one while Python asks for the other and reads the answers.

    Each lane has a thread and a stream of its own. On another device there is one lane, which is the caller's thread.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool: ThreadPoolExecutor | None = None

    def map(self, work: Callable[[Sequence[Photo]], list[Item]], photos: Sequence[Photo]) -> list[Item]:
        """What ``work`` returns for all of ``photos``, in order. It is given some of them at a time."""
        if self._device.type != "cuda" or len(photos) < LANES * LEAST_PHOTOS:
            return work(photos)
        if self._pool is None:
            torch.cuda.synchronize(self._device)  # the weights are on their way in another stream
            self._pool = ThreadPoolExecutor(LANES, "lane", self._begin)
        edges = [len(photos) * part // LANES for part in range(LANES + 1)]
        parts = [photos[start:end] for start, end in pairwise(edges)]
        return [item for lane in self._pool.map(work, parts) for item in lane]

    def close(self) -> None:
        """End the threads; others are started when there is more to do."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def _begin(self) -> None:
        torch.cuda.set_stream(torch.cuda.Stream(self._device))


def _pool(threads: int, cores: int) -> ThreadPoolExecutor:
    """Threads in each of which torch uses so many cores."""
    before = torch.get_num_threads()

    def begin() -> None:
        torch.get_num_threads()  # a thread's first question sets its number to the program's, whatever was set before
        torch.set_num_threads(cores)
        _here.is_share = True

    pool = ThreadPoolExecutor(threads, "shares", begin)
    all_there = threading.Barrier(threads)
    list(pool.map(lambda _: all_there.wait(), range(threads)))
    torch.set_num_threads(before)  # which threads started from now on have, elsewhere in the program
    return pool
