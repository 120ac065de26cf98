"""All sources of one photo together, through the functions that decode workers run."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image, features

from photoindex.media.decode import decode_photo, describe_photo
from photoindex.types import DecodedPhoto
from tests.media.metadata.samples import alt, bag, described, iptc, packet, photo, with_iptc
from tests.permissions import permissions_count

TAKEN, DIGITISED, CHANGED = 0x9003, 0x9004, 0x0132


def read(path: Path) -> DecodedPhoto:
    return describe_photo(path, 1, 10_000)


def exif(original: str | None = None, digitised: str | None = None, changed: str | None = None) -> Image.Exif:
    tags = Image.Exif()
    tags[0x010F] = "Maker"  # Pillow writes none at all when the main directory is empty
    details = tags.get_ifd(0x8769)
    for directory, tag, text in ((details, TAKEN, original), (details, DIGITISED, digitised), (tags, CHANGED, changed)):
        if text is not None:
            directory[tag] = text
    return tags


has_avif = ".avif" in Image.registered_extensions()
FORMATS = [
    ".jpg", ".png", ".tif",
    pytest.param(".webp", marks=pytest.mark.skipif(not features.check("webp"), reason="no WebP here")),
    pytest.param(".avif", marks=pytest.mark.skipif(not has_avif, reason="no AVIF")),
]  # fmt: skip


@pytest.mark.parametrize("suffix", FORMATS)
def test_xmp_is_found_in_every_format_that_holds_it(tmp_path: Path, suffix: str) -> None:
    path = photo(tmp_path / f"a{suffix}", xmp=described("A boat", "harbour"))

    assert (read(path).written.caption, read(path).written.keywords) == ("A boat", ("harbour",))


@pytest.mark.parametrize("suffix", FORMATS)
def test_exif_is_found_in_every_format_that_holds_it(tmp_path: Path, suffix: str) -> None:
    path = photo(tmp_path / f"a{suffix}", exif=exif("2019:07:04 12:34:56"))

    assert (read(path).facts.taken_at, read(path).facts.taken_source) == (datetime(2019, 7, 4, 12, 34, 56), "exif")


def test_decoding_and_describing_say_the_same(tmp_path: Path) -> None:
    tags = exif("2019:07:04 12:34:56")
    tags[0x0112] = 6
    path = photo(tmp_path / "a.jpg", exif=tags, xmp=described("A boat"))
    (tmp_path / "a.xmp").write_bytes(packet(attributes='xmp:Rating="3"'))

    decoded, said = decode_photo(path, 8, 10_000), read(path)

    assert (decoded.facts, decoded.written, decoded.sidecars) == (said.facts, said.written, said.sidecars)
    assert (said.facts.width, said.facts.height, said.facts.rating) == (32, 48, 3)


BY_CAMERA = datetime(2019, 7, 4, 12, 34, 56)


class TestWhen:
    """The order in which sources are believed: each test takes the first of the list away."""

    def write(
        self, path: Path, *, exif_dates: tuple[str | None, ...] = (None, None, None), xmp: str = "", iim: bytes = b""
    ) -> tuple[datetime | None, str | None]:
        photo(path, exif=exif(*exif_dates), xmp=packet(attributes=xmp))
        if iim:
            with_iptc(path, iptc({(2, 55): iim}))
        os.utime(path, (1_200_000_000, 1_200_000_000))
        facts = read(path).facts
        return facts.taken_at, facts.taken_source

    def test_from_exif_down_to_the_files_own_date(self, tmp_path: Path) -> None:
        named, plain = tmp_path / "IMG_20190704_123456.jpg", tmp_path / "a.jpg"
        all_exif = ("2001:01:02 00:00:00", "2004:01:02 00:00:00", "2006:01:02 00:00:00")
        xmp = 'photoshop:DateCreated="2002-01-02" xmp:CreateDate="2005-01-02"'

        assert self.write(named, exif_dates=all_exif, xmp=xmp, iim=b"20030102") == (datetime(2001, 1, 2), "exif")
        rest: tuple[str | None, ...] = (None, *all_exif[1:])
        assert self.write(named, exif_dates=rest, xmp=xmp, iim=b"20030102") == (datetime(2002, 1, 2), "xmp")
        xmp = 'xmp:CreateDate="2005-01-02"'
        assert self.write(named, exif_dates=rest, xmp=xmp, iim=b"20030102") == (datetime(2003, 1, 2), "iptc")
        assert self.write(named, exif_dates=rest, xmp=xmp) == (datetime(2004, 1, 2), "exif")
        rest = (None, None, all_exif[2])
        assert self.write(named, exif_dates=rest, xmp=xmp) == (datetime(2005, 1, 2), "xmp")
        assert self.write(named, exif_dates=rest) == (datetime(2019, 7, 4, 12, 34, 56), "name")
        assert self.write(plain, exif_dates=rest) == (datetime(2006, 1, 2), "exif")
        assert self.write(plain) == (datetime.fromtimestamp(1_200_000_000), "mtime")

    @pytest.mark.parametrize(
        ("beside", "taken", "source"),
        [
            # A clock that was an hour, or years, off; a scan of an old print.
            ('exif:DateTimeOriginal="2019-07-04T13:34:56"', datetime(2019, 7, 4, 13, 34, 56), "xmp"),
            ('exif:DateTimeOriginal="2019-07-04T14:34:56+02:00"', datetime(2019, 7, 4, 14, 34, 56), "xmp"),
            ('photoshop:DateCreated="2004-07-04T12:34:56"', datetime(2004, 7, 4, 12, 34, 56), "xmp"),
            ('photoshop:DateCreated="1987"', datetime(1987, 1, 1), "xmp"),
            ('photoshop:DateCreated="2019-07-03"', datetime(2019, 7, 3), "xmp"),
            # The camera's own, with less of it, or in another zone.
            ('exif:DateTimeOriginal="2019-07-04T12:34:57"', BY_CAMERA, "exif"),
            ('photoshop:DateCreated="2019-07-04"', BY_CAMERA, "exif"),
            ('photoshop:DateCreated="2019"', BY_CAMERA, "exif"),
            ('exif:DateTimeOriginal="2019-07-04T10:34:56Z"', BY_CAMERA, "exif"),
            ('exif:DateTimeOriginal="2019-07-04T18:04:56+00:00"', BY_CAMERA, "exif"),
            # No date at all: a clock that was never set, and what is only when a file was made.
            ('exif:DateTimeOriginal="1970-01-01T00:00:00Z"', BY_CAMERA, "exif"),
            ('exif:DateTimeOriginal="2000-01-01T00:00:00"', BY_CAMERA, "exif"),
            ('exif:DateTimeOriginal="2190-01-01T00:00:00"', BY_CAMERA, "exif"),
            ('xmp:CreateDate="2022-07-04T13:34:56"', BY_CAMERA, "exif"),
        ],
    )
    def test_a_sidecar_corrects_the_cameras_clock(
        self, tmp_path: Path, beside: str, taken: datetime, source: str
    ) -> None:
        path = photo(tmp_path / "a.jpg", exif=exif("2019:07:04 12:34:56"))
        (tmp_path / "a.xmp").write_bytes(packet(attributes=beside))

        assert (read(path).facts.taken_at, read(path).facts.taken_source) == (taken, source)

    def test_of_two_sidecars_the_one_that_names_the_whole_file_corrects_alone(self, tmp_path: Path) -> None:
        path = photo(tmp_path / "a.jpg", exif=exif("2019:07:04 12:34:56"))
        (tmp_path / "a.xmp").write_bytes(packet(attributes='exif:DateTimeOriginal="2020-07-04T12:34:56"'))
        assert read(path).facts.taken_at == datetime(2020, 7, 4, 12, 34, 56)

        (tmp_path / "a.jpg.xmp").write_bytes(packet(attributes='exif:DateTimeOriginal="2019-07-04T12:34:56"'))
        assert read(path).facts.taken_at == BY_CAMERA

    def test_xmp_within_the_photo_corrects_no_clock(self, tmp_path: Path) -> None:
        """Programs that write into the photo write EXIF as well."""
        xmp = 'exif:DateTimeOriginal="2019-07-04T13:34:56"'
        assert self.write(tmp_path / "a.jpg", exif_dates=("2019:07:04 12:34:56", None, None), xmp=xmp)[0] == BY_CAMERA

    def test_folders_date_what_has_no_date_of_its_own(self, tmp_path: Path) -> None:
        folder = tmp_path / "2019" / "08 Portugal"

        assert self.write(folder / "a.jpg") == (datetime(2019, 8, 1), "folder")
        changed = (None, None, "2006:01:02 03:04:05")
        assert self.write(folder / "b.jpg", exif_dates=changed) == (datetime(2006, 1, 2, 3, 4, 5), "exif")
        assert self.write(folder / "IMG_20190704_123456.jpg") == (datetime(2019, 7, 4, 12, 34, 56), "name")
        assert self.write(tmp_path / "2090" / "08" / "a.jpg")[1] == "mtime"  # in the future

    @pytest.mark.parametrize(
        ("exif_date", "xmp", "time", "source"),
        [
            (None, 'photoshop:DateCreated="2019" exif:DateTimeOriginal="2019-07-04T12:34:56"', 12, "xmp"),
            (None, 'photoshop:DateCreated="2019-07" exif:DateTimeOriginal="2019-07-04T12:34:56"', 12, "xmp"),
            (None, 'photoshop:DateCreated="2019-07-04" exif:DateTimeOriginal="2019-07-04T12:34:56+02:00"', 12, "xmp"),
            (
                None,
                'photoshop:DateCreated="1970-01-01T00:00:00" exif:DateTimeOriginal="2019-07-04T12:34:56"',
                12,
                "xmp",
            ),
            (
                None,
                'photoshop:DateCreated="2090-01-01T10:00:00" exif:DateTimeOriginal="2019-07-04T12:34:56"',
                12,
                "xmp",
            ),
            (None, 'photoshop:DateCreated="2019-07-04" xmp:CreateDate="2019-07-04T12:34:56"', 12, "xmp"),
            ("2019:00:00 00:00:00", 'xmp:CreateDate="2019-07-04T12:34:56"', 12, "xmp"),
            ("2019 Jul 4", "", 15, "name"),
            ("2019:07:04", "", 15, "name"),
            ("2018 Jul 4", "", 0, "exif"),  # of another year
            (None, 'photoshop:DateCreated="2019-07-05"', 0, "xmp"),  # of another day
            (None, 'photoshop:DateCreated="1970-01-01T00:00:00"', 0, "xmp"),  # nothing better
        ],
    )
    def test_a_coarse_or_impossible_date_hides_no_better_one(
        self, tmp_path: Path, exif_date: str | None, xmp: str, time: int, source: str
    ) -> None:
        found = self.write(tmp_path / "IMG_20190704_151617.jpg", exif_dates=(exif_date, None, None), xmp=xmp)

        assert found[0] is not None
        assert (found[0].hour, found[1]) == (time, source)

    def test_the_day_of_a_last_change_is_not_that_of_a_year(self, tmp_path: Path) -> None:
        found = self.write(
            tmp_path / "a.jpg", exif_dates=(None, None, "2019:11:02 10:00:00"), xmp='photoshop:DateCreated="2019"'
        )

        assert found == (datetime(2019, 1, 1), "xmp")

    def test_a_date_in_the_future_gives_way(self, tmp_path: Path) -> None:
        found = self.write(tmp_path / "a.jpg", exif_dates=("2090:01:02 03:04:05", "2004:01:02 00:00:00", None))

        assert found == (datetime(2004, 1, 2), "exif")

    def test_a_file_from_1970_has_no_date(self, tmp_path: Path) -> None:
        os.utime(photo(tmp_path / "a.jpg"), (0, 0))

        assert (read(tmp_path / "a.jpg").facts.taken_at, read(tmp_path / "a.jpg").facts.taken_source) == (None, None)


class TestWords:
    def test_a_sidecar_has_the_word_then_xmp_then_iptc_then_exif(self, tmp_path: Path) -> None:
        tags = Image.Exif()
        tags[0x010E] = "by exif"
        path = photo(tmp_path / "a.jpg", exif=tags, xmp=described("by xmp"))
        with_iptc(path, iptc({(2, 120): b"by iptc"}))
        short, full = tmp_path / "a.xmp", tmp_path / "a.jpg.xmp"
        short.write_bytes(described("by a.xmp"))
        full.write_bytes(described("by a.jpg.xmp"))

        assert read(path).written.caption == "by a.jpg.xmp"
        full.unlink()
        assert read(path).written.caption == "by a.xmp"
        short.unlink()
        assert read(path).written.caption == "by xmp"
        photo(path, exif=tags)
        with_iptc(path, iptc({(2, 120): b"by iptc"}))
        assert read(path).written.caption == "by iptc"
        photo(path, exif=tags)
        assert read(path).written.caption == "by exif"

    def test_keywords_people_and_places_come_from_everywhere(self, tmp_path: Path) -> None:
        path = photo(tmp_path / "a.jpg", xmp=packet(bag("dc:subject", "sea") + bag("Iptc4xmpExt:PersonInImage", "Ana")))
        with_iptc(path, iptc({(2, 25): [b"Sea", b"boat"], (2, 90): b"Porto"}))
        (tmp_path / "a.xmp").write_bytes(
            packet(bag("dc:subject", "wind") + alt("dc:title", x_default="Regatta"), 'photoshop:Country="Portugal"')
        )

        written = read(path).written

        assert written.keywords == ("wind", "sea", "boat")
        assert (written.people, written.title, written.places) == (("Ana",), "Regatta", ("Portugal", "Porto"))

    def test_a_position_may_come_from_a_sidecar(self, tmp_path: Path) -> None:
        path = photo(tmp_path / "a.jpg")
        (tmp_path / "a.xmp").write_bytes(packet(attributes='exif:GPSLatitude="38,43.2N" exif:GPSLongitude="9,8.4W"'))

        assert (read(path).facts.latitude, read(path).facts.longitude) == (38.72, -9.14)

    @pytest.mark.parametrize(
        ("beside", "position"),
        [
            ('exif:GPSLatitude="38,43.2N" exif:GPSLongitude="9,8.4W"', (38.72, -9.14, None)),
            ('exif:GPSLatitude="38,43.2N" exif:GPSLongitude="9,8.4W" exif:GPSAltitude="9/1"', (38.72, -9.14, 9.0)),
            # The photo's own, in fewer digits; half a position.
            ('exif:GPSLatitude="48,51.4N" exif:GPSLongitude="2,17.7E"', (48.8566, 2.295, 35.0)),
            ('exif:GPSLatitude="38,43.2N"', (48.8566, 2.295, 35.0)),
        ],
    )
    @pytest.mark.parametrize("name", ["a.xmp", "a.jpg.xmp"])
    def test_a_sidecar_corrects_the_position(
        self, tmp_path: Path, name: str, beside: str, position: tuple[float, float, float | None]
    ) -> None:
        own = 'exif:GPSLatitude="48,51.396N" exif:GPSLongitude="2,17.7E" exif:GPSAltitude="35/1"'
        path = photo(tmp_path / "a.jpg", xmp=packet(attributes=own))
        (tmp_path / name).write_bytes(packet(attributes=beside))

        facts = read(path).facts
        assert (facts.latitude, facts.longitude, facts.altitude) == position

    @pytest.mark.parametrize(
        ("suffix", "own"),
        [("MOV", False), (".mp4", False), ("PNG", False), ("JPG", True), (".jpg", True), ("CR2", True), (" ", True)],
    )
    @pytest.mark.parametrize("name", ["a.xmp", "A.XMP", "a.jpg.xmp"])
    def test_a_sidecar_that_says_it_is_for_another_file_says_nothing(
        self, tmp_path: Path, name: str, suffix: str, own: bool
    ) -> None:
        path = photo(tmp_path / "a.jpg")
        words = alt("dc:description", x_default="The film") + bag("dc:subject", "film")
        attributes = f'photoshop:SidecarForExtension="{suffix}" xmp:Rating="4" xmp:CreateDate="2019-07-04"'
        (tmp_path / name).write_bytes(packet(words, attributes))

        found = read(path)

        is_read = own or name == "a.jpg.xmp"
        assert (found.written.caption, found.written.keywords) == (("The film", ("film",)) if is_read else (None, ()))
        assert (found.facts.rating, found.facts.taken_source) == ((4, "xmp") if is_read else (None, "mtime"))
        assert found.sidecars.startswith(f"{name}:")  # so that it is read again when it says something else

    @pytest.mark.parametrize(
        ("sidecars", "stars"),
        [
            ({}, 3),
            ({"a.jpg.xmp": 'xmp:Rating="5"'}, 5),
            ({"a.jpg.xmp": 'xmp:Rating="0"'}, None),
            ({"A.JPG.XMP": 'xmp:Rating="0"'}, None),
            ({"a.jpg.xmp": 'xmp:Rating="0.0"'}, None),
            ({"a.jpg.xmp": 'xmp:Rating="-1"'}, -1),
            ({"a.jpg.xmp": 'xmp:Rating="many"'}, 3),
            ({"a.jpg.xmp": 'xmp:Rating=""'}, 3),
            ({"a.jpg.xmp": 'xmp:Label="Red"'}, 3),
            ({"a.jpg.xmp": 'xmp:Rating="0" acdsee:rating="4"'}, 4),
            ({"a.jpg.xmp": 'xmp:Rating="0"', "a.xmp": 'xmp:Rating="4"'}, 4),
            ({"a.xmp": 'xmp:Rating="0"'}, 3),  # it may speak of a raw file
        ],
    )
    @pytest.mark.parametrize("kind", ["exif", "xmp"])
    def test_stars_that_were_taken_off_in_a_sidecar_are_gone(
        self, tmp_path: Path, kind: str, sidecars: dict[str, str], stars: int | None
    ) -> None:
        path, tags = tmp_path / "a.jpg", Image.Exif()
        tags[0x4746] = 3  # Rating
        photo(path, exif=tags) if kind == "exif" else photo(path, xmp=packet(attributes='xmp:Rating="3"'))
        for name, attributes in sidecars.items():
            (tmp_path / name).write_bytes(packet(attributes=attributes))

        assert read(path).facts.rating == stars

    def test_a_camera_that_writes_no_stars_takes_none_off(self, tmp_path: Path) -> None:
        tags = Image.Exif()
        tags[0x4746] = 3
        path = photo(tmp_path / "a.jpg", exif=tags, xmp=packet(attributes='xmp:Rating="0"'))

        assert read(path).facts.rating == 3


DEEP = packet(f"<dc:subject>{'<rdf:li>' * 100_000}{'</rdf:li>' * 100_000}</dc:subject>")


class TestBrokenSidecars:
    @pytest.mark.parametrize("content", [b"", b"\xff\xd8 no xml", described("x")[:200], b"<!DOCTYPE x><x/>", DEEP])
    def test_one_is_told_in_a_line_and_costs_nothing_else(self, tmp_path: Path, content: bytes) -> None:
        path = photo(tmp_path / "a.jpg", xmp=described("A boat"))
        (tmp_path / "a.xmp").write_bytes(content)

        found = read(path)

        assert found.written.caption == "A boat"
        assert len(found.problems) == 1
        assert found.problems[0].startswith(f"cannot read the sidecar {tmp_path / 'a.xmp'}: ")
        assert "\n" not in found.problems[0]

    def test_one_of_a_hundred_megabytes_is_not_read(self, tmp_path: Path) -> None:
        path = photo(tmp_path / "a.jpg")
        with (tmp_path / "a.xmp").open("wb") as file:
            file.truncate(100_000_000)

        assert ["more than 10 MB" in line for line in read(path).problems] == [True]

    def test_one_that_may_not_be_read(self, tmp_path: Path) -> None:
        path = photo(tmp_path / "a.jpg")
        (tmp_path / "a.xmp").write_bytes(described("x"))
        (tmp_path / "a.xmp").chmod(0)
        with permissions_count():
            problems = read(path).problems
        assert ["Permission denied" in line for line in problems] == [True]

    def test_broken_xmp_in_the_photo_costs_nothing_else(self, tmp_path: Path) -> None:
        path = photo(tmp_path / "a.jpg", xmp=b"<x:xmpmeta>", exif=exif("2019:07:04 12:34:56"))

        assert read(path).facts.taken_at == datetime(2019, 7, 4, 12, 34, 56)
        assert ["cannot read the XMP in" in line for line in read(path).problems] == [True]
