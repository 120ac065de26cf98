"""Texts, yes or no, and words to choose from as programs give them: what is none is refused before anything is done."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import photoindex
from photoindex.catalogue.editor import Edit
from photoindex.errors import ConfigError, QueryError
from photoindex.library import Library
from tests.support import FakeCaptioner, make_photo

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


TAKING_FLAGS: dict[str, Callable[[Library, Path, Any], object]] = {
    "accept_missing": lambda library, album, flag: library.index(album, accept_missing=flag),
    "queue_only": lambda library, album, flag: library.index(album, queue_only=flag),
    "reverse": lambda library, album, flag: library.search("red", reverse=flag),
    "exact": lambda library, album, flag: library.match("red", exact=flag),
    "verify": lambda library, album, flag: library.duplicates(verify=flag),
    "decided": lambda library, album, flag: library.duplicates(decided=flag),
    "include_ignored": lambda library, album, flag: library.failures(include_ignored=flag),
    "everything": lambda library, album, flag: library.recaption(everything=flag),
    "failed": lambda library, album, flag: library.recaption(failed=flag),
    "everything, queued": lambda library, album, flag: library.queue_recaption(everything=flag),
    "everything, planned": lambda library, album, flag: library.plan_recaption(everything=flag),
    "everything, chosen": lambda library, album, flag: library.outdated(everything=flag),
    "ended": lambda library, album, flag: library.batches.find(ended=flag),
    "hidden": lambda library, album, flag: library.albums.photos(1, hidden=flag),
    "distinct": lambda library, album, flag: library.albums.set_distinct([1, 1], flag),
    "machine": lambda library, album, flag: library.exchange().write_sidecars([1], machine=flag),
    "dry_run": lambda library, album, flag: library.exchange().write_sidecars([1], machine=True, dry_run=flag),
    "replace": lambda library, album, flag: library.exchange().read_lines([], replace=flag),
    "match_paths": lambda library, album, flag: library.exchange().read_lines([], match_paths=flag),
    "dry_run, lines": lambda library, album, flag: library.exchange().read_lines([], dry_run=flag),
    "replace, sidecars": lambda library, album, flag: library.exchange().read_sidecars([album], replace=flag),
    "dry_run, sidecars": lambda library, album, flag: library.exchange().read_sidecars([album], dry_run=flag),
}


def test_all_flags_of_the_api_are_among_these() -> None:
    named = {
        (name, parameter)
        for name in ("Library", "Exchange", "Albums", "Batches", "Editor")
        for method in vars(getattr(photoindex, name)).values()
        if inspect.isfunction(method) and not method.__name__.startswith("_")
        for parameter, each in inspect.signature(method).parameters.items()
        if each.annotation == "bool"
    }
    assert {parameter for _, parameter in named} == {name.partition(",")[0] for name in TAKING_FLAGS}


@pytest.mark.parametrize("name", TAKING_FLAGS)
@pytest.mark.parametrize("flag", ["no", "", None, 2])
def test_a_flag_that_is_neither_is_refused_before_anything_is_done(
    one: Library, album: Path, captioner: FakeCaptioner, name: str, flag: object
) -> None:
    before, captions = _state(one), len(captioner.captions)
    with pytest.raises(TypeError, match=f"^{name.partition(',')[0]} is True or False, not "):
        TAKING_FLAGS[name](one, album, flag)
    assert (_state(one), len(captioner.captions)) == (before, captions)
    assert [path.name for path in album.iterdir()] == ["a.jpg"]
    TAKING_FLAGS[name](one, album, np.bool_(False))


@pytest.mark.parametrize("style", ["xmp", "a.JPG.xmp", "", 3])
def test_a_style_of_sidecars_that_there_is_not_is_refused(one: Library, album: Path, style: Any) -> None:
    one.editor().apply([1], Edit(caption="a boat"))
    with pytest.raises(ValueError, match=r"^style is one of a\.jpg\.xmp, a\.xmp, not "):
        one.exchange().write_sidecars([1], style=style)
    assert [path.name for path in album.iterdir()] == ["a.jpg"]


@pytest.mark.parametrize("lines", [b"{}\n", "{}\n", bytearray(b"{}")])
def test_one_line_is_not_taken_for_its_bytes(one: Library, lines: Any) -> None:
    with pytest.raises(TypeError, match=r"^lines come from a list or a file that is open for reading bytes, not "):
        one.exchange().read_lines(lines)


@pytest.mark.parametrize("folder", [b"/photos", 3, [], 2.5])
def test_a_data_folder_that_is_no_path_is_refused(folder: Any) -> None:
    with pytest.raises(ConfigError, match=r"^--data-dir is .*; it must be a path$"):
        photoindex.open(folder)


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
