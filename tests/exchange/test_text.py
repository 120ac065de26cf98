"""The text in photos leaves a library and comes into another one, which need not read it again."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from photoindex.catalogue import text
from photoindex.config import Settings
from photoindex.errors import ExchangeError
from photoindex.exchange.records import from_line
from photoindex.exchange.xmp_document import XmpDocument
from photoindex.library import Library
from photoindex.media.text.reader_version import TEXT_READER
from photoindex.types import PhotoText, TextLine
from tests.support import FakeCaptioner, make_photo

BOX = (0, 0, 5000, 0, 5000, 400, 0, 400)
LINES = (TextLine("Mind the gap", 0.98, BOX), TextLine("EXIT", 0.6, BOX, 1))


def indexed(data_dir: Path, album: Path) -> Library:
    library = Library(Settings(data_dir, settle_seconds=0.0, read_text="never"), lambda _: FakeCaptioner())
    library.index(album)
    return library


def exported(library: Library) -> bytes:
    out = io.BytesIO()
    library.exchange().write_lines(out)
    return out.getvalue()


@pytest.fixture
def lines(tmp_path: Path, album: Path) -> bytes:
    """An export of one photo with text, which fills it."""
    make_photo(album / "a.jpg")
    with indexed(tmp_path / "one", album) as library:
        photo = library.show(album / "a.jpg")
        assert photo is not None
        with library._database.write() as connection:
            text.save(connection, {photo.id: PhotoText(LINES)}, TEXT_READER)
            text.save_captions(connection, {photo.id: 'a sign that says "Mind the gap"'})
        return exported(library)


def test_text_comes_with_its_caption_and_is_found(tmp_path: Path, album: Path, lines: bytes) -> None:
    with indexed(tmp_path / "two", album) as library:
        library.exchange().read_lines(io.BytesIO(lines))
        [hit] = library.search("text:gap")
        assert (hit.caption, hit.caption_source, hit.text) == ('a sign that says "Mind the gap"', "text", LINES[:1])
        assert library.status().text.waiting == 0
        again = library.exchange().read_lines(io.BytesIO(lines))
        assert again.changed == 0
        assert json.loads(exported(library).splitlines()[-1])["text"] == json.loads(lines.splitlines()[-1])["text"]


def test_a_caption_of_text_goes_into_a_sidecar_with_its_source(tmp_path: Path, album: Path, lines: bytes) -> None:
    with indexed(tmp_path / "two", album) as library:
        library.exchange().read_lines(io.BytesIO(lines))
        ids, sidecar = library.exchange().photos_below(()), album / "a.jpg.xmp"
        library.exchange().write_sidecars(ids)
        assert not sidecar.exists()  # nobody said so
        library.exchange().write_sidecars(ids, machine=True)
        document = XmpDocument.parse(sidecar.read_bytes(), sidecar)
        assert (document.caption, document.mark.source) == ('a sign that says "Mind the gap"', "text")
        assert document.caption_is_machine_made
    with indexed(tmp_path / "three", album) as library:  # it is no word of a person there
        [hit] = library.search("red")
        assert (hit.caption, hit.caption_source) == ("a red square", "model")
        library.exchange().write_sidecars(library.exchange().photos_below(()), machine=True)
        assert XmpDocument.parse(sidecar.read_bytes(), sidecar).mark.source == "model"


@pytest.mark.parametrize(
    "change",
    [{"reader": 0}, {"reader": "1"}, {"lines": [{}]},
     {"lines": [{"text": "x", "confidence": 2, "box": [0] * 8, "block": 0}]},
     {"lines": [{"text": "x", "confidence": 1, "box": [0] * 7, "block": 0}]},
     {"lines": [{"text": "x", "confidence": 1, "box": [0] * 7 + [10_001], "block": 0}]},
     {"lines": [{"text": "x", "confidence": 1, "box": [True] * 8, "block": 0}]},
     {"lines": [{"text": "x", "confidence": 1, "box": [0] * 8, "block": 2**40}]}],
)  # fmt: skip
def test_what_is_no_text_is_refused(lines: bytes, change: dict[str, Any]) -> None:
    record = json.loads(lines.splitlines()[-1])
    record["text"] |= change
    with pytest.raises(ExchangeError, match="text"):
        from_line(json.dumps(record).encode())
