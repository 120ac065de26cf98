"""Texts, yes or no, and words to choose from as programs give them: what is none is refused before anything is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from photoindex.catalogue.editor import Edit
from photoindex.errors import QueryError
from photoindex.library import Library
from tests.support import make_photo

TAKING_A_TEXT: list[Callable[[Library, Any], object]] = [
    lambda library, text: library.search(text),
    lambda library, text: library.match(text),
    lambda library, text: library.suggest(text),
    lambda library, text: library.corrections(text),
    lambda library, text: library.recaption(everything=True, query=text),
    lambda library, text: library.plan_recaption(everything=True, query=text),
    lambda library, text: library.text_files(text),
    lambda library, text: library.albums.add("new", text),
    lambda library, text: library.albums.add(text),
    lambda library, text: library.albums.put(text, [1]),
    lambda library, text: library.albums.named(text),
    lambda library, text: library.editor().apply([1], Edit(caption=text)),
    lambda library, text: library.editor().apply([1], Edit(tags=(text,))),
    lambda library, text: library.editor().apply([1], Edit(untags=(text,))),
]
FLAGS = ["clear", "uncaption", "lock", "favourite", "hidden"]


@pytest.fixture
def one(library: Library, album: Path) -> Library:
    make_photo(album / "a.jpg", "red")
    library.index(album)
    return library


def _state(library: Library) -> object:
    return library.albums.all(), library.editor().history([1]), library.batches.find(ended=True)


@pytest.mark.parametrize("text", [b"red", 3, ["red"]])
def test_what_is_no_text_is_refused_in_one_line(one: Library, text: object) -> None:
    before = _state(one)
    for take in TAKING_A_TEXT:
        with pytest.raises(TypeError, match=r"^an? (query|name of an album|caption|tag) is a text, not [^\n]+$"):
            take(one, text)
    assert _state(one) == before


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("flag", ["no", "yes", "", 2, [], {}])
def test_what_is_neither_yes_nor_no_is_refused(name: str, flag: object) -> None:
    with pytest.raises(TypeError, match=f"^{name} is True or False, not "):
        Edit(**{name: flag})  # type: ignore[arg-type]


def test_numpys_yes_is_one(one: Library) -> None:
    assert one.editor().apply([1], Edit(favourite=np.bool_(True), hidden=np.bool_(False))) == 1  # type: ignore[arg-type]
    assert one.editor().said([1])[1].favourite is True


@pytest.mark.parametrize("priority", ["urgent", "", None, 1])
def test_a_priority_that_there_is_not_is_refused_with_those_that_there_are(one: Library, priority: Any) -> None:
    before = _state(one)
    asked: list[Callable[[], object]] = [
        lambda: one.recaption(everything=True, priority=priority),
        lambda: one.recaption(priority=priority),  # nothing is stale
        lambda: one.recaption(failed=True, priority=priority),
        lambda: one.queue_recaption(everything=True, priority=priority),
    ]
    for ask in asked:
        with pytest.raises(ValueError, match=r"^a priority is one of high, normal, low, not "):
            ask()
    assert _state(one) == before


@pytest.mark.parametrize("both", [{"query": "red"}, {"everything": True}])
def test_failed_photos_are_asked_for_alone(one: Library, both: dict[str, Any]) -> None:
    for ask in (one.recaption, one.queue_recaption, one.plan_recaption):
        with pytest.raises(ValueError, match="failed is asked for alone"):
            ask(failed=True, **both)


@pytest.mark.parametrize("query", ["", "tag:", "taken:yesterdayish", "-", "x" * 1001])
def test_an_album_takes_no_query_that_the_search_refuses(one: Library, query: str) -> None:
    with pytest.raises(QueryError):
        one.search(query)
    with pytest.raises(QueryError):
        one.albums.add("new", query)
    assert one.albums.all() == []


@pytest.mark.parametrize(("number", "error"), [(-1, ValueError), (16, ValueError), ("3", TypeError), (2.0, TypeError)])
def test_how_near_duplicates_are_is_checked_before_photos_are_read(one: Library, number: Any, error: type) -> None:
    with pytest.raises(error, match=r"^near is \d|^near is a"):
        one.duplicates(near=number, progress=lambda _: pytest.fail("photos were looked at"))


@pytest.mark.parametrize(("number", "error"), [(-1, ValueError), ("3", TypeError), (2.5, TypeError)])
def test_how_many_words_are_counted_is_a_whole_number(one: Library, number: Any, error: type) -> None:
    with pytest.raises(error, match=r"^most is \d|^most is a"):
        one.stats(number)
