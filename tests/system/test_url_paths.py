"""URLs as paths: what is typed, what is kept, what is shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from photoindex.errors import FolderError
from photoindex.system.mount_names import Mounts
from photoindex.system.paths import absolute, is_at_or_below, paths_below, printable, shown
from photoindex.system.terminal import shell_quoted, visible
from photoindex.system.url_paths import is_url, location_of, path_of, url_text


@pytest.mark.parametrize(
    ("typed", "path"),
    [
        ("s3://bucket", "/s3:/bucket"),
        ("s3://bucket/", "/s3:/bucket"),
        ("s3:/bucket/2024/a b%20c.jpg", "/s3:/bucket/2024/a b%20c.jpg"),
        ("S3://bucket//2024/", "/s3:/bucket/2024"),
        ("gs://bucket/é", "/gs:/bucket/é"),
        ("/s3:/bucket/a", "/s3:/bucket/a"),
    ],
)
def test_a_url_becomes_a_path_that_is_absolute(typed: str, path: str) -> None:
    assert absolute(Path(typed)) == Path(path)
    assert os.path.isabs(path)
    assert is_url(path)


def test_a_path_is_shown_as_the_url_that_it_stands_for() -> None:
    path = absolute(Path("s3://bucket/2024/a b.jpg"))
    assert url_text(path) == shown(path) == printable(path) == "s3://bucket/2024/a b.jpg"
    assert shell_quoted(path) == "'s3://bucket/2024/a b.jpg'"
    assert visible(f"cannot read {path}: it is empty") == "cannot read s3://bucket/2024/a b.jpg: it is empty"
    assert location_of(path) == ("s3", "bucket", "2024/a b.jpg")


@pytest.mark.parametrize("path", ["/home/s3:/bucket", "/s3/bucket", "/s3:", "/s3:/.hidden", "/file:/etc", "C:/photos"])
def test_other_paths_stay_what_they_are(path: str) -> None:
    assert not is_url(path)
    assert url_text(path) == visible(path) == path


def test_paths_below_a_url_lie_below_it_and_below_nothing_else() -> None:
    top = absolute(Path("s3://bucket/2024"))
    inside, beside = absolute(Path("s3://bucket/2024/a.jpg")), absolute(Path("s3://bucket/2024b/a.jpg"))
    assert paths_below([inside, beside], top) == [inside]
    assert is_at_or_below(inside, top)
    assert not is_at_or_below(inside, absolute(Path("gs://bucket/2024")))


@pytest.mark.parametrize("url", ["file:///etc/passwd", "memory://a/b", "http://example.org/a.jpg", "github://a:b@c/d"])
def test_protocols_that_lead_elsewhere_are_refused(url: str) -> None:
    with pytest.raises(FolderError, match="URLs are not opened"):
        absolute(Path(url))


@pytest.mark.parametrize("url", ["s3://key:secret@bucket/a", "s3://secret@bucket/a", "abfs://secret@account/a"])
def test_credentials_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(FolderError, match="no user or password") as refused:
        absolute(Path(url))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["s3://bucket/../other", "s3://bucket/a/../../b", "s3://bucket/a\0b"])
def test_what_would_lead_out_of_a_bucket_is_refused(url: str) -> None:
    with pytest.raises(FolderError):
        path_of(url)


def test_a_name_of_the_mounts_may_stand_for_a_url_and_a_url_for_a_folder() -> None:
    mounts = Mounts({"archive": "s3://bucket/prefix", "s3://old/photos": "/mnt/photos"})
    assert mounts.here(b"/archive/a.jpg") == b"/s3:/bucket/prefix/a.jpg"
    assert mounts.everywhere(b"/s3:/bucket/prefix/a.jpg") == b"/archive/a.jpg"
    assert mounts.here(b"/s3:/old/photos/a.jpg") == b"/mnt/photos/a.jpg"
    with pytest.raises(ValueError, match="no user or password"):
        Mounts({"archive": "s3://key:secret@bucket"})
