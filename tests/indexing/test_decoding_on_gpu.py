"""The setting ``decode_on_gpu``: what decodes beside the processes, or why nothing does. A CPU stands for the GPU."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from photoindex.captioner import jpeg_drafts
from photoindex.captioner.jpeg_drafts import DraftProcess
from photoindex.catalogue import files
from photoindex.catalogue.roots import ensure_root
from photoindex.catalogue.sqlite_database import SqliteDatabase
from photoindex.config import Settings
from photoindex.indexing.pipeline import Pipeline
from photoindex.types import CaptionerInfo, FileStat, ScannedFile
from tests.support import COLOURS, FakeCaptioner

PHOTOS = 40


class OnGpu(FakeCaptioner):
    @property
    def info(self) -> CaptionerInfo:
        return dataclasses.replace(super().info, is_on_gpu=True)


class Drafts(DraftProcess):
    """By libjpeg; its start is not waited for, which takes longer than all the photos."""

    made = 0

    def __init__(self) -> None:
        super().__init__("cpu")
        assert self._started() is not None

    def make(self, jpegs: Sequence[bytes], scales: Sequence[int]) -> Sequence[NDArray[np.uint8] | None]:
        drafts = super().make(jpegs, scales)
        Drafts.made += sum(draft is not None for draft in drafts)
        return drafts


def run(
    database: SqliteDatabase, album: Path, captioner: FakeCaptioner, *, on_gpu: bool
) -> tuple[list[str], list[str]]:
    """What was said of photos, and to whom it runs for."""
    album.mkdir(exist_ok=True)
    paths = []
    for number in range(PHOTOS):
        path = album / f"{number}.jpg"
        Image.new("RGB", (400, 300), list(COLOURS.values())[number % len(COLOURS)]).save(path, comment=b"%d" % number)
        paths.append(path)
    with database.write() as connection:
        ensure_root(connection, album)
        files.record_files(connection, [ScannedFile(path, FileStat.of(path.stat())) for path in paths])
    settings = Settings(
        database.path.parent, settle_seconds=0.0, backup_days=0.0, decode_on_gpu=on_gpu, decode_workers=1
    )
    lines: list[str] = []
    with closing(Pipeline(database, None, settings, lambda _: captioner)) as pipeline:
        pipeline.notice = lines.append
        assert pipeline.run().captioned == PHOTOS
        assert pipeline.run().captioned == 0
    return captioner.captions, lines


@pytest.mark.usefixtures("cold")
def test_photos_decoded_on_the_gpu_are_captioned_as_all_others(
    database: SqliteDatabase, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jpeg_drafts, "DraftProcess", Drafts)
    monkeypatch.setattr(Drafts, "made", 0)
    captions, lines = run(database, album, OnGpu(), on_gpu=True)
    assert Drafts.made > 0
    assert lines == []
    colours = list(COLOURS)
    assert sorted(captions) == sorted(f"a {colours[number % len(colours)]} square" for number in range(PHOTOS))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_where_there_is_none_it_is_said_once_and_all_are_captioned(database: SqliteDatabase, album: Path) -> None:
    captions, lines = run(database, album, OnGpu(), on_gpu=True)
    assert len(captions) == PHOTOS
    [line] = lines
    assert line.startswith("photos are not decoded on the GPU (decode_on_gpu), but as without it: no CUDA GPU")


@pytest.mark.parametrize("on_gpu", [False, True])
def test_it_is_not_tried_without_being_asked_for_nor_for_a_model_that_is_not_on_a_gpu(
    database: SqliteDatabase, album: Path, monkeypatch: pytest.MonkeyPatch, on_gpu: bool
) -> None:
    monkeypatch.setattr(jpeg_drafts, "DraftProcess", lambda: pytest.fail("it was started"))
    _, lines = run(database, album, FakeCaptioner() if on_gpu else OnGpu(), on_gpu=on_gpu)
    assert lines == []
