"""A library that was closed, or was opened by the process that this one was forked from, does nothing and says so,
whatever it is asked."""

from __future__ import annotations

import io
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from photoindex.catalogue.editor import Edit
from photoindex.errors import CatalogueError
from photoindex.library import Library
from tests.conftest import OpenLibrary
from tests.support import FakeCaptioner, make_photo

STOPPED = threading.Event()
STOPPED.set()
# Made while the library is open, and called when it is closed.
QUESTIONS: dict[str, Callable[[Library, Path], Callable[[], object]]] = {
    "with": lambda library, album: library.__enter__,
    "index": lambda library, album: lambda: library.index(album),
    "watch": lambda library, album: lambda: library.watch(album, stop=STOPPED),
    "work_off": lambda library, album: library.work_off,
    "work_until": lambda library, album: lambda: library.work_until(STOPPED),
    "recaption": lambda library, album: lambda: library.recaption(everything=True),
    "caption": lambda library, album: lambda: list(library.caption(album / "a.jpg")),
    "move": lambda library, album: lambda: library.move(album, album.parent),
    "forget": lambda library, album: lambda: library.forget(album),
    "search": lambda library, album: lambda: library.search("red"),
    "match": lambda library, album: lambda: library.match("red"),
    "like": lambda library, album: lambda: library.like(album / "a.jpg"),
    "suggest": lambda library, album: lambda: library.suggest("rad"),
    "show": lambda library, album: lambda: library.show(album / "a.jpg"),
    "photos": lambda library, album: lambda: library.photos([1]),
    "duplicates": lambda library, album: lambda: library.duplicates(near=1),
    "status": lambda library, album: library.status,
    "stats": lambda library, album: library.stats,
    "failures": lambda library, album: library.failures,
    "rebuild": lambda library, album: library.rebuild_full_text,
    "edit": lambda library, album: lambda: library.editor().apply([1], Edit(tags=("late",))),
    "edit before": lambda library, album: partial(library.editor().apply, [1], Edit(tags=("late",))),
    "undo": lambda library, album: partial(library.editor().undo, [1]),
    "album": lambda library, album: partial(library.albums.put, "late", [1]),
    "batches": lambda library, album: library.batches.find,
    "export": lambda library, album: partial(library.exchange().write_lines, io.BytesIO()),
    "import": lambda library, album: partial(library.exchange().read_lines, [b"{}\n"]),
}


def in_a_fork(ask: Callable[[], object]) -> str:
    """Ask in a process that is forked from this one; return how it ended: the error, or what was returned."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python's, of forks where threads run
        child = os.fork()
    if child == 0:  # nothing of pytest's may run here
        try:
            told = repr(ask())
        except BaseException as error:
            told = "".join(traceback.format_exception_only(error))
        os.write(writing, told.encode())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as answer:
        told = answer.read().decode()
    os.waitpid(child, 0)
    return told


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")
@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("used", [True, False])
def test_each_question_of_a_fork_is_one_clear_error(
    open_library: OpenLibrary, album: Path, name: str, used: bool
) -> None:
    make_photo(album / "a.jpg", "red")
    with open_library() as library:
        if used:
            library.index(album)
            library.search("red")
        ask = QUESTIONS[name](library, album)
        told = in_a_fork(ask)
        assert told == (
            "photoindex.errors.CatalogueError: this library was opened by another process, from which this one was "
            "forked: open it again in this one\n"
        )
        assert in_a_fork(library.close) == "None"
        library.index(album)
        assert [hit.caption for hit in library.search("red")] == ["a red square"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")
def test_a_fork_opens_a_library_of_its_own(open_library: OpenLibrary, album: Path) -> None:
    make_photo(album / "a.jpg", "red")
    with open_library() as library:
        library.index(album)

        def search_again() -> list[str]:
            with open_library() as own:
                make_photo(album / "b.jpg", "blue")
                own.index(album)
                return [hit.caption for hit in own.search("square")]

        assert in_a_fork(search_again) == "['a red square', 'a blue square']"
        assert [hit.path.name for hit in library.search("blue")] == ["b.jpg"]


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("used", [True, False])
def test_each_question_is_one_clear_error(
    open_library: OpenLibrary, album: Path, captioner: FakeCaptioner, name: str, used: bool
) -> None:
    make_photo(album / "a.jpg", "red")
    with open_library() as first:
        first.index(album)
        first.editor().apply([1], Edit(tags=("mine",)))
    library = open_library()
    if used:  # with its search, its pipeline and its connections made
        library.search("red")
        library.recaption(everything=True)
        library.stats()
    ask = QUESTIONS[name](library, album)
    captions = len(captioner.captions)
    library.close()
    library.close()
    make_photo(album / "b.jpg", "blue")
    with pytest.raises(CatalogueError, match=r"^this library is closed: open it again$"):
        ask()
    assert len(captioner.captions) == captions
    with open_library() as again:
        assert again.editor().said([1])[1].tags == ("mine",)
        assert (again.status().photos, again.albums.all()) == (1, [])


@pytest.mark.parametrize("size", [(48, 32), (6000, 4000)])
def test_captions_that_are_asked_for_one_by_one_end_with_the_library(
    open_library: OpenLibrary, album: Path, captioner: FakeCaptioner, size: tuple[int, int]
) -> None:
    photos = [make_photo(album / name, "red") for name in ("a.jpg", "b.jpg", "c.jpg")]
    # When the first is large, the others are decoded and captioned before it, and wait for their turn.
    Image.new("RGB", size, "red").save(photos[0])
    library = open_library()
    answers = library.caption(*photos)
    assert next(answers)[0] == photos[0]
    library.close()
    captioner.captions.clear()
    with pytest.raises(CatalogueError, match=r"^this library is closed: open it again$"):
        list(answers)
    assert captioner.captions == []


def test_an_error_in_a_with_block_closes_the_library(open_library: OpenLibrary) -> None:
    with pytest.raises(KeyError), open_library() as library:
        raise KeyError
    with pytest.raises(CatalogueError, match="closed"):
        library.stats()
