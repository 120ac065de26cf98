"""What is made of EXIF as it should be, as it should not be, and as cameras wrote it."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from photoindex.media.decode.photo import decode_photo
from photoindex.media.metadata.cleaning import LONGEST_NAME
from photoindex.media.metadata.read import describe
from photoindex.types import PhotoFacts, Written

MAKE, MODEL, CHANGED, ORIENTATION = 0x010F, 0x0110, 0x0132, 0x0112
TAKEN, DIGITISED, LENS = 0x9003, 0x9004, 0xA434
DETAILS, GPS = 0x8769, 0x8825

SHARED = Path(os.environ.get("PHOTOINDEX_SHARED") or Path(__file__).resolve().parents[2].parent / "shared")
LIBRARY = SHARED / "data" / "library"

Reader = Callable[..., PhotoFacts]


@pytest.fixture
def facts_of(tmp_path: Path) -> Reader:
    """Write a JPEG with these tags and read its facts."""

    def read(
        main: dict[int, Any] | None = None, details: dict[int, Any] | None = None, gps: dict[int, Any] | None = None
    ) -> PhotoFacts:
        exif = Image.Exif()
        exif.update(main or {})
        exif.get_ifd(DETAILS).update(details or {})
        exif.get_ifd(GPS).update(gps or {})
        Image.new("RGB", (30, 20)).save(tmp_path / "photo.jpg", exif=exif)
        with Image.open(tmp_path / "photo.jpg") as image:
            # No such file: of its own it would have a modification time.
            return describe(image, "JPEG", (30, 20), tmp_path / "gone" / "photo.jpg").facts

    return read


class TestDates:
    def test_the_moment_it_was_taken_comes_first(self, facts_of: Reader) -> None:
        facts = facts_of(
            {CHANGED: "2015:01:01 00:00:00"}, {TAKEN: "2008:05:25 19:31:26", DIGITISED: "2009:01:01 00:00:00"}
        )

        assert facts.taken_at == datetime(2008, 5, 25, 19, 31, 26)

    def test_the_moment_of_digitising_stands_in_and_then_that_of_the_last_change(self, facts_of: Reader) -> None:
        changed = {CHANGED: "2015:02:03 04:05:06"}

        assert facts_of(changed, {DIGITISED: "1999:12:31 23:59:59"}).taken_at == datetime(1999, 12, 31, 23, 59, 59)
        assert facts_of(changed).taken_at == datetime(2015, 2, 3, 4, 5, 6)

    @pytest.mark.parametrize(
        "broken",
        ["0000:00:00 00:00:00", "    :  :     :  :  ", "", "yesterday", "2001:02:30 10:00:00",
         "2001:13:01 10:00:00", "2001:01:01 25:61:61", "9999999999999999999"],
    )  # fmt: skip
    def test_a_broken_date_is_passed_over(self, facts_of: Reader, broken: str) -> None:
        assert facts_of(None, {TAKEN: broken}).taken_at is None
        assert facts_of({CHANGED: "2015:02:03 04:05:06"}, {TAKEN: broken}).taken_at == datetime(2015, 2, 3, 4, 5, 6)

    @pytest.mark.parametrize("text", ["2011-08-25T15:09:41", "2011/08/25 15:09:41", " 2011:08:25 15:09:41.25+02:00"])
    def test_other_ways_to_write_a_date_are_understood(self, facts_of: Reader, text: str) -> None:
        taken_at = facts_of(None, {TAKEN: text}).taken_at

        assert taken_at is not None
        assert taken_at.replace(microsecond=0) == datetime(2011, 8, 25, 15, 9, 41)

    def test_a_date_that_is_no_text_is_none(self, facts_of: Reader) -> None:
        assert facts_of(None, {TAKEN: 20110825}).taken_at is None

    def test_subseconds_and_the_offset_from_utc_are_kept(self, facts_of: Reader) -> None:
        facts = facts_of(None, {TAKEN: "2019:07:04 12:34:56", 0x9291: "078", 0x9011: "+02:00"})

        assert facts.taken_at == datetime(2019, 7, 4, 12, 34, 56, 78_000)
        assert (facts.taken_offset, facts.taken_source) == (120, "exif")

    def test_a_clock_that_was_never_set_gives_way_to_the_next_date(self, facts_of: Reader) -> None:
        facts = facts_of({CHANGED: "2015:02:03 04:05:06"}, {TAKEN: "2005:01:01 00:00:00"})

        assert facts.taken_at == datetime(2015, 2, 3, 4, 5, 6)


class TestWords:
    @pytest.fixture
    def written_in(self, tmp_path: Path) -> Callable[..., Written]:
        def read(main: dict[int, Any]) -> Written:
            exif = Image.Exif()
            exif.update(main)
            Image.new("RGB", (30, 20)).save(tmp_path / "photo.jpg", exif=exif)
            with Image.open(tmp_path / "photo.jpg") as image:
                return describe(image, "JPEG", (30, 20), tmp_path / "gone" / "photo.jpg").written

        return read

    def test_what_windows_writes(self, written_in: Callable[..., Written]) -> None:
        written = written_in(
            {
                0x9C9B: "Férias\0".encode("utf-16-le"),
                0x9C9C: "Um barco\0".encode("utf-16-le"),
                0x9C9E: "mar; barco;Mar;\0".encode("utf-16-le"),
            }
        )

        assert written == Written(title="Férias", caption="Um barco", keywords=("mar", "barco"))

    @pytest.mark.parametrize("behind", [";", "; ", " ; "])
    def test_as_many_keywords_as_a_photo_may_have_are_read_whole(
        self, written_in: Callable[..., Written], behind: str
    ) -> None:
        words = [f"number {number} of the regatta in the harbour of Porto" for number in range(200)]

        assert written_in({0x9C9E: f"{behind.join(words)}\0".encode("utf-16-le")}).keywords == tuple(words)

    def test_the_description_comes_before_the_comment(self, written_in: Callable[..., Written]) -> None:
        assert written_in({0x010E: "A boat", 0x9C9C: "else\0".encode("utf-16-le")}).caption == "A boat"

    @pytest.mark.parametrize(
        "junk",
        ["OLYMPUS DIGITAL CAMERA         ", "SONY DSC", "DCIM", "default", "KODAK Digital Still Camera", "DSC00019",
         "000015", "<KENOX S630  / Samsung S630>", "Canon", "canon eos d60", "Created with GIMP", "               ",
         "SAMSUNG CAMERA PICTURES", "cof", "\0\0\0\0"],
    )  # fmt: skip
    def test_what_cameras_and_programs_fill_in_is_no_caption(
        self, written_in: Callable[..., Written], junk: str
    ) -> None:
        assert written_in({0x010E: junk, MAKE: "Canon", MODEL: "Canon EOS D60"}) == Written()

    @pytest.mark.parametrize(
        "meant", ["A camera on a table", "Hong Kong", "DSC meeting", "Picture of a dog", "1st day"]
    )
    def test_what_a_person_wrote_is(self, written_in: Callable[..., Written], meant: str) -> None:
        assert written_in({0x010E: meant, MAKE: "Canon", MODEL: "Canon EOS D60"}).caption == meant

    def test_stars(self, facts_of: Reader) -> None:
        assert facts_of({0x4746: 4}).rating == 4
        assert facts_of({0x4746: 0}).rating is None
        assert facts_of({0x4746: 99}).rating is None


class TestNames:
    @pytest.mark.parametrize(
        ("make", "model", "camera"),
        [
            ("Canon", "Canon EOS D60", "Canon EOS D60"),
            ("NIKON", "E950", "NIKON E950"),
            ("NIKON CORPORATION", "NIKON D1X", "NIKON D1X"),
            ("EASTMAN KODAK COMPANY", "KODAK DC240 ZOOM", "KODAK DC240 ZOOM"),
            ("LG Electronics", "LG-H850", "LG-H850"),
            ("SONY\0\0", "CYBERSHOT\0\0\0left over", "SONY CYBERSHOT"),
            ("RICOH      ", "RDC-5300       ", "RICOH RDC-5300"),
            ("", "X100", "X100"),
            ("Apple", "", "Apple"),
            ("   ", "\0", None),
            ("One\r\nTwo", "Three\x1b[31m", "One Two Three [31m"),
        ],
    )
    def test_a_camera_is_its_maker_and_model_without_saying_either_twice(
        self, facts_of: Reader, make: str, model: str, camera: str | None
    ) -> None:
        assert facts_of({MAKE: make, MODEL: model}).camera == camera

    def test_utf_8_that_was_written_where_ascii_belongs_is_read(self, facts_of: Reader) -> None:
        assert facts_of({MODEL: "红米".encode()}).camera == "红米"

    def test_a_name_without_end_is_cut(self, facts_of: Reader) -> None:
        camera = facts_of({MODEL: "x" * 5000}).camera

        assert camera is not None
        assert len(camera) == LONGEST_NAME

    def test_a_lens_is_named_and_a_row_of_dashes_is_none(self, facts_of: Reader) -> None:
        assert facts_of(None, {LENS: "EF50mm f/1.8 STM\0"}).lens == "EF50mm f/1.8 STM"
        assert facts_of(None, {LENS: "----"}).lens is None


class TestPlaces:
    @pytest.mark.parametrize(
        ("north_south", "east_west", "expected"),
        [("N", "E", (41.853, 12.4888333)), ("S", "W", (-41.853, -12.4888333)), ("s\0", "e\0", (-41.853, 12.4888333))],
    )
    def test_a_place_is_signed_by_its_hemispheres(
        self, facts_of: Reader, north_south: str, east_west: str, expected: tuple[float, float]
    ) -> None:
        gps = {1: north_south, 2: (41.0, 51.18, 0.0), 3: east_west, 4: (12.0, 29.0, 19.8)}

        facts = facts_of(gps=gps)

        assert (facts.latitude, facts.longitude) == pytest.approx(expected, abs=1e-6)

    def test_seconds_of_nought_by_nought_are_no_seconds(self, facts_of: Reader) -> None:
        nothing = IFDRational(0, 0)

        facts = facts_of(gps={1: "N", 2: (48.0, 30.0, nothing), 3: "E", 4: (21.0, 15.0, nothing)})

        assert (facts.latitude, facts.longitude) == (48.5, 21.25)

    @pytest.mark.parametrize(
        "change",
        [
            {1: None}, {3: None}, {2: None}, {4: None},
            {1: "X"}, {1: "E"}, {3: ""},
            {2: (91.0, 0.0, 0.0)}, {4: (180.0, 0.1, 0.0)}, {2: (IFDRational(1, 0), 0.0, 0.0)},
            {2: (0.0, 0.0, 0.0), 4: (0.0, 0.0, 0.0)},
        ],
    )  # fmt: skip
    def test_half_a_place_or_an_impossible_one_is_none(self, facts_of: Reader, change: dict[int, Any]) -> None:
        gps = {1: "N", 2: (41.0, 51.18, 0.0), 3: "E", 4: (12.0, 29.33, 0.0)} | change

        facts = facts_of(gps={tag: value for tag, value in gps.items() if value is not None})

        assert (facts.latitude, facts.longitude) == (None, None)

    @pytest.mark.parametrize(
        ("change", "metres"),
        [
            ({}, 123.4), ({5: b"\1"}, -123.4), ({6: IFDRational(1, 0)}, None), ({6: IFDRational(0, 0)}, None),
            ({6: 1e9}, None), ({2: (0.0, 0.0, 0.0), 4: (0.0, 0.0, 0.0)}, None),
        ],
    )  # fmt: skip
    def test_heights_go_with_a_place(self, facts_of: Reader, change: dict[int, Any], metres: float | None) -> None:
        gps = {1: "N", 2: (41.0, 51.18, 0.0), 3: "E", 4: (12.0, 29.33, 0.0), 5: b"\0", 6: 123.4} | change

        assert facts_of(gps=gps).altitude == metres


class TestBrokenExif:
    def test_a_photo_without_exif_has_only_a_format_and_a_size(self, tmp_path: Path) -> None:
        found = describe(Image.new("L", (3, 2)), "PNG", (3, 2), tmp_path / "gone.png")

        assert (found.facts, found.written) == (PhotoFacts("PNG", 3, 2), Written())

    def test_facts_behind_the_pixels_of_a_png_are_found(self, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif[MODEL] = "Scanner"
        Image.new("RGB", (30, 20)).save(tmp_path / "scan.png", exif=exif)
        content = (tmp_path / "scan.png").read_bytes()
        start = content.index(b"eXIf") - 4
        end = start + 12 + int.from_bytes(content[start : start + 4], "big")
        trailer = content.index(b"IEND") - 4
        moved = content[:start] + content[end:trailer] + content[start:end] + content[trailer:]
        (tmp_path / "scan.png").write_bytes(moved)

        assert decode_photo(tmp_path / "scan.png", 16, 1000).facts.camera == "Scanner"

    def test_no_damage_to_exif_raises_or_loses_the_pixels(self, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif.update({MAKE: "Canon", MODEL: "Canon EOS D60", ORIENTATION: 1, CHANGED: "2015:02:03 04:05:06"})
        exif.get_ifd(DETAILS).update({TAKEN: "2008:05:25 19:31:26", LENS: "50 mm"})
        exif.get_ifd(GPS).update({1: "N", 2: (41.0, 51.18, 0.0), 3: "E", 4: (12.0, 29.33, 0.0)})
        good = np.frombuffer(exif.tobytes(), np.uint8)
        random = np.random.default_rng(11)
        for _ in range(300):
            broken = good.copy()
            broken[random.integers(6, len(good), 6)] = random.integers(0, 256, 6)
            cut = broken.tobytes()[: random.integers(6, len(good) + 1)]
            Image.new("RGB", (30, 20), "red").save(tmp_path / "broken.jpg", exif=cut)

            photo = decode_photo(tmp_path / "broken.jpg", 8, 1000)

            assert photo.pixels[..., 0].min() > 240
            assert {photo.facts.width, photo.facts.height} == {30, 20}
            assert 1 <= photo.facts.orientation <= 8


@pytest.mark.skipif(not LIBRARY.is_dir(), reason=f"the library of camera photos is not at {LIBRARY}")
class TestCameraPhotos:
    @pytest.mark.parametrize(
        ("name", "camera", "taken_at", "latitude", "longitude"),
        [
            ("metadata-extractor__Apple_iPhone_4.jpg", "Apple iPhone 4", datetime(2011, 1, 13, 14, 33, 39),
             41.853, 12.488833),
            ("metadata-extractor__FujiFilm_FinePixS1Pro_(1).jpg", "FUJIFILM FinePixS1Pro",
             datetime(2002, 7, 13, 15, 58, 28), 54.989667, -1.914167),
            ("metadata-extractor__Nikon_D5000.jpg", "NIKON D5000", datetime(2011, 3, 12, 15, 36, 11),
             48.888726, 21.043251),
            ("metadata-extractor__Samsung_GT-I9000_(Galaxy_S).jpg", "SAMSUNG GT-I9000",
             datetime(2011, 4, 2, 18, 30, 10), None, None),
            ("metadata-extractor__FujiFilm_DX-5.jpg", "FUJIFILM DX-5", None, None, None),
            ("exif-samples__67-0_length_string.jpg", "samsung SM-G930F", datetime(2016, 9, 12, 10, 5, 31),
             51.025, 7.591944),
        ],
    )  # fmt: skip
    def test_known_photos_say_what_their_cameras_wrote(
        self, name: str, camera: str, taken_at: datetime | None, latitude: float | None, longitude: float | None
    ) -> None:
        facts = decode_photo(LIBRARY / name, 32, 300_000_000).facts

        assert facts.camera == camera
        assert (facts.taken_source, facts.taken_at) == ("exif", taken_at) if taken_at else facts.taken_source == "mtime"
        assert (facts.latitude, facts.longitude) == pytest.approx((latitude, longitude), abs=1e-5)

    def test_every_photo_decodes_and_keeps_its_bytes_and_times(self) -> None:
        photos = sorted(LIBRARY.glob("*.jpg"))
        cameras = set()
        for path in photos:
            before = path.stat()
            photo = decode_photo(path, 32, 300_000_000)
            after = path.stat()
            cameras.add(photo.facts.camera)
            assert photo.pixels.shape == (32, 32, 3)
            assert (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)

        assert len(photos) > 50
        assert len(cameras) > 30
