"""JPEGs that something else has decoded small: which ones may be, and that photos are the same with it and without.

The process that does it decodes by libjpeg here, by the code that decodes by a GPU elsewhere.
"""

from __future__ import annotations

import io
import os
import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from photoindex.captioner import jpeg_drafts
from photoindex.captioner.jpeg_drafts import MOST_LOSSES, DraftProcess, decode_small
from photoindex.errors import PhotoError
from photoindex.media.decode import Decoder, decode_with_thumbnails, drafts
from photoindex.media.decode.drafts import Draft, draft_scale, put_into
from photoindex.media.decode.plain_jpeg import PlainJpeg, plain_jpeg, read_plain
from photoindex.types import DecodedPhoto

SIZE = 64
PIXELS = 10_000_000
PLENTY = 300.0  # seconds
EVERY_FORM = {
    "plain": {},
    "fine": {"subsampling": 0, "quality": 95},
    "grey": {"mode": "L"},
    "cmyk": {"mode": "CMYK"},
    "progressive": {"progressive": True},
    "rgb": {"keep_rgb": True},
    "restarts": {"restart_marker_rows": 1},
    "comment": {"comment": b"\xff\xd9"},
}
PLAIN = {"plain", "fine", "restarts", "comment"}


def scene(width: int, height: int) -> Image.Image:
    """Something with edges, slopes and colours."""
    generator = np.random.default_rng(width)
    coarse = Image.fromarray(generator.integers(0, 256, (7, 9, 3), np.uint8))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


def jpeg(width: int = 640, height: int = 427, mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    scene(width, height).convert(mode).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def with_thumbnail(width: int = 640, height: int = 427) -> bytes:
    """One whose metadata hold a small JPEG of its own, as those of cameras do."""
    exif = Image.Exif()
    exif[0x9286] = jpeg(32, 24)
    return jpeg(width, height, exif=exif)


class TestWhichJpegs:
    @pytest.mark.parametrize("form", EVERY_FORM)
    def test_only_plain_ones_are_taken(self, form: str) -> None:
        size = plain_jpeg(jpeg(**EVERY_FORM[form]))  # type: ignore[arg-type]
        assert size == ((640, 427) if form in PLAIN else None)

    @pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 0.999])
    def test_one_that_is_cut_off_is_not_also_where_its_metadata_hold_a_whole_one(self, share: float) -> None:
        for whole in (jpeg(), with_thumbnail()):
            assert plain_jpeg(whole) == (640, 427)
            assert plain_jpeg(whole + b"what a telephone writes behind it") == (640, 427)
            assert plain_jpeg(whole[: int(len(whole) * share)]) is None
        assert plain_jpeg(jpeg()[:-2]) is None

    def test_whatever_bytes_there_are_nothing_is_raised(self) -> None:
        chance = random.Random(5)
        whole = with_thumbnail(96, 64)
        for end in range(700):
            plain_jpeg(whole[:end])
        for _ in range(3000):
            broken = bytearray(whole)
            for _ in range(chance.randrange(1, 6)):
                broken[chance.randrange(min(len(broken), 900))] = chance.randrange(256)
            size = plain_jpeg(bytes(broken))
            assert size is None or min(size) > 0

    def test_what_is_no_jpeg_is_not_taken(self, tmp_path: Path) -> None:
        path = tmp_path / "photo.jpg"
        scene(640, 427).save(path, "PNG")
        assert read_plain(path) is None
        assert read_plain(tmp_path) is None
        assert read_plain(tmp_path / "gone.jpg") is None
        path.write_bytes(b"")
        assert read_plain(path) is None
        path.write_bytes(jpeg())
        assert read_plain(path) == (path.read_bytes(), PlainJpeg(640, 427))


class TestDrafts:
    @pytest.mark.parametrize("size", [1, 16, 64, 224, 320])
    def test_the_scale_is_that_of_the_usual_way(self, size: int) -> None:
        chance = random.Random(size)
        for _ in range(60):
            extent = chance.randrange(1, 3000), chance.randrange(1, 3000)
            image = Image.open(io.BytesIO(jpeg(8, 8)))
            image._size = extent
            _, box = image.draft(None, (max(-(-size * 115 // 100), 1),) * 2)  # type: ignore[misc]
            assert draft_scale(extent, size) == round(extent[0] / box[2])

    @pytest.mark.parametrize("extent", [(640, 427), (641, 433), (333, 1001)])
    @pytest.mark.parametrize("scale", [2, 4, 8])
    def test_a_draft_is_what_libjpeg_makes(self, extent: tuple[int, int], scale: int) -> None:
        whole = jpeg(*extent, subsampling=2)
        [draft] = decode_small([whole], [scale], "cpu")
        assert draft is not None
        image = Image.open(io.BytesIO(whole))
        image.draft(None, (extent[0] // scale, extent[1] // scale))
        difference = np.abs(np.asarray(image, int) - draft.numpy())
        assert difference.shape == (-(-extent[1] // scale), -(-extent[0] // scale), 3)
        assert difference[:-1, :-1].mean() < 0.7  # the last ones are of what is beyond the edge, too
        assert difference.mean() < 1

    def test_one_that_cannot_be_decoded_takes_none_of_the_others(self) -> None:
        good = jpeg()
        made = decode_small([good, b"\xff\xd8 no JPEG", good], [8, 8, 8], "cpu")
        assert [draft is None for draft in made] == [False, True, False]

    def test_one_of_another_size_is_not_taken_and_each_for_one_photo_only(self, tmp_path: Path) -> None:
        path = tmp_path / "photo.jpg"
        path.write_bytes(jpeg())
        usual = decode_with_thumbnails(path, SIZE, PIXELS)
        white = np.full((107, 160, 3), 255, np.uint8)  # a quarter of it
        for draft in (white[:-1], white[:, :-1]):
            drafts.lend(draft)
            assert np.array_equal(decode_with_thumbnails(path, SIZE, PIXELS).pixels, usual.pixels)
        drafts.lend(white)
        assert decode_with_thumbnails(path, SIZE, PIXELS).pixels.min() == 255
        assert np.array_equal(decode_with_thumbnails(path, SIZE, PIXELS).pixels, usual.pixels)

    @pytest.mark.parametrize("form", ["grey", "cmyk"])
    def test_one_for_a_photo_of_other_channels_is_not_taken(self, form: str) -> None:
        image = Image.open(io.BytesIO(jpeg(**EVERY_FORM[form])))  # type: ignore[arg-type]
        drafts.lend(np.zeros((427, 640, 3), np.uint8))
        assert not put_into(image)


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Photos of every kind, some of them broken, and many that are plain."""
    folder = tmp_path / "photos"
    folder.mkdir()
    contents = {name: jpeg(**options) for name, options in EVERY_FORM.items()}  # type: ignore[arg-type]
    exif = Image.Exif()
    for orientation in range(1, 9):
        exif[0x0112] = orientation
        contents[f"turned-{orientation}"] = jpeg(800, 601, exif=exif)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    contents["strange-profile"] = jpeg(700, 500, icc_profile=profile.tobytes())
    contents["thumbnail"] = with_thumbnail()
    contents["behind"] = jpeg() + jpeg(100, 100)
    contents["small"] = jpeg(60, 60)
    contents["cut-off"] = jpeg()[:-4000]
    contents["thumbnail-cut-off"] = with_thumbnail()[:-4000]
    contents["empty"] = b""
    contents["text"] = b"not a photo"
    damaged = bytearray(jpeg())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 40] = bytes(40)
    contents["damaged"] = bytes(damaged)
    for number in range(24):
        contents[f"usual-{number}"] = jpeg(700 + number, 500)
    for name, content in contents.items():
        (folder / f"{name}.jpg").write_bytes(content)
    scene(640, 427).save(folder / "other.png")
    return sorted(folder.iterdir())


class Counting(DraftProcess):
    """Counts the drafts that it makes."""

    count = 0

    def make(self, jpegs: Sequence[bytes], scales: Sequence[int]) -> Sequence[Draft | None]:
        made = super().make(jpegs, scales)
        self.count += sum(draft is not None for draft in made)
        return made


def decoded(photos: Sequence[Path], maker: drafts.DraftMaker | None) -> dict[str, DecodedPhoto | PhotoError]:
    with Decoder(SIZE, 1, PLENTY, PIXELS, decode_with_thumbnails, drafts=maker) as decoder:
        return {path.stem: answer for path, answer in decoder.decode(photos)}


def with_draft(path: Path) -> DecodedPhoto | PhotoError:
    """The photo as a worker decodes it that was given its draft, if there is one."""
    found = read_plain(path)
    if found is not None and (scale := draft_scale(found[1], SIZE)) > 1:
        [draft] = decode_small([found[0]], [scale], "cpu")
        drafts.lend(None if draft is None else draft.numpy())
    try:
        return decode_with_thumbnails(path, SIZE, PIXELS)
    except PhotoError as error:
        return error


def check_alike(photos: dict[str, DecodedPhoto | PhotoError], others: dict[str, DecodedPhoto | PhotoError]) -> None:
    assert photos.keys() == others.keys()
    for name, photo in photos.items():
        other = others[name]
        assert type(photo) is type(other), name
        if isinstance(photo, PhotoError) or isinstance(other, PhotoError):
            assert str(photo) == str(other)
            continue
        assert (photo.facts, photo.written, photo.sidecars) == (other.facts, other.written, other.sidecars), name
        assert photo.thumbnails.keys() == other.thumbnails.keys()
        if name != "damaged":  # each decoder makes of it what it can
            assert np.abs(photo.pixels.astype(int) - other.pixels).mean() < 1, name


def test_photos_are_the_same_with_drafts_and_without(photos: list[Path]) -> None:
    usual = decoded(photos, None)
    assert {name for name, photo in usual.items() if isinstance(photo, PhotoError)} == {
        "cut-off", "empty", "text", "thumbnail-cut-off",
    }  # fmt: skip
    check_alike(usual, {path.stem: with_draft(path) for path in photos})
    differ = [
        path.stem
        for path in photos
        if isinstance(photo := usual[path.stem], DecodedPhoto)
        and isinstance(other := with_draft(path), DecodedPhoto)
        and not np.array_equal(photo.pixels, other.pixels)
    ]
    assert len(differ) > 30  # so they were taken


def test_photos_are_the_same_where_a_process_makes_drafts(photos: list[Path]) -> None:
    maker = Counting("cpu")
    maker.make([jpeg()], [8])  # its start takes longer than all the photos
    check_alike(decoded(photos, None), decoded(photos, maker))
    assert maker.works
    assert maker.count > 1


class TestTheProcess:
    @pytest.fixture
    def process(self) -> Iterator[DraftProcess]:
        with closing(DraftProcess("cpu")) as process:
            yield process

    def test_one_that_is_killed_is_replaced_and_three_times_is_enough(self, process: DraftProcess) -> None:
        good = jpeg()
        for loss in range(MOST_LOSSES):
            [draft] = process.make([good], [8])
            assert draft is not None
            assert draft.shape == (54, 80, 3)
            child = process._child
            assert child is not None
            os.kill(child._process.pid, 19)  # stopped, so that it is there still when it is asked
            threading.Timer(0.2, child.kill).start()
            assert process.make([good, good], [8, 8]) == [None, None]
            assert process.works == (loss < MOST_LOSSES - 1)
        assert process.problem == "its process ended 3 times"
        assert process.make([good], [8]) == [None]

    def test_it_may_be_closed_and_asked_again(self, process: DraftProcess) -> None:
        for _ in range(2):
            assert process.make([jpeg()], [4])[0] is not None
            process.close()

    def test_who_interrupts_it_has_an_answer_at_once_and_it_is_no_loss(self, process: DraftProcess) -> None:
        for _ in range(MOST_LOSSES):
            assert process.make([jpeg()], [8])[0] is not None
            child = process._child
            assert child is not None
            os.kill(child._process.pid, 19)
            threading.Timer(0.2, process.interrupt).start()
            assert process.make([jpeg()], [8]) == [None]
        assert process.works

    def test_one_that_does_not_start_in_time_is_tried_again(
        self, process: DraftProcess, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(jpeg_drafts, "START_SECONDS", 0.0)
        for loss in range(MOST_LOSSES):
            assert process.make([jpeg()], [8]) == [None]
            assert process.works == (loss < MOST_LOSSES - 1)
        assert process.problem == "its process ended 3 times"

    def test_a_device_that_is_not_there_is_told_once(self) -> None:
        torch = pytest.importorskip("torch")
        if torch.cuda.is_available():
            pytest.skip("there is one here")
        with closing(DraftProcess()) as process:
            assert process.make([jpeg()], [8]) == [None]
            assert process.problem.startswith("no CUDA GPU that torch can use")
            assert not process.works


class Strange:
    """A maker of drafts that goes wrong in some way, on some photos."""

    def __init__(self, way: str) -> None:
        self.way, self.asked, self.interrupted = way, 0, threading.Event()
        self.began = threading.Event()
        self.works = True

    def make(self, jpegs: Sequence[bytes], scales: Sequence[int]) -> Sequence[Draft | None]:
        self.asked += len(jpegs)
        self.began.set()
        if self.way == "waits":
            self.interrupted.wait()
        if self.way == "raises":
            raise MemoryError
        if self.way == "gives up":
            self.works = False
        if self.way == "lies":
            return [np.zeros((1, 2, 3), np.uint8)] * len(jpegs)
        return [None] * len(jpegs)

    def interrupt(self) -> None:
        self.interrupted.set()

    def close(self) -> None:
        pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("way", ["makes none", "raises", "gives up", "lies"])
def test_photos_whose_drafts_do_not_come_are_decoded_as_usual(photos: list[Path], way: str) -> None:
    maker = Strange(way)
    usual, found = decoded(photos, None), decoded(photos, maker)
    assert maker.asked
    assert usual.keys() == found.keys()
    for name, photo in usual.items():
        other = found[name]
        assert type(photo) is type(other)
        if isinstance(photo, DecodedPhoto) and isinstance(other, DecodedPhoto):
            assert np.array_equal(photo.pixels, other.pixels)


def test_who_stops_early_waits_for_no_draft(photos: list[Path]) -> None:
    maker = Strange("waits")
    with Decoder(SIZE, 1, PLENTY, PIXELS, drafts=maker) as decoder, decoder.decoding() as decoding:
        decoding.add(photos)
        assert maker.began.wait(PLENTY)
    assert maker.interrupted.is_set()
