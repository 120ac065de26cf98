"""The shipped model and a person: a correction lifts a search, outlives new captions, and moves to a new library."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import skimage.data

from photoindex.captioner import Captioner, load_captioner
from photoindex.catalogue.editor import Edit
from photoindex.config import Settings
from photoindex.library import Library
from tests.support import show

PHOTOS = ("chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png", "astronaut.png")
QUERY = "cat on a motorcycle"  # the model sees a cat in one photo, and a motorcycle in another
QUERIES = (QUERY, "a cup of coffee", "woman in an orange suit", "tag:motorcycle")


@pytest.fixture(scope="module")
def captioner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Captioner]:
    loaded = load_captioner(Settings(tmp_path_factory.mktemp("settings")))
    yield loaded
    loaded.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in PHOTOS:
        shutil.copy(Path(skimage.data.__file__).parent / name, photos)
    return photos


def found(library: Library, query: str = QUERY) -> list[str]:
    """The names of the photos that a search finds, best first."""
    return [hit.path.name for hit in library.search(query, None)]


def test_a_correction_lifts_a_search_survives_reindex_and_is_restored(
    captioner: Captioner, folder: Path, tmp_path: Path
) -> None:
    chosen: dict[str, Any] = {"settle_seconds": 0.0, "read_text": "never"}
    with ExitStack() as stack:
        old, new = (
            stack.enter_context(Library(Settings(tmp_path / name, **chosen), lambda _: captioner))
            for name in ("old", "new")
        )
        assert old.index(folder).captioned == len(PHOTOS)
        rocket, before = folder / "rocket.jpg", found(old)
        assert "rocket.jpg" not in before[:2]
        editor = old.editor()
        photo_ids = editor.photos_at([rocket])
        editor.apply(photo_ids, Edit("our cat under the launch pad", ("Motorcycle",)))
        assert found(old)[0] == "rocket.jpg"
        corrected = show(old, rocket)

        assert old.recaption(everything=True).captioned == len(PHOTOS)
        again = show(old, rocket)
        assert (again.caption, again.tags) == (corrected.caption, corrected.tags)
        assert found(old)[0] == "rocket.jpg"

        first, second = io.BytesIO(), io.BytesIO()
        old.exchange().write_lines(first)
        first.seek(0)
        assert new.exchange().read_lines(first).added == len(PHOTOS)
        report = new.index(folder)
        assert (report.captioned, report.recognised) == (0, len(PHOTOS))
        new.exchange().write_lines(second)
        assert second.getvalue() == first.getvalue()
        assert {query: found(new, query) for query in QUERIES} == {query: found(old, query) for query in QUERIES}
        assert new.recaption().captioned == 0

        editor.undo(photo_ids)
        assert found(old) == before
