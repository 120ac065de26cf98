"""Thumbnails and originals over HTTP: what is answered, and what is not because the file is another one now."""

from __future__ import annotations

import io
import itertools
import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.support import make_photo
from tests.web.conftest import Served


def photo_at(served: Served, path: Path) -> int:
    found = served.library.show(path)
    assert found is not None
    return found.id


def sha_of(served: Served, path: Path) -> str:
    found = served.library.show(path)
    assert found is not None
    return found.content_hash


def forget_thumbnails(served: Served) -> None:
    shutil.rmtree(served.library.settings.data_dir / "thumbnails")


@pytest.mark.parametrize("size", [240, 480])
def test_those_of_lists_were_made_while_captioning(served: Served, client: httpx.Client, size: int) -> None:
    path = served.album / "red one.jpg"
    sha = sha_of(served, path)
    path.unlink()
    assert client.get(f"/api/v1/t/{sha}-{size}.jpg").status_code == 200
    assert client.get(f"/api/v1/t/{sha}-1600.jpg").status_code == 404


@pytest.mark.parametrize("size", [240, 480, 1600])
def test_a_thumbnail_keeps_the_shape_and_nothing_else(unchanged: Served, reader: httpx.Client, size: int) -> None:
    sha = sha_of(unchanged, unchanged.album / "red one.jpg")
    answer = reader.get(f"/api/v1/t/{sha}-{size}.jpg")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert b"red one" not in answer.content  # the comment of the original
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.size == (48, 32)  # never larger than the photo
        assert not image.getexif()
        red, green, blue = image.convert("RGB").getpixel((20, 10))
        assert red > 200
        assert max(green, blue) < 40
    again = reader.get(f"/api/v1/t/{sha}-{size}.jpg", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "name",
    [
        "x-240.jpg",
        "{sha}-241.jpg",
        "{sha}-240.png",
        "{sha}.jpg",
        "{upper}-240.jpg",
        "{none}-240.jpg",
        "{sha}-00240.jpg",
    ],
)
def test_no_other_thumbnail_is_made(unchanged: Served, reader: httpx.Client, name: str) -> None:
    sha = sha_of(unchanged, unchanged.album / "red one.jpg")
    assert (
        reader.get("/api/v1/t/" + name.format(sha=sha, upper=sha.upper().replace("0", "A"), none="0" * 64)).status_code
        == 404
    )


def test_a_picture_larger_than_allowed_is_not_decoded(served: Served, client: httpx.Client) -> None:
    bomb = served.album / "bomb.png"
    Image.new("1", (30_000, 30_000)).save(bomb)
    served.library.index(served.album)
    assert [failed.kind for failed in served.gallery.failures() if failed.path == bomb] == ["oversized"]
    # A photo that was fine, and whose file is a bomb of the same state now.
    victim = served.album / "red one.jpg"
    sha, status = sha_of(served, victim), victim.stat()
    forget_thumbnails(served)
    shutil.copyfile(bomb, victim)
    os.utime(victim, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert client.get(f"/api/v1/t/{sha}-480.jpg").status_code == 404
    assert client.get("/api/v1/health").status_code == 200


def test_the_original_is_a_download_in_a_sandbox(unchanged: Served, reader: httpx.Client) -> None:
    path = unchanged.album / "blue one.jpg"
    answer = reader.get(f"/api/v1/photos/{photo_at(unchanged, path)}/original")
    assert answer.content == path.read_bytes()
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''blue%20one.jpg"
    assert answer.headers["content-security-policy"].startswith("sandbox;")
    assert answer.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-9", 206, slice(0, 10)),
        ("bytes=10-", 206, slice(10, None)),
        ("bytes=-5", 206, slice(-5, None)),
        ("bytes=3-99999999", 206, slice(3, None)),
        ("bytes=0-0", 206, slice(0, 1)),
        ("bytes=-99999999", 206, slice(None)),
        (f"bytes=3-{'9' * 30}", 206, slice(3, None)),
        (f"bytes=-{'9' * 30}", 206, slice(None)),
        (f"bytes={'0' * 30}3-4", 206, slice(3, 5)),
        ("Bytes=0-9", 206, slice(0, 10)),
        (f"bytes={'9' * 30}-", 416, None),
        ("bytes=0-4,6-8", 200, slice(None)),
        ("lines=1-2", 200, slice(None)),
        ("bytes=-", 200, slice(None)),
        ("bytes=5-2", 416, None),
        ("bytes=99999999-", 416, None),
        ("bytes=-0", 416, None),
    ],
)
def test_one_range(unchanged: Served, reader: httpx.Client, asked: str, status: int, part: slice | None) -> None:
    path = unchanged.album / "blue one.jpg"
    answer = reader.get(f"/api/v1/photos/{photo_at(unchanged, path)}/original", headers={"Range": asked})
    assert answer.status_code == status
    if part is not None:
        assert answer.content == path.read_bytes()[part]
        assert int(answer.headers["content-length"]) == len(answer.content)
    if status == 206:
        assert answer.headers["content-range"].endswith(f"/{path.stat().st_size}")


def test_an_original_that_a_browser_has_is_not_sent_again(served: Served, client: httpx.Client) -> None:
    path = served.album / "blue one.jpg"
    address = f"/api/v1/photos/{photo_at(served, path)}/original"
    whole = client.get(address)
    tag, changed = whole.headers["etag"], whole.headers["last-modified"]
    assert parsedate_to_datetime(changed).timestamp() == int(path.stat().st_mtime)
    for known in ({"If-None-Match": tag}, {"If-None-Match": f'"x", W/{tag}'}, {"If-Modified-Since": changed},
                  {"If-None-Match": tag, "If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
                  {"If-None-Match": tag, "Range": "bytes=0-9"}):  # fmt: skip
        again = client.get(address, headers=known)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), known
    for other in ({"If-None-Match": '"x"', "If-Modified-Since": changed}, {"If-Modified-Since": "yesterday"},
                  {"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}):  # fmt: skip
        assert client.get(address, headers=other).content == path.read_bytes(), other
    make_photo(path, "green")
    assert client.get(address, headers={"If-None-Match": tag}).status_code == 404  # another photo has its place
    served.library.index(served.album)
    changed_to = client.get(f"/api/v1/photos/{photo_at(served, path)}/original", headers={"If-None-Match": tag})
    assert changed_to.content == path.read_bytes()


def test_a_download_that_was_cut_off_goes_on_only_in_the_same_file(unchanged: Served, reader: httpx.Client) -> None:
    path = unchanged.album / "blue one.jpg"
    address = f"/api/v1/photos/{photo_at(unchanged, path)}/original"
    whole = reader.get(address)
    for same in (whole.headers["etag"], whole.headers["last-modified"]):
        rest = reader.get(address, headers={"Range": "bytes=10-", "If-Range": same})
        assert (rest.status_code, rest.content) == (206, path.read_bytes()[10:])
        assert rest.headers["etag"] == whole.headers["etag"]
    for other in ('"x"', f"W/{whole.headers['etag']}", "Thu, 01 Jan 1970 00:00:00 GMT"):
        again = reader.get(address, headers={"Range": "bytes=10-", "If-Range": other})
        assert (again.status_code, again.content) == (200, path.read_bytes()), other


def test_a_file_of_tomorrow_has_a_date_of_today(served: Served, client: httpx.Client) -> None:
    path = served.album / "blue one.jpg"
    tomorrow = time.time() + 86_400
    os.utime(path, (tomorrow, tomorrow))
    served.library.index(served.album)
    answer = client.get(f"/api/v1/photos/{photo_at(served, path)}/original")
    assert parsedate_to_datetime(answer.headers["last-modified"]).timestamp() <= time.time()


def replaced_by_other_bytes(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more")


def touched(path: Path) -> None:
    os.utime(path, (1, 1))


def gone(path: Path) -> None:
    path.unlink()


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_link_elsewhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("change", [replaced_by_other_bytes, touched, gone, a_folder, a_pipe, a_link_elsewhere])
def test_a_file_that_is_another_one_now_is_not_given(served: Served, client: httpx.Client, change: object) -> None:
    path = served.album / "green one.jpg"
    number, sha = photo_at(served, path), sha_of(served, path)
    assert callable(change)
    forget_thumbnails(served)
    change(path)
    for address in (f"/api/v1/photos/{number}/original", f"/api/v1/t/{sha}-480.jpg"):
        answer = client.get(address)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unreadable")


def test_a_copy_that_is_as_it_was_is_given_instead(served: Served, client: httpx.Client) -> None:
    path, copy = served.album / "green one.jpg", served.album / "sub" / "copy.jpg"
    copy.parent.mkdir()
    shutil.copyfile(path, copy)
    served.library.index(served.album)
    number, content = photo_at(served, path), path.read_bytes()
    path.unlink()
    assert client.get(f"/api/v1/photos/{number}/original").content == content


@pytest.mark.parametrize("address", ["/api/v1/photos/999/original", "/api/v1/photos/999", "/photo/999"])
def test_no_such_photo(reader: httpx.Client, address: str) -> None:
    assert reader.get(address).status_code == 404


def large_photo(path: Path, size: tuple[int, int], orientation: int = 1) -> None:
    """A photo with a line of single pixels, black and white in turns, along its upper edge as it is stored."""
    image = Image.new("RGB", size, (90, 120, 200))
    for x in range(size[0]):
        for y in range(8):
            image.putpixel((x, y), (255, 255, 255) if x % 2 else (0, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(path, exif=exif)


@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg"])
def test_a_photo_is_had_with_its_own_pixels_upright(served: Served, client: httpx.Client, suffix: str) -> None:
    path = served.album / f"large{suffix}"
    large_photo(path, (2400, 1800), orientation=6)  # to be turned by a quarter: the upper edge is the right one
    served.library.index(served.album)
    sha = sha_of(served, path)
    answer = client.get(f"/api/v1/t/{sha}-8192.jpg")
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.size == (1800, 2400)
        edge = [image.convert("L").getpixel((1797, y)) for y in range(400, 500)]
    if suffix != ".jpg":  # which has lost some of it before
        assert all(abs(one - other) > 150 for one, other in itertools.pairwise(edge))
    thumbnails = served.library.settings.thumbnails_path
    assert not list(thumbnails.rglob("*-8192.jpg"))  # it would push out hundreds of those of lists
    path.unlink()
    assert client.get(f"/api/v1/t/{sha}-8192.jpg").status_code == 404


def test_a_photo_of_very_many_pixels_is_made_smaller(served: Served, client: httpx.Client) -> None:
    path = served.album / "panorama.png"
    Image.new("RGB", (12_000, 900), (90, 120, 200)).save(path)
    served.library.index(served.album)
    with Image.open(io.BytesIO(client.get(f"/api/v1/t/{sha_of(served, path)}-8192.jpg").content)) as image:
        assert image.size == (8192, 614)


def test_no_list_waits_for_a_photo_s_own_pixels(
    served: Served, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    shas = [sha_of(served, served.album / f"{colour} one.jpg") for colour in ("red", "green", "blue")]
    begun, go_on = threading.Semaphore(0), threading.Event()
    decode = served.gallery._full._decode

    def held(*asked: Any) -> Any:
        begun.release()
        assert go_on.wait(60)
        return decode(*asked)

    monkeypatch.setattr(served.gallery._full, "_decode", held)
    forget_thumbnails(served)
    with ThreadPoolExecutor(3) as threads:
        asked = [threads.submit(client.get, f"/api/v1/t/{sha}-8192.jpg", timeout=60) for sha in shas]
        assert begun.acquire(timeout=60)
        for sha in shas:
            assert client.get(f"/api/v1/t/{sha}-1600.jpg").status_code == 200
        assert not begun.acquire(blocking=False)  # one at a time
        go_on.set()
        assert [each.result().status_code for each in asked] == [200] * 3
