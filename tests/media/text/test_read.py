"""Real photos with text drawn onto them, read by the real library in this process and in a worker."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from photoindex.errors import DamagedPhoto, TextReaderUnavailable
from photoindex.media.decode import Decoder
from photoindex.media.text import engine
from photoindex.media.text.engine import NETWORKS, Engine
from photoindex.media.text.read import ROOM, read_text, read_text_closely
from photoindex.types import DecodedPhoto, PhotoText
from photoindex.types.text import BOX_UNITS

pytest.importorskip("rapidocr")
LIMIT = 100_000_000


def photo(path: Path, *texts: tuple[str, int, int, int], size: tuple[int, int] = (900, 600), turn: int = 0) -> Path:
    """Write a photo of a wall with each text (words, left, top, height in pixels) in dark letters, then turned."""
    noise = np.random.default_rng(1).integers(170, 190, (size[1], size[0], 3), np.uint8)
    picture = Image.fromarray(noise)
    for words, left, top, height in texts:
        ImageDraw.Draw(picture).text((left, top), words, (20, 25, 40), ImageFont.load_default(height))
    picture.rotate(turn, expand=True).save(path, quality=92)
    return path


def read(path: Path) -> PhotoText:
    text = read_text(path, 1, LIMIT).text
    assert text is not None
    return text


def said(path: Path) -> str:
    return " | ".join(line.text for line in read(path).lines)


def test_text_is_read_with_its_place(tmp_path: Path) -> None:
    text = read(photo(tmp_path / "a.jpg", ("PLATFORM NINE", 90, 300, 60)))
    [line] = text.lines
    assert line.text == "PLATFORM NINE"
    assert line.confidence > 0.9
    left, top, right, bottom = line.box[0], line.box[1], line.box[4], line.box[5]
    assert 600 < left < 1100
    assert 4800 < top < 5400
    assert left + 3000 < right <= BOX_UNITS
    assert top + 500 < bottom < 6700


def test_a_photo_without_text_is_only_glanced_at(tmp_path: Path) -> None:
    assert read(photo(tmp_path / "a.jpg")) == PhotoText(closely=False)


def test_every_photo_is_read_closely_when_asked(tmp_path: Path) -> None:
    text = read_text_closely(photo(tmp_path / "a.jpg"), 1, LIMIT).text
    assert text == PhotoText(closely=True)


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_text_that_stands_on_its_side_or_head_is_read(tmp_path: Path, turn: int) -> None:
    assert said(photo(tmp_path / "a.jpg", ("Coffee and bread", 120, 260, 50), turn=turn)) == "Coffee and bread"


def test_orientation_is_that_of_the_upright_photo(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.jpg", ("PLATFORM NINE", 90, 300, 60), turn=90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    with Image.open(path) as picture:
        picture.save(path, exif=exif, quality=92)
    [line] = read(path).lines
    assert line.text == "PLATFORM NINE"
    assert line.box[2] - line.box[0] > 3 * (line.box[5] - line.box[1])


def test_small_print_of_a_large_photo_is_legible(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.jpg", ("Invoice 2041 of 9 May", 400, 900, 50), size=(3200, 2400))
    assert said(path) == "Invoice 2041 of 9 May"


def test_a_small_picture_is_read_larger(tmp_path: Path) -> None:
    assert said(photo(tmp_path / "a.png", ("exit", 40, 60, 24), size=(200, 150))) == "exit"


def test_a_damaged_photo_is_an_error(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.jpg", ("PLATFORM NINE", 90, 300, 60))
    path.write_bytes(path.read_bytes()[:8000])
    with pytest.raises(DamagedPhoto):
        read_text(path, 1, LIMIT)


def test_a_worker_answers_with_the_text(tmp_path: Path) -> None:
    paths = [photo(tmp_path / "a.jpg", ("PLATFORM NINE", 90, 300, 60)), photo(tmp_path / "b.jpg")]
    with Decoder(1, 1, 60.0, LIMIT, read_text, room=ROOM) as decoder:
        answers = dict(decoder.decode(paths))
    first, second = (answers[path] for path in paths)
    assert isinstance(first, DecodedPhoto)
    assert isinstance(second, DecodedPhoto)
    assert first.text is not None
    assert [line.text for line in first.text.lines] == ["PLATFORM NINE"]
    assert second.text == PhotoText(closely=False)


class TestNetworks:
    """They are loaded when the first picture needs them."""

    @pytest.fixture(params=["Det", "Rec"])
    def broken(self, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
        """An engine with one network that is cut off."""
        whole = engine.networks_folder()
        assert whole is not None
        for part, name in NETWORKS.items():
            content = (whole / name).read_bytes()
            (tmp_path / name).write_bytes(content[:1000] if part == request.param else content)
        monkeypatch.setattr(engine, "networks_folder", lambda: tmp_path)
        return Engine(1)

    def test_one_that_does_not_run_is_no_fault_of_the_picture(self, broken: Engine, tmp_path: Path) -> None:
        path = photo(tmp_path / "a.png", ("PLATFORM NINE", 90, 300, 60))
        with Image.open(path) as picture, pytest.raises(TextReaderUnavailable, match="does not start") as raised:
            broken.read(picture)
        assert len(str(raised.value)) < 400
        assert "\n" not in str(raised.value)

    def test_trying_out_finds_it(self, broken: Engine) -> None:
        with pytest.raises(TextReaderUnavailable):
            broken.try_out()

    def test_a_picture_that_cannot_be_read_is_at_fault_itself(self, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = Engine(1)
        whole.try_out()
        picture = Image.new("RGB", (320, 320), "white")
        monkeypatch.setattr(engine, "_padded", lambda _: np.zeros((0, 0, 3), np.uint8))
        with pytest.raises(Exception) as raised:  # noqa: PT011  # whatever the library raises
            whole.read(picture)
        assert not isinstance(raised.value, TextReaderUnavailable)
