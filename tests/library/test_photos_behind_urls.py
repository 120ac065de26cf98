"""Photos behind URLs: through commands and the library, on an S3 server, with requests that fail on their way."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from photoindex.cli.main import main
from photoindex.errors import FolderError, PhotoOutOfReach
from photoindex.library import Library
from photoindex.library.gallery import Gallery
from photoindex.system import storage, url_contents
from photoindex.system.paths import absolute
from photoindex.system.storage_errors import FileReplaced
from photoindex.system.url_contents import digest
from photoindex.types import IndexReport, Tally
from photoindex.web.server import GalleryServer, ServeOptions
from tests import s3
from tests.media.metadata.samples import bag, packet
from tests.s3 import Bucket, Gate, Request, refusal
from tests.support import REPOSITORY, run_thread

OpenLibrary = Callable[..., Library]
PATIENCE = 120


def run(library: Library, *arguments: str | Path) -> Result:
    """Run a command on a library's data folder."""
    return CliRunner().invoke(main, ["--data-dir", str(library.settings.data_dir), *map(str, arguments)])


def counts(report: IndexReport) -> tuple[int, int, int]:
    return report.captioned, report.unchanged, report.missing


def place(bucket: Bucket, key: str = "") -> Path:
    return absolute(Path(f"{bucket.url}/{key}"))


def test_photos_are_indexed_found_shown_and_not_read_again(library: Library, bucket: Bucket, gate: Gate) -> None:
    content = bucket.photo("photos/a.jpg", "red")
    bucket.photo("photos/sub/b.jpg", "green")
    bucket.photo("elsewhere/c.jpg", "blue")
    before = bucket.keys()
    assert counts(library.index(bucket.url)) == (2, 0, 0)
    gate.asked.clear()
    assert counts(library.index(bucket.url)) == (0, 2, 0)
    assert not [request for request in gate.asked if request.method == "GET" and not request.lists]
    assert [hit.path for hit in library.search("red")] == [place(bucket, "a.jpg")]
    photo = library.show(f"{bucket.url}/a.jpg")
    assert photo is not None
    assert photo.content_hash == hashlib.sha256(content).hexdigest()
    assert bucket.keys() == before


def test_commands_take_urls_and_print_them(library: Library, bucket: Bucket) -> None:
    bucket.photo("photos/2023/a b%20c.jpg", "red")
    bucket.photo("photos/2024/d é.jpg", "red")
    library.index(bucket.url)
    assert run(library, "search", "red", f"path:{bucket.url}/2023", "-0").stdout == (f"{bucket.url}/2023/a b%20c.jpg\0")
    [hit] = json.loads(run(library, "search", "red", "folder:2024", "--json").stdout)
    assert hit["path"] == f"{bucket.url}/2024/d é.jpg"
    shown = json.loads(run(library, "show", hit["path"], "--json").stdout)
    assert (shown["path"], shown["photo"]["paths"]) == (hit["path"], [hit["path"]])
    assert run(library, "search", "red", "folder:2024", "--csv").stdout.splitlines()[1].startswith(hit["path"])
    assert f"folder      {bucket.url}: 2 files" in run(library, "status").stdout
    root, *_ = map(json.loads, run(library, "export", "--jsonl", "-").stdout.splitlines())
    assert root["roots"] == [bucket.url]
    for each in (run(library, "index", f"{bucket.url}/none"), run(library, "index", "file:///etc")):
        assert each.exit_code == 1
        assert len(each.stderr.splitlines()) == 1
        assert "Traceback" not in each.stderr


def test_an_object_that_is_replaced_is_captioned_again_and_one_of_the_same_bytes_is_not(
    library: Library, bucket: Bucket
) -> None:
    content = bucket.photo("photos/a.jpg", "red")
    library.index(bucket.url)
    bucket.put("photos/copy.jpg", content)
    report = library.index(bucket.url)
    assert (report.captioned, report.recognised) == (0, 1)
    bucket.photo("photos/a.jpg", "green")
    assert counts(library.index(bucket.url))[0] == 1
    assert [hit.path for hit in library.search("green")] == [place(bucket, "a.jpg")]
    assert [hit.path for hit in library.search("red")] == [place(bucket, "copy.jpg")]


def test_what_is_deleted_is_missing_and_an_emptied_prefix_is_an_emptied_folder(
    library: Library, bucket: Bucket
) -> None:
    for name in ("a", "b", "c"):
        bucket.photo(f"photos/{name}.jpg")
    library.index(bucket.url)
    bucket.remove("photos/a.jpg")
    assert counts(library.index(bucket.url)) == (0, 2, 1)
    bucket.remove("photos/b.jpg", "photos/c.jpg")
    assert counts(library.index(bucket.url)) == (0, 0, 2)
    assert library.search("red") == []


def test_many_photos_that_vanish_at_once_are_kept(open_library: OpenLibrary, bucket: Bucket) -> None:
    library = open_library(suspend_photos=3)
    for number in range(6):
        bucket.photo(f"photos/{number}.jpg")
    library.index(bucket.url)
    bucket.remove(*(f"photos/{number}.jpg" for number in range(5)))
    notices: list[str] = []
    assert counts(library.index(bucket.url, notice=notices.append)) == (0, 1, 0)
    assert any(f"{bucket.url}: 5 photos vanished at once" in line for line in notices)
    assert len(library.search("red")) == 6


AWAY: dict[str, tuple[Callable[[Request], Any], str]] = {
    "refused": (lambda request: refusal(403, "AccessDenied"), "refuses these credentials"),
    "no bucket": (lambda request: refusal(404, "NoSuchBucket"), "there is no bucket"),
    "broken": (lambda request: refusal(501, "NotImplemented"), "cannot be reached"),
    "a page": (lambda request: (200, b"<!DOCTYPE html><html><body>Sign in</body></html>"), "a page to sign in"),
    "nothing": (lambda request: (200, b""), "does not speak as such a store"),
    "a page for listings": (lambda request: (200, b"<html>Hi</html>") if request.lists else None, "a page to sign in"),
    "a page for one page of a listing": (
        lambda request: (200, b"<html>Hi</html>") if "continuation-token" in request.path else None,
        "a page to sign in",
    ),
}


@pytest.mark.parametrize("kind", AWAY)
def test_a_store_that_does_not_answer_takes_no_photo_with_it(
    kind: str, library: Library, bucket: Bucket, gate: Gate
) -> None:
    for name in ("a", "b"):
        bucket.photo(f"photos/{name}.jpg")
    library.index(bucket.url)
    gate.trouble, line = AWAY[kind]
    gate.page = 1
    with pytest.raises(FolderError, match=line) as refused:
        library.index(bucket.url)
    assert "\n" not in str(refused.value)
    assert s3.KEYS["AWS_SECRET_ACCESS_KEY"] not in str(refused.value)
    assert len(library.search("red")) == 2
    assert not storage.is_gone(place(bucket, "a.jpg"))
    gate.trouble = lambda request: None
    assert counts(library.index(bucket.url)) == (0, 2, 0)


@pytest.mark.parametrize("body", [b"<!DOCTYPE html><html><body>Sign in</body></html>", b""])
def test_a_page_in_the_place_of_a_store_becomes_no_photo(
    body: bytes, library: Library, bucket: Bucket, gate: Gate
) -> None:
    """Also of a prefix and of a photo that nobody knows yet, and where the page comes while photos are read."""
    gate.trouble = lambda request: (200, body)
    for url in (bucket.url, f"{bucket.url}/a.jpg", f"s3://{bucket.name}"):
        with pytest.raises(FolderError, match="does not speak as such a store"):
            library.index(url)
    gate.trouble = lambda request: None
    bucket.photo("photos/a.jpg")
    gate.trouble = lambda request: (200, body) if "a.jpg" in request.path and request.method == "GET" else None
    notices: list[str] = []
    report = library.index(bucket.url, notice=notices.append)
    assert (report.captioned, report.failed, library.failures()) == (0, 0, [])
    gate.trouble = lambda request: None
    with library.database.write() as connection:
        connection.execute(text("update job set next_try_at = '2000-01-01 00:00:00.000000'"))
    library.index(bucket.url)
    assert len(library.search("red")) == 1


def test_a_listing_that_breaks_in_the_middle_makes_nothing_missing(
    library: Library, bucket: Bucket, gate: Gate
) -> None:
    for name in ("a", "b", "c", "sub/d"):
        bucket.photo(f"photos/{name}.jpg")
    library.index(bucket.url)
    gate.page = 2
    gate.trouble = lambda request: refusal(501, "NotImplemented") if "continuation-token" in request.path else None
    with pytest.raises(FolderError, match="cannot read the folder"):
        library.index(bucket.url)
    bucket.remove("photos/a.jpg")
    gate.page = None
    gate.trouble = lambda request: refusal(403, "AccessDenied") if "photos%2Fsub%2F" in request.path else None
    notices: list[str] = []
    assert counts(library.index(bucket.url, notice=notices.append)) == (0, 2, 1)
    assert any("photos/sub" in line and "refuses" in line for line in notices)
    assert len(library.search("red")) == 3


def test_who_may_see_a_prefix_alone_needs_no_more(library: Library, bucket: Bucket, gate: Gate) -> None:
    for key in ("a.jpg", "b.jpg", "sub/c.jpg"):
        bucket.photo(f"photos/{key}")
    gate.trouble = lambda request: (
        None if "prefix=photos%2F" in request.path or "/photos/" in request.path else refusal(403, "AccessDenied")
    )
    notices: list[str] = []
    assert counts(library.index(bucket.url, notice=notices.append)) == (3, 0, 0)
    bucket.remove("photos/a.jpg")
    assert storage.is_gone(place(bucket, "a.jpg"))
    assert counts(library.index(bucket.url, notice=notices.append)) == (0, 2, 1)
    assert notices == []


def test_a_store_that_is_asked_too_much_is_asked_again(library: Library, bucket: Bucket, gate: Gate) -> None:
    bucket.photo("photos/a.jpg")
    left = iter([True, True])
    gate.trouble = lambda request: refusal(503, "SlowDown") if request.lists and next(left, False) else None
    assert counts(library.index(bucket.url)) == (1, 0, 0)


@pytest.mark.parametrize(
    ("status", "why"),
    [(403, "InvalidObjectState"), (400, "KMS.DisabledException")],
    ids=["moved to cold storage", "its encryption key is not available"],
)
def test_an_object_that_may_not_be_read_fails_alone(
    library: Library, bucket: Bucket, gate: Gate, status: int, why: str
) -> None:
    bucket.photo("photos/a.jpg")
    bucket.photo("photos/locked.jpg")
    gate.trouble = lambda request: (
        refusal(status, why) if "locked.jpg" in request.path and request.method == "GET" else None
    )
    report = library.index(bucket.url)
    assert (report.captioned, report.failed) == (1, 1)
    [failure] = library.failures()
    assert failure.message.startswith(f"cannot read {bucket.url}/locked.jpg: the store refuses it")


def test_jobs_wait_while_the_store_is_away(library: Library, bucket: Bucket, gate: Gate) -> None:
    bucket.photo("photos/a.jpg")
    assert run(library, "index", "--queue-only", bucket.url).exit_code == 0
    gate.trouble = lambda request: (
        refusal(501, "NotImplemented") if request.method == "GET" and not request.lists else None
    )
    notices: list[str] = []
    stop = threading.Event()

    def notice(line: str) -> None:
        notices.append(line)
        stop.set()

    thread = run_thread(lambda: library.work_until(stop, notice=notice))
    thread.join(PATIENCE)
    assert any(bucket.name in line and "its photos wait" in line for line in notices)
    assert library.failures() == []
    assert library.status().jobs["queued"] == 1


def test_photos_wait_for_a_store_that_is_asked_too_much_while_they_are_decoded(
    library: Library, bucket: Bucket, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their bytes were read once, and are read a second time as too many others came between."""
    monkeypatch.setattr(url_contents, "_KEPT_BYTES", 0)
    bucket.photo("photos/a.jpg", "red")
    bucket.photo("photos/b.jpg", "green")
    read: list[str] = []

    def trouble(request: Request) -> s3.Answer | None:
        if request.method != "GET" or request.lists:
            return None
        read.append(request.path)
        return refusal(501, "NotImplemented") if read.count(request.path) == 2 and "b.jpg" in request.path else None

    gate.trouble = trouble
    notices: list[str] = []
    report = library.index(bucket.url, notice=notices.append)
    assert (report.captioned, report.failed, report.failures) == (1, 0, ())
    assert [line for line in notices if bucket.name in line and "its photos wait" in line] == notices != []
    assert library.failures() == []
    assert library.status().jobs["queued"] == 1
    gate.trouble = lambda request: (
        refusal(501, "NotImplemented") if request.method == "GET" and not request.lists else None
    )
    [(_, said)] = library.caption(f"{bucket.url}/b.jpg")
    assert isinstance(said, PhotoOutOfReach)
    assert str(said).startswith(f"cannot read {bucket.url}/b.jpg: s3://{bucket.name} cannot be reached")


def test_an_object_that_is_replaced_while_it_is_read_is_not_mixed(bucket: Bucket, gate: Gate) -> None:
    bucket.put("photos/a.jpg", b"1" * 100)
    path = place(bucket, "a.jpg")
    with storage.open_file(path) as file:
        bucket.put("photos/a.jpg", b"2" * 100)
        with pytest.raises(FileReplaced):
            file.read()
    with storage.open_file(path) as file:
        bucket.remove("photos/a.jpg")
        with pytest.raises(FileReplaced):
            file.read()
    bucket.put("photos/a.jpg", b"3" * 100)
    status, content_hash = digest(path)
    assert (status.st_size, content_hash) == (100, hashlib.sha256(b"3" * 100).hexdigest())


def test_keys_that_are_no_paths_are_reported_and_others_are_taken_as_they_are(library: Library, bucket: Bucket) -> None:
    taken = ["A.jpg", "a.jpg", "a%2Fb.jpg", "tab\there.jpg", "plus+and&.jpg", "日本.jpg", "x.jpg/inside.jpg", "x.jpg"]
    odd = ["two//slashes.jpg", "a?versionId=1.jpg"]
    for key in [*taken, *odd]:
        bucket.photo(f"photos/{key}")
    for key in ("ends with a slash.jpg/", "folder with contents/"):
        bucket.photo(f"photos/{key}")
        odd.append(key)
    bucket.photo("photos/folder with contents/in it.jpg")
    taken.append("folder with contents/in it.jpg")
    bucket.put("photos/empty folder/", b"")
    bucket.put("photos/", b"")
    notices: list[str] = []
    library.index(bucket.url, notice=notices.append)
    found = {str(hit.path.relative_to(place(bucket))) for hit in library.search("red", None)}
    assert found == set(taken)
    assert sum("is no path: give it another" in line for line in notices) == len(odd)


def test_sidecars_and_ignore_files_are_read_through_the_store(library: Library, bucket: Bucket) -> None:
    for key in ("a.jpg", "private/b.jpg"):
        bucket.photo(f"photos/{key}")
    bucket.put("photos/a.jpg.xmp", packet(bag("dc:subject", "zebra")))
    bucket.put("photos/.photoindexignore", b"private\n")
    assert counts(library.index(bucket.url)) == (1, 0, 0)
    assert len(library.search("zebra")) == 1
    bucket.put("photos/a.jpg.xmp", packet(bag("dc:subject", "gnu")))
    takeout = {"title": "a.jpg", "description": "okapi", "url": "https://photos.google.com/photo/1"}
    bucket.put("photos/a.jpg.json", json.dumps(takeout).encode())
    assert library.index(bucket.url).refreshed == 1
    assert (len(library.search("zebra")), len(library.search("gnu"))) == (0, 1)
    assert library.exchange().read_sidecars([bucket.url]).read == 1


def test_nothing_is_written_beside_photos_behind_urls(library: Library, bucket: Bucket, gate: Gate) -> None:
    bucket.photo("photos/a.jpg")
    library.index(bucket.url)
    before = bucket.keys()
    assert run(library, "edit", f"{bucket.url}/a.jpg", "--caption", "Minka").exit_code == 0
    result = run(library, "export", "--sidecars")
    assert result.exit_code == 4
    assert "1 photo is behind URLs, where nothing is written: use export --jsonl" in result.stderr
    assert {request.method for request in gate.asked} <= {"GET", "HEAD"}
    assert bucket.keys() == before


def test_a_watch_polls_and_a_store_that_is_away_for_a_while_loses_nothing(
    open_library: OpenLibrary, bucket: Bucket, gate: Gate
) -> None:
    library = open_library(poll_seconds=0.2)
    bucket.photo("photos/a.jpg")
    stop, ready, worked = threading.Event(), threading.Event(), threading.Semaphore(0)
    notices: list[str] = []
    thread = run_thread(
        lambda: library.watch(
            bucket.url, stop=stop, notice=notices.append, ready=lambda _: ready.set(), worked=lambda _: worked.release()
        )
    )
    try:
        assert ready.wait(PATIENCE)
        bucket.photo("photos/b.jpg", "green")
        assert worked.acquire(timeout=PATIENCE)
        refused = iter(range(8))
        gate.trouble = lambda request: None if next(refused, None) is None else refusal(403, "AccessDenied")
        bucket.photo("photos/c.jpg", "blue")
        assert worked.acquire(timeout=PATIENCE)
    finally:
        stop.set()
        thread.join(PATIENCE)
    assert any("report no events" in line for line in notices)
    assert len(library.search("square")) == 3


def test_a_worker_captions_what_another_process_queued(library: Library, bucket: Bucket) -> None:
    for colour in ("red", "green"):
        bucket.photo(f"photos/{colour}.jpg", colour)
    assert run(library, "index", "--queue-only", bucket.url).exit_code == 0
    stop, done = threading.Event(), Tally()

    def worked(tally: Tally) -> None:
        done.captioned += tally.captioned
        if done.captioned == 2:
            stop.set()

    thread = run_thread(lambda: library.work_until(stop, worked=worked))
    thread.join(PATIENCE)
    assert done.captioned == 2
    assert len(library.search("square")) == 2


def test_pages_show_thumbnails_and_originals(library: Library, bucket: Bucket) -> None:
    content = bucket.photo("photos/2024/a.jpg", "red")
    library.index(bucket.url)
    gallery = Gallery(library)
    server = GalleryServer(gallery, ServeOptions(port=0))
    server.start()
    try:
        with httpx.Client(base_url=server.address.rstrip("/")) as browser:
            browser.cookies.set(server.site.cookie, server.access._begin())
            [hit] = browser.get("/api/v1/search", params={"q": "red"}).json()["items"]
            photo = browser.get(f"/api/v1/photos/{hit['id']}").json()
            assert photo["files"] == [f"{bucket.url}/2024/a.jpg"]
            assert browser.get(photo["original"]).content == content
            part = browser.get(photo["original"], headers={"Range": "bytes=5-9"})
            assert (part.status_code, part.content) == (206, content[5:10])
            picture = browser.get(f"/api/v1/t/{hashlib.sha256(content).hexdigest()}-480.jpg")
            assert picture.content.startswith(b"\xff\xd8")
            bucket.photo("photos/2024/a.jpg", "green")
            assert browser.get(photo["original"]).status_code == 404
    finally:
        server.stop()
        gallery.close()


def test_photos_that_were_copied_to_another_prefix_are_followed_and_forgotten(library: Library, bucket: Bucket) -> None:
    content = bucket.photo("photos/a.jpg")
    library.index(bucket.url)
    bucket.put("moved/a.jpg", content)
    bucket.remove("photos/a.jpg")
    assert run(library, "move", bucket.url, f"s3://{bucket.name}/moved").exit_code == 0
    assert [str(hit.path) for hit in library.search("red")] == [f"/s3:/{bucket.name}/moved/a.jpg"]
    assert run(library, "forget", f"s3://{bucket.name}/moved", "--yes").exit_code == 0
    assert library.search("red") == []
    assert bucket.keys().keys() == {"moved/a.jpg"}


def test_photos_are_captioned_again_as_others_are(library: Library, bucket: Bucket) -> None:
    bucket.photo("photos/a.jpg")
    library.index(bucket.url)
    assert library.recaption(everything=True).captioned == 1


ALONE = """
import sys
sys.modules["s3fs"] = None
from photoindex.cli import main
main(sys.argv[1:])
"""


def test_a_package_that_is_missing_is_one_line(library: Library, tmp_path: Path) -> None:
    command = [sys.executable, "-c", ALONE, "--data-dir", str(tmp_path / "none"), "index", "s3://bucket/photos"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "photoindex: cannot read s3://bucket/photos: s3:// needs the package s3fs: pip install 'photoindex[s3]'\n"
    )


def test_missing_credentials_are_one_line(library: Library, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    with pytest.raises(FolderError, match="there are no credentials for s3://bucket: set AWS_PROFILE, or"):
        library.index("s3://bucket/photos")


def test_the_command_does_the_main_job_with_the_shipped_model(data_dir: Path, bucket: Bucket) -> None:
    bucket.photo("photos/a.jpg", "red")
    command = [sys.executable, "-m", "photoindex", "--data-dir", str(data_dir)]

    def photoindex(*arguments: str) -> str:
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    photoindex("index", bucket.url)
    assert photoindex("search", "red", "-0") == f"{bucket.url}/a.jpg\0"
