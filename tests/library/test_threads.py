"""One library used by several threads: each gets its own answer, and what cannot be shared is used in turns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from photoindex.library import Library
from photoindex.types import Prediction
from tests.conftest import OpenLibrary
from tests.support import FakeCaptioner, make_photo

COLOURS = ("red", "blue", "green")


class Alone(FakeCaptioner):
    """Notes when two threads ask it at once: each waits a moment for another one."""

    def __init__(self) -> None:
        super().__init__()
        self.other = threading.Barrier(2)
        self.met = False

    def caption(self, photos: Sequence[NDArray[np.uint8]]) -> list[Prediction]:
        with suppress(threading.BrokenBarrierError):
            self.other.wait(timeout=0.3)  # broken from the first time on that nobody came
            self.met = True
        return super().caption(photos)


class Asked(threading.Event):
    """Tells when somebody who waits for his turn has asked many times whether he is to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.often = threading.Event()
        self._times = 0

    def is_set(self) -> bool:
        self._times += 1
        if self._times > 20:
            self.often.set()
        return super().is_set()


def together(*tasks: Callable[[], object]) -> list[object]:
    """Do these things in threads of their own; return what they returned, or raised."""
    answers: list[object] = [None] * len(tasks)

    def do(number: int) -> None:
        try:
            answers[number] = tasks[number]()
        except BaseException as error:
            answers[number] = error

    threads = [threading.Thread(target=do, args=(number,)) for number in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_who_indexes_waits_until_another_thread_has_done_so(
    library: Library, captioner: FakeCaptioner, album: Path
) -> None:
    make_photo(album / "red" / "a.jpg", "red"), make_photo(album / "blue" / "b.jpg", "blue")
    stop, raised = Asked(), list[BaseException]()

    def other() -> None:
        try:
            library.index(album / "blue", stop=stop)
        except BaseException as error:
            raised.append(error)
        finally:
            stop.often.set()

    thread = threading.Thread(target=other)

    def begin_another() -> None:
        if thread.ident is None:
            thread.start()
            assert stop.often.wait(60)

    captioner.before = begin_another
    library.index(album / "red")
    thread.join()
    assert raised == []
    assert [hit.path.name for hit in library.search("square", sort="name")] == ["a.jpg", "b.jpg"]


def test_who_waits_can_be_stopped(library: Library, captioner: FakeCaptioner, album: Path) -> None:
    make_photo(album / "red" / "a.jpg", "red"), make_photo(album / "blue" / "b.jpg", "blue")
    stop = Asked()
    thread = threading.Thread(target=lambda: library.index(album / "blue", stop=stop))

    def stop_another() -> None:
        captioner.before = lambda: None
        thread.start()
        assert stop.often.wait(60)
        stop.set()
        thread.join(60)
        assert not thread.is_alive()

    captioner.before = stop_another
    library.index(album / "red")
    assert [hit.path.name for hit in library.search("red")] == ["a.jpg"]


@pytest.mark.parametrize("indexed", [True, False])
def test_a_captioner_is_asked_by_one_thread_at_a_time(open_library: OpenLibrary, album: Path, indexed: bool) -> None:
    captioner = Alone()
    photos = [make_photo(album / colour / "a.jpg", colour) for colour in COLOURS]
    library = open_library(captioner)

    def caption(photo: Path) -> list[object]:
        return [answer.caption for _, answer in library.caption(photo) if isinstance(answer, Prediction)]

    tasks: list[Callable[[], object]] = [partial(caption, photo) for photo in photos]
    if indexed:
        tasks.append(lambda: library.index(album).seen)
    answers = together(*tasks)
    assert answers[:3] == [["a red square"], ["a blue square"], ["a green square"]]
    assert answers[3:] == ([3] if indexed else [])
    assert not captioner.met


def test_a_model_is_loaded_once(open_library: OpenLibrary, album: Path) -> None:
    photos = [make_photo(album / colour / "a.jpg", colour) for colour in COLOURS]
    library, loaded, other = open_library(), list[FakeCaptioner](), threading.Barrier(2)

    def load(_: object) -> FakeCaptioner:
        with suppress(threading.BrokenBarrierError):
            other.wait(timeout=0.3)  # for another thread that loads
        loaded.append(FakeCaptioner())
        return loaded[-1]

    library._load_captioner = load
    together(*(lambda photo=photo: list(library.caption(photo)) for photo in photos))
    assert len(loaded) == 1


def test_a_library_that_indexed_works_for_others_and_indexes_again(
    library: Library, captioner: FakeCaptioner, album: Path
) -> None:
    make_photo(album / "a.jpg", "red")
    library.index(album)
    for number, colour in enumerate(COLOURS):
        make_photo(album / f"{number}.jpg", colour, note=colour)
        library.index(album, queue_only=True)
        stop = threading.Event()
        done = library.work_until(stop, worked=lambda tally, stop=stop: stop.set())  # type: ignore[misc]
        assert done.captioned == 1
        assert captioner.closed.is_set()
        captioner.closed.clear()
    make_photo(album / "b.jpg", "blue")
    assert library.index(album).captioned == 1
    assert [hit.path.name for hit in library.search("blue", sort="name")] == ["1.jpg", "b.jpg"]
