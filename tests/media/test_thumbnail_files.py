"""The cache of thumbnails on the disk."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from photoindex.media.thumbnail_files import LEAST_FREE, ThumbnailFiles

Usage = namedtuple("Usage", "total used free")
PICTURE = b"\xff\xd8 a picture \xff\xd9"
CONTENT = "ab" * 32


def kept_with(free: int, folder: Path, monkeypatch: pytest.MonkeyPatch, *, make_room: bool) -> bytes | None:
    """What comes of keeping a thumbnail on a disk with so many bytes free."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10 * LEAST_FREE, 10 * LEAST_FREE - free, free))
    thumbnails = ThumbnailFiles(folder / "thumbnails", 1_000_000)
    thumbnails.keep(CONTENT, {240: PICTURE}, make_room=make_room)
    return thumbnails.get(CONTENT, 240)


@pytest.mark.parametrize("make_room", [True, False])
def test_what_is_kept_is_there(make_room: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept_with(LEAST_FREE, tmp_path, monkeypatch, make_room=make_room) == PICTURE


@pytest.mark.parametrize("make_room", [True, False])
@pytest.mark.parametrize("free", [0, 8_000_000, LEAST_FREE - 1])
def test_nothing_is_kept_on_a_disk_that_is_nearly_full(
    free: int, make_room: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kept_with(free, tmp_path, monkeypatch, make_room=make_room) is None
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_cannot_be_asked_keeps_nothing(tmp_path: Path) -> None:
    thumbnails = ThumbnailFiles(tmp_path / "gone" / "thumbnails", 1_000_000)
    thumbnails.keep(CONTENT, {240: PICTURE})
    assert thumbnails.get(CONTENT, 240) is None
    assert list(tmp_path.iterdir()) == []


def test_a_limit_of_nothing_keeps_nothing(tmp_path: Path) -> None:
    thumbnails = ThumbnailFiles(tmp_path / "thumbnails", 0)
    thumbnails.keep(CONTENT, {240: PICTURE})
    assert thumbnails.get(CONTENT, 240) is None
