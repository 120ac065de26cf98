"""Stores whose answers are incomplete, late or refused, on an S3 server, with requests that fail on their way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from photoindex.errors import FolderError
from photoindex.folders import IGNORE_FILE, PhotoFilter
from photoindex.folders.walk import walk
from photoindex.indexing.event_handlers import EventHandlers
from photoindex.indexing.indexer import Indexer
from photoindex.library import Library
from photoindex.media.metadata import sidecars
from photoindex.system import storage, url_contents, url_storage
from photoindex.system.paths import absolute
from photoindex.types import FileEvent
from tests.s3 import Bucket, Gate, Request, refusal

OpenLibrary = Callable[..., Library]
FEW = 3  # photos whose loss at once is doubted, if they are more than half


@pytest.fixture
def library(open_library: OpenLibrary) -> Library:
    return open_library(suspend_photos=FEW)


def index_six(library: Library, bucket: Bucket) -> list[str]:
    """Index six photos; return the keys of five."""
    for number in range(6):
        bucket.photo(f"photos/{number}.jpg")
    library.index(bucket.url)
    return [f"photos/{number}.jpg" for number in range(5)]


def looks_again(request: Request) -> bool:
    """Whether one object is asked for, as a second look does."""
    return request.method == "HEAD" and request.path.endswith(".jpg")


def test_photos_whose_second_look_is_refused_are_left_until_the_next_comparison(
    library: Library, bucket: Bucket, gate: Gate
) -> None:
    bucket.remove(*index_six(library, bucket))
    gate.trouble = lambda request: refusal(501, "NotImplemented") if looks_again(request) else None
    notices: list[str] = []
    assert library.index(bucket.url, notice=notices.append).missing == 0
    assert len(library.search("red")) == 6
    assert notices == []
    gate.trouble = lambda request: None
    assert library.index(bucket.url, notice=notices.append).missing == 0
    assert any("5 photos vanished at once" in line for line in notices)
    assert len(library.search("red")) == 6
    gate.trouble = lambda request: refusal(501, "NotImplemented") if looks_again(request) else None
    notices.clear()
    library.index(bucket.url, notice=notices.append)
    assert not any("back" in line for line in notices)


def test_photos_that_a_listing_leaves_out_and_the_store_has_are_not_missing(
    library: Library, bucket: Bucket, gate: Gate
) -> None:
    keys = index_six(library, bucket)
    bucket.remove(*keys)
    left = iter([True])

    def put_back(request: Request) -> Any:
        if looks_again(request) and next(left, False):
            for key in keys:
                bucket.photo(key)

    gate.trouble = put_back
    assert library.index(bucket.url).missing == 0
    assert next(left, None) is None
    report = library.index(bucket.url)
    assert (report.seen, report.missing) == (6, 0)


def test_photos_that_a_rule_leaves_out_go_from_a_store_as_from_a_folder(library: Library, bucket: Bucket) -> None:
    index_six(library, bucket)
    bucket.put(f"photos/{IGNORE_FILE}", b"[0-4].jpg\n")
    assert library.index(bucket.url).missing == 5
    assert len(library.search("red")) == 1


def test_a_copy_that_a_store_gives_no_answer_for_is_none_that_is_left(
    library: Library, bucket: Bucket, gate: Gate
) -> None:
    for number in range(6):
        content = bucket.photo(f"photos/{number}.jpg")
        bucket.put(f"copies/{number}.jpg", content)
    library.index(bucket.url, f"s3://{bucket.name}/copies")
    bucket.remove(*(f"photos/{number}.jpg" for number in range(5)))
    gate.trouble = lambda request: (
        refusal(501, "NotImplemented") if looks_again(request) and "/copies/" in request.path else None
    )
    notices: list[str] = []
    assert library.index(bucket.url, notice=notices.append).missing == 0
    assert any("5 photos vanished at once" in line for line in notices)
    gate.trouble = lambda request: None
    assert library.index(bucket.url, notice=notices.append).missing == 5


def test_a_store_that_is_away_makes_no_bucket_a_root(library: Library, bucket: Bucket, gate: Gate) -> None:
    bucket.photo("photos/a.jpg")
    once = Indexer(library._database, library._pipe(), library.settings)
    refused = iter([True])
    gate.trouble = lambda request: refusal(501, "NotImplemented") if next(refused, False) else None
    with pytest.raises(FolderError, match="cannot be reached"):
        once.comparer.compare(absolute(Path(bucket.url)))
    assert library.status().roots == ()


def test_a_store_is_not_asked_while_the_catalogue_is_being_written(
    library: Library, bucket: Bucket, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = index_six(library, bucket)
    for number in range(4):
        bucket.put(f"photos/sub/{number}.jpg", bucket.photo(f"photos/{number}.jpg"))
    library.index(bucket.url)
    database = library._database
    write, asked_within = database.write, []

    @contextmanager
    def watched(**options: Any) -> Iterator[Any]:
        with write(**options) as connection:
            before = len(gate.asked)
            yield connection
            asked_within.append(len(gate.asked) - before)

    monkeypatch.setattr(database, "write", watched)
    place = absolute(Path(bucket.url))
    bucket.remove(*keys)
    library._pipe().missing.after_removals([place / Path(key).name for key in keys])
    bucket.remove(*(f"photos/sub/{number}.jpg" for number in range(4)))
    library.index(f"{bucket.url}/sub")
    library.index(bucket.url)
    assert len(asked_within) > 2
    assert not any(asked_within)


def test_a_walk_lists_each_prefix_once(library: Library, bucket: Bucket, gate: Gate) -> None:
    for key in ("photos/a.jpg", "photos/sub/b.jpg"):
        bucket.photo(key)
    gate.asked.clear()
    met = list(walk(absolute(Path(bucket.url)), PhotoFilter()))
    assert len(met) == 2
    listings = [request for request in gate.asked if request.lists and "max-keys=1" not in request.path]
    assert len(listings) == len({request.path for request in listings}) == 2


def test_removals_that_a_store_gives_no_answer_for_are_looked_at_again(
    library: Library, bucket: Bucket, gate: Gate
) -> None:
    for name in ("a", "b", "c"):
        bucket.photo(f"photos/{name}.jpg")
    library.index(bucket.url)
    place = absolute(Path(bucket.url))
    once = Indexer(library._database, library._pipe(), library.settings)
    handlers = EventHandlers(library._database, once, lambda _: None)
    bucket.remove("photos/a.jpg", "photos/b.jpg")
    handlers.handle(FileEvent("removed", place / "a.jpg"))
    handlers.handle(FileEvent("removed", place / "b.jpg"))
    gate.trouble = lambda request: refusal(501, "NotImplemented") if "a.jpg" in request.path else None
    handlers.caught_up()
    gate.trouble = lambda request: None
    assert len(library.search("red")) == 3  # both lie in one prefix, whose first object gave no answer
    handlers.caught_up()
    assert [hit.path for hit in library.search("red")] == [place / "c.jpg"]


def test_who_asks_for_a_prefix_at_once_waits_for_one_listing(
    bucket: Bucket, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(url_storage, "_LISTING_TIMES", 10_000)
    bucket.photo("photos/a.jpg")
    path = absolute(Path(bucket.url)) / "a.jpg"
    store = storage.storage_of(path)
    gate.asked.clear()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: store.names(path.parent), range(8)))
    assert sum(request.lists for request in gate.asked) == 1
    assert all(each is found[0] for each in found)
    assert sidecars._folder(path.parent) is sidecars._folder(path.parent)


def test_a_page_of_a_photo_does_not_ask_the_store(library: Library, bucket: Bucket, gate: Gate) -> None:
    bucket.photo("photos/a.jpg")
    bucket.put("photos/a.mov", b"film")
    library.index(bucket.url)
    gate.asked.clear()
    photo = library.show(f"{bucket.url}/a.jpg")
    assert photo is not None
    assert photo.companions == ()
    assert gate.asked == []


def test_credentials_that_have_expired_fail_no_photo(library: Library, bucket: Bucket, gate: Gate) -> None:
    bucket.photo("photos/a.jpg")
    expired = threading.Event()

    def trouble(request: Request) -> Any:
        if "a.jpg" in request.path and request.method == "GET":
            expired.set()
        return refusal(400, "ExpiredToken") if expired.is_set() else None

    gate.trouble = trouble
    assert library.index(bucket.url).failed == 0
    assert expired.is_set()


def test_bytes_that_were_hashed_and_need_not_be_decoded_are_not_kept(
    library: Library, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    url_contents._kept.clear()
    content = bucket.photo("photos/a.jpg")
    bucket.put("photos/b.jpg", content)
    library.index(bucket.url)
    assert not url_contents._kept
    bucket.put("photos/copy.jpg", content)
    assert library.index(bucket.url).recognised == 1
    assert not url_contents._kept
    path = absolute(Path(bucket.url)) / "a.jpg"
    url_contents.digest(path)
    assert url_contents._kept
    monkeypatch.setattr(url_contents, "_KEPT_SECONDS", -1.0)
    url_contents.forget(path.with_name("copy.jpg"))
    assert not url_contents._kept
