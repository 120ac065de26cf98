"""Google Takeout's JSON beside photos: which belongs to which, what it says, and what it cannot do."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from photoindex.media.decode import describe_photo
from photoindex.media.metadata import sidecars
from photoindex.media.metadata.dates import Moment
from photoindex.media.metadata.takeout import MOST_BYTES, TakeoutError, read_takeout
from photoindex.media.metadata.takeoutnames import TakeoutNames, names_json, original_stem
from photoindex.types import DecodedPhoto
from tests.media.metadata.samples import NOWHERE, described, photo, takeout
from tests.permissions import permissions_count


def read(path: Path) -> DecodedPhoto:
    return describe_photo(path, 1, 10_000)


def beside(path: Path, **fields: Any) -> Path:
    path.with_name(f"{path.name}.json").write_bytes(takeout(**fields))
    return path


LONG = "Screenshot_20220207_102421_com.snapchat.android.jpg"  # 51 characters, the most an archive gives a photo
HOUSE = "Our house in the middle of the oldest road"  # 42, so that of -edited only so much fits
CUT = "Screenshot_20220207_102421_com.snapchat.androi"  # 46


class TestNames:
    @pytest.mark.parametrize(
        ("name", "of"),
        [
            ("IMG_1234.jpg.json", "IMG_1234.jpg"),
            ("IMG_1234.jpg.json", "IMG_1234.JPG"),
            ("IMG_1234.HEIC.supplemental-metadata.json", "IMG_1234.HEIC"),
            ("Screenshot_20241227_105539_Edge.jpg.supplement.json", "Screenshot_20241227_105539_Edge.jpg"),
            ("Screenshot_2017-07-05-10-05-26.png.supplementa.json", "Screenshot_2017-07-05-10-05-26.png"),
            ("D7157814-D2D5-4A62-AFCE-9CF465CB7D66.jpeg.supp.json", "D7157814-D2D5-4A62-AFCE-9CF465CB7D66.jpeg"),
            ("D7157814-D2D5-4A62-AFCE-9CF465CB7D667890.jpg.s.json", "D7157814-D2D5-4A62-AFCE-9CF465CB7D667890.jpg"),
            ("D7157814-D2D5-4A62-AFCE-9CF465CB7D6678901.jpg..json", "D7157814-D2D5-4A62-AFCE-9CF465CB7D6678901.jpg"),
            ("IMG_1234.jpg(1).json", "IMG_1234(1).jpg"),
            ("IMG_1234.jpg.supplemental-metadata(12).json", "IMG_1234(12).jpg"),
            ("Screenshot_20190317-234331.jpg.supplemental-me(1).json", "Screenshot_20190317-234331(1).jpg"),
            ("IMG_1234(1).jpg.json", "IMG_1234(1).jpg"),
            ("IMG_1234.jpg.json", "IMG_1234-edited.jpg"),
            ("IMG_1234.jpg(1).json", "IMG_1234-edited(1).jpg"),
            ("PXL_20220405_090123740.PORTRAIT.jpg.json", "PXL_20220405_090123740.PORTRAIT-modifié.jpg"),
            ("IMG_1234.jpg.json", "IMG_1234-ha editado.jpg"),
            (f"{CUT}.json", LONG),
            (f"{CUT}(2).json", "Screenshot_20220207_102421_com.snapchat.android(2).jpg"),
            ("Urlaub in Knaufspesch in der Schneifel (38).JP.json", "Urlaub in Knaufspesch in der Schneifel (38).JPG"),
            (
                "Urlaub in Knaufspesch in der Schneifelnix (38).json",
                "Urlaub in Knaufspesch in der Schneifelnix (38).JPG",
            ),
            (f"{HOUSE}.jpg.json", f"{HOUSE}-edit.jpg"),
            ("\U0001f600" * 23 + ".json", "\U0001f600" * 23 + "\U0001f61b.jpg"),
        ],
    )
    def test_a_json_belongs_to_its_photo(self, name: str, of: str) -> None:
        assert TakeoutNames([name]).of(of) == [name]
        assert names_json(name)

    @pytest.mark.parametrize(
        ("name", "of"),
        [
            ("IMG_1234.jpg.json", "IMG_1234(1).jpg"),
            ("IMG_1234.jpg(1).json", "IMG_1234.jpg"),
            ("IMG_1234.jpg.json", "IMG_12345.jpg"),
            ("IMG_1234.jpg.json", "IMG_1234.png"),
            ("IMG_1234.jpg.json", "IMG_1234-edit.jpg"),
            ("IMG_1234.jpg.json", "IMG_1234-2.jpg"),
            ("IMG_1234.jpg.supplementary.json", "IMG_1234.jpg"),
            ("IMG_1234.json", "IMG_1234.mp4"),
            ("IMG_1234.json", "IMG_12345.jpg"),
            ("IMG_1234(1).json", "IMG_1234.jpg"),
            ("IMG_1234.mp4.json", "IMG_1234.mp4"),
            ("._IMG_1234.jpg.json", "IMG_1234.jpg"),
            ("metadata.json", "metadata.jpg"),
            (".jpg.json", ".jpg"),
            (f"{CUT}(1).json", LONG),
            (f"{CUT[:-1]}.json", LONG),
        ],
    )
    def test_another_is_none_of_it(self, name: str, of: str) -> None:
        assert TakeoutNames([name]).of(of) == []

    def test_an_edited_photo_has_its_own_rather_than_its_original_s(self) -> None:
        names = TakeoutNames(["a.jpg.json", "a-edited.jpg.json"])

        assert names.of("a-edited.jpg") == ["a-edited.jpg.json"]
        assert names.of("a.jpg") == ["a.jpg.json"]

    def test_beside_xmp_it_comes_last(self, tmp_path: Path) -> None:
        for name in ("a.jpg.json", "a.xmp", "a.jpg.xmp", "metadata.json"):
            (tmp_path / name).touch()

        found = [each.path.name for each in sidecars.beside(tmp_path / "a.jpg")]

        assert found == ["a.jpg.xmp", "a.xmp", "a.jpg.json"]

    @pytest.mark.parametrize(
        ("name", "of"),
        [
            ("IMG_1234.json", "IMG_1234.jpg"),
            ("img_1234.JSON", "IMG_1234.HEIC"),
            ("IMG_1234.supplemental-metadata.json", "IMG_1234.jpg"),
            ("IMG_1234(1).json", "IMG_1234(1).jpg"),
            ("IMG_1234.supplemental-metadata(1).json", "IMG_1234(1).jpg"),
            ("IMG_1234.json", "IMG_1234-edited.jpg"),
            ("Dia 1. a praia.json", "Dia 1. a praia.jpg"),
        ],
    )
    def test_a_json_whose_title_has_no_suffix(self, tmp_path: Path, name: str, of: str) -> None:
        title = original_stem(of)
        path = photo(tmp_path / "a.jpg").rename(tmp_path / of)
        (tmp_path / name).write_bytes(takeout(title=title, description="A cat"))

        assert TakeoutNames([name]).of(of) == [name]
        assert read(path).written.caption == "A cat"

    def test_a_json_that_has_only_the_stem_is_another_photos_by_its_title(self, tmp_path: Path) -> None:
        path = photo(tmp_path / "IMG_1234.jpg")
        (tmp_path / "IMG_1234.json").write_bytes(takeout(title="Holidays", description="A cat"))

        assert read(path).written.caption is None

    def test_one_that_names_all_of_the_photo_goes_before_it(self) -> None:
        names = ["IMG_1234.json", "IMG_1234.jpg.json"]

        assert TakeoutNames(names).of("IMG_1234.jpg") == ["IMG_1234.jpg.json"]
        assert TakeoutNames(names).of("IMG_1234.png") == ["IMG_1234.json"]

    @pytest.mark.parametrize("number", ["", "(1)", "(2)"])
    def test_of_cut_names_with_one_title_each_has_that_with_its_number(self, tmp_path: Path, number: str) -> None:
        title = "Backyard ceremony wedding photography by the oldest studio of the town.jpg"
        cut, of = title[:46], title[:47]
        for each in ("", "(1)", "(2)"):
            (tmp_path / f"{cut}{each}.json").write_bytes(takeout(title=title, description=f"Guests {each}"))

        assert read(photo(tmp_path / f"{of}{number}.jpg")).written.caption == f"Guests {number}".strip()
        edited = photo(tmp_path / f"{of}-edited{number}.jpg")
        assert read(edited).written.caption == f"Guests {number}".strip()

    def test_of_cut_names_a_number_may_be_the_photos_own(self) -> None:
        cut = "Backyard_ceremony_wedding_photography_xxxxxxx_"
        names = TakeoutNames([f"{cut}.json", f"{cut}(1).json"])

        assert names.of(f"{cut}(494).jpg") == [f"{cut}.json"]
        assert names.of(f"{cut}m(1).jpg") == [f"{cut}(1).json"]

    def test_of_names_cut_alike_the_title_tells_whose_it_is(self, tmp_path: Path) -> None:
        one, other = LONG, LONG.replace("android", "androit")
        for name in (one, other):
            photo(tmp_path / name)
        (tmp_path / f"{CUT}.json").write_bytes(takeout(title=other, description="A cat"))

        assert [read(tmp_path / name).written.caption for name in (one, other)] == [None, "A cat"]
        assert read(tmp_path / one).problems == ()


class TestWords:
    def test_what_people_said_in_google_photos(self, tmp_path: Path) -> None:
        path = beside(
            photo(tmp_path / "IMG_1234.jpg"),
            description="Regatta off\nCascais",
            people=[{"name": "Ana Sousa"}, {"name": "Bruno"}, {}],
            favorited=True,
        )

        found = read(path)

        assert found.written.caption == "Regatta off Cascais"
        assert found.written.people == ("Ana Sousa", "Bruno")
        assert found.written.keywords == ("favorite",)
        assert (found.written.title, found.facts.rating, found.problems) == (None, None, ())

    def test_what_the_photo_and_xmp_say_comes_before_it(self, tmp_path: Path) -> None:
        path = beside(
            photo(tmp_path / "a.jpg", xmp=described("by xmp", "sea")), description="by Takeout", favorited=True
        )
        assert (read(path).written.caption, read(path).written.keywords) == ("by xmp", ("sea", "favorite"))

        (tmp_path / "a.xmp").write_bytes(described("by a.xmp"))
        assert read(path).written.caption == "by a.xmp"

        tags = Image.Exif()
        tags[0x010E] = "by exif"
        photo(path, exif=tags)
        (tmp_path / "a.xmp").unlink()
        assert read(path).written.caption == "by exif"

    @pytest.mark.parametrize(
        ("name", "title", "kept"),
        [
            ("IMG_1234.jpg", "IMG_1234.jpg", None),
            ("IMG_1234(1).jpg", "IMG_1234.jpg", None),
            ("Anna_s party-edited.jpg", "Anna's party.jpg", None),
            ("A very long walk along the coast of the southe.jpg", "A very long walk along the coast of the southern"
             " Algarve.jpg", "A very long walk along the coast of the southern Algarve"),
        ],
    )  # fmt: skip
    def test_a_title_is_kept_where_it_says_more_than_the_name(
        self, tmp_path: Path, name: str, title: str, kept: str | None
    ) -> None:
        assert read(beside(photo(tmp_path / name), title=title)).written.title == kept

    def test_a_json_of_another_program_says_nothing(self, tmp_path: Path) -> None:
        path = photo(tmp_path / "a.jpg")
        (tmp_path / "a.jpg.json").write_text('{"category": "deviantart", "title": "Dawn", "description": "x y"}')

        found = read(path)

        assert (found.written.caption, found.written.title, found.problems) == (None, None, ())


class TestWhen:
    def taken(self, path: Path) -> tuple[datetime | None, int | None, str | None]:
        facts = read(path).facts
        return facts.taken_at, facts.taken_offset, facts.taken_source

    def test_it_is_an_instant_in_utc(self, tmp_path: Path) -> None:
        assert self.taken(beside(photo(tmp_path / "a.jpg"))) == (datetime(2019, 7, 4, 12), 0, "takeout")

    def test_a_name_that_tells_the_same_moment_tells_the_zone(self, tmp_path: Path) -> None:
        path = beside(photo(tmp_path / "IMG_20190704_173000.jpg"))

        assert self.taken(path) == (datetime(2019, 7, 4, 17, 30), 330, "takeout")

    @pytest.mark.parametrize("name", ["IMG_20190704_173007.jpg", "IMG_20190706_120000.jpg", "PXL_20190704_173000.jpg"])
    def test_a_name_that_tells_another_moment_gives_way(self, tmp_path: Path, name: str) -> None:
        assert self.taken(beside(photo(tmp_path / name))) == (datetime(2019, 7, 4, 12), 0, "takeout")

    def test_exif_and_xmp_come_before_it(self, tmp_path: Path) -> None:
        tags = Image.Exif()
        tags[0x010F] = "Maker"
        tags.get_ifd(0x8769)[0x9003] = "2019:07:04 14:00:00"
        assert self.taken(beside(photo(tmp_path / "a.jpg", exif=tags))) == (datetime(2019, 7, 4, 14), None, "exif")

        (tmp_path / "b.xmp").write_bytes(described("x").replace(b'rdf:about=""', b'rdf:about="" xmp:CreateDate="2005"'))
        assert self.taken(beside(photo(tmp_path / "b.jpg")))[2] == "xmp"

    def test_before_1970_it_is_negative_and_zero_is_none(self, tmp_path: Path) -> None:
        old = beside(photo(tmp_path / "a.jpg"), photoTakenTime={"timestamp": "-1000000000"})
        assert self.taken(old)[0] == datetime(1938, 4, 24, 22, 13, 20)

        none = beside(photo(tmp_path / "IMG_20190704_173000.jpg"), photoTakenTime={"timestamp": "0"})
        assert self.taken(none)[2] == "name"


LISBON = {"latitude": 38.72, "longitude": -9.14, "altitude": 12.5}
PORTO = {"latitude": 41.15, "longitude": -8.61, "altitude": 0.0}


class TestWhere:
    def position(self, path: Path) -> tuple[float | None, float | None, float | None]:
        facts = read(path).facts
        return facts.latitude, facts.longitude, facts.altitude

    def test_the_camera_s_position_then_google_s(self, tmp_path: Path) -> None:
        path = photo(tmp_path / "a.jpg")

        assert self.position(beside(path, geoDataExif=LISBON, geoData=PORTO)) == (38.72, -9.14, 12.5)
        assert self.position(beside(path, geoDataExif=NOWHERE, geoData=PORTO)) == (41.15, -8.61, None)
        assert self.position(beside(path)) == (None, None, None)

    def test_the_photo_s_own_comes_before_it(self, tmp_path: Path) -> None:
        path = beside(photo(tmp_path / "a.jpg"), geoData=PORTO)
        packet = described("x").replace(
            b'rdf:about=""', b'rdf:about="" exif:GPSLatitude="38,43.2N" exif:GPSLongitude="9,8.4W"'
        )
        photo(path, xmp=packet)

        assert self.position(path) == (38.72, -9.14, None)


# How deep it is read is for the stack to say from Python 3.14 on, which may come to the end first.
TOO_DEEP = "it is nested too deep" if sys.version_info < (3, 14) else ("it is nested too deep", "it is no JSON: ")


class TestHostile:
    """Whatever a file holds: one line, and what else is known of the photo is not lost."""

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "it is no JSON: "),
            (b"\xff\xfe\xff", "it is no JSON: "),
            (b'{"photoTakenTime": ', "it is no JSON: "),
            (b'{"geoData": {"latitude": NaN}}', "it is no JSON: NaN is no number of JSON's"),
            (b'{"geoData": ' + b"1" * 5000 + b"}", "it is no JSON: "),
            (b"[" * 100_000, TOO_DEEP),
            (b'{"geoData":' * 50_000, TOO_DEEP),
            (b'{"geoData":' + b" " * 1_000_000 + b"{}}", "it has more than 1 MB"),
        ],
    )
    def test_one_that_cannot_be_read_is_told_in_a_line(
        self, tmp_path: Path, content: bytes, reason: str | tuple[str, str]
    ) -> None:
        path = photo(tmp_path / "a.jpg", xmp=described("A boat"))
        (tmp_path / "a.jpg.json").write_bytes(content)

        found = read(path)

        assert found.written.caption == "A boat"
        [line] = found.problems
        assert line.removeprefix(f"cannot read the sidecar {tmp_path / 'a.jpg.json'}: ").startswith(reason)
        assert line.endswith("; unpack it again from Google Takeout")
        assert "\n" not in line

    def test_one_of_a_gigabyte_is_not_read(self, tmp_path: Path) -> None:
        path = photo(tmp_path / "a.jpg")
        with (tmp_path / "a.jpg.json").open("wb") as file:
            file.truncate(1_000_000_000)

        assert ["more than 1 MB" in line for line in read(path).problems] == [True]

    def test_one_that_grows_while_it_is_read(self) -> None:
        with pytest.raises(TakeoutError, match="more than 1 MB"):
            read_takeout(b" " * (MOST_BYTES + 1), "a.jpg")

    def test_one_that_may_not_be_read(self, tmp_path: Path) -> None:
        path = beside(photo(tmp_path / "a.jpg"))
        (tmp_path / "a.jpg.json").chmod(0)
        with permissions_count():
            problems = read(path).problems
        assert ["Permission denied" in line for line in problems] == [True]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("description", ["a", "list"]),
            ("description", 5),
            ("title", {}),
            ("people", "Ana"),
            ("people", ["Ana"]),
            ("people", [{"name": 7}]),
            ("favorited", "yes"),
            ("photoTakenTime", "1562241600"),
            ("photoTakenTime", {}),
            ("photoTakenTime", {"timestamp": "soon"}),
            ("photoTakenTime", {"timestamp": True}),
            ("photoTakenTime", {"timestamp": "9" * 100}),
            ("geoData", [38.72, -9.14]),
            ("geoData", {"latitude": "38.72", "longitude": -9.14}),
            ("geoData", {"latitude": 91, "longitude": 5}),
            ("geoData", {"latitude": 10**400, "longitude": 5}),
            ("geoDataExif", {"latitude": 1.0}),
        ],
    )
    def test_a_field_of_another_type_is_named_and_costs_no_other(self, name: str, value: Any) -> None:
        fields, wrong = read_takeout(takeout(**{"people": [{"name": "Ana"}], name: value}), "IMG_1234.jpg")

        assert wrong == (name,)
        assert fields.people == (() if name == "people" else ("Ana",))
        assert fields.taken_dates == (() if name == "photoTakenTime" else (Moment(datetime(2019, 7, 4, 12), 0),))

    def test_such_fields_are_one_line(self, tmp_path: Path) -> None:
        path = beside(photo(tmp_path / "a.jpg"), people=5, description="A boat", geoData=True)

        found = read(path)

        assert found.written.caption == "A boat"
        assert found.problems == (
            f"{tmp_path / 'a.jpg.json'} has something else than Google Takeout writes as geoData, people; "
            "the rest of it is used",
        )

    def test_a_moment_that_cannot_be_gives_way(self, tmp_path: Path) -> None:
        for stamp in ("999999999999", "-999999999999", "4102444800", "-5000000000"):
            path = beside(photo(tmp_path / "IMG_20190704_173000.jpg"), photoTakenTime={"timestamp": stamp})
            assert (read(path).facts.taken_source, read(path).problems) == ("name", ())

    def test_text_that_no_database_holds_is_made_clean(self) -> None:
        data = b'{"photoTakenTime": null, "description": "a \\ud800 boat\\u0000 at\\u001b[31m sea"}'

        fields, wrong = read_takeout(data, "a.jpg")

        assert (fields.caption, wrong) == ("a boat", ())
