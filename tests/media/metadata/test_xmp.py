"""XMP as programs write it, and as nobody should."""

from __future__ import annotations

from datetime import datetime

import pytest

from photoindex.media.metadata import xmp
from photoindex.media.metadata.dates import Moment
from photoindex.media.metadata.xmp import XmpError, read_xmp
from tests.media.metadata.samples import alt, bag, described, packet


class TestWords:
    def test_a_caption_and_keywords(self) -> None:
        found = read_xmp(described("A boat near the pier", "boat", "harbour"))

        assert (found.caption, found.keywords) == ("A boat near the pier", ("boat", "harbour"))

    def test_of_several_languages_the_default_counts(self) -> None:
        found = read_xmp(
            packet(alt("dc:description", de="Ein Boot", x_default="A boat") + alt("dc:title", fr="Bateau"))
        )

        assert (found.caption, found.title) == ("A boat", "Bateau")

    def test_simple_properties_may_be_attributes(self) -> None:
        found = read_xmp(packet(attributes='dc:description="A boat" xmp:Rating="4" photoshop:City="Porto"'))

        assert (found.caption, found.rating, found.city) == ("A boat", 4, "Porto")

    def test_each_level_of_a_hierarchy_is_a_keyword_once(self) -> None:
        body = bag("dc:subject", "Lisbon") + bag("lr:hierarchicalSubject", "Places|Portugal|Lisbon")
        body += bag("digiKam:TagsList", "Animals/Dog", kind="Seq") + bag("MicrosoftPhoto:LastKeywordXMP", "animals/cat")

        assert read_xmp(packet(body)).keywords == ("Lisbon", "Places", "Portugal", "Animals", "Dog", "cat")

    def test_text_is_brought_to_one_clean_line(self) -> None:
        assert read_xmp(described("  A boat\n\tat   &lt;dawn&gt; ", " ", "x" * 500)).caption == "A boat at <dawn>"
        assert read_xmp(described("é", "x" * 500)).keywords == ("x" * 128,)

    def test_what_a_camera_fills_in_is_no_caption(self) -> None:
        assert read_xmp(described("OLYMPUS DIGITAL CAMERA")).caption is None

    def test_a_models_caption_that_photoindex_wrote_is_nobodys_word(self) -> None:
        body = alt("dc:description", x_default="a dog on the grass")
        ours = 'photoindex:captionSource="model" photoindex:caption="a dog on the grass"'

        assert read_xmp(packet(body, ours)).caption is None
        assert read_xmp(packet(body.replace("grass", "lawn"), ours)).caption == "a dog on the lawn"
        assert read_xmp(packet(body, ours.replace("model", "user"))).caption == "a dog on the grass"


class TestPeople:
    def test_named_faces_and_people(self) -> None:
        body = bag("Iptc4xmpExt:PersonInImage", "Ana") + (
            '<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:RegionList><rdf:Bag>'
            '<rdf:li rdf:parseType="Resource"><mwg-rs:Name>Bruno</mwg-rs:Name><mwg-rs:Type>Face</mwg-rs:Type></rdf:li>'
            '<rdf:li><rdf:Description mwg-rs:Name="Carla" mwg-rs:Type="Face"/></rdf:li>'
            '<rdf:li><rdf:Description mwg-rs:Name="not somebody" mwg-rs:Type="BarCode"/></rdf:li>'
            '<rdf:li><rdf:Description mwg-rs:Name="Rex" mwg-rs:Type="Pet"/></rdf:li>'
            "</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"
            '<MP:RegionInfo rdf:parseType="Resource"><MPRI:Regions><rdf:Bag>'
            '<rdf:li MPReg:PersonDisplayName="Diogo"/>'
            '<rdf:li rdf:parseType="Resource"><MPReg:PersonDisplayName>ana</MPReg:PersonDisplayName></rdf:li>'
            "</rdf:Bag></MPRI:Regions></MP:RegionInfo>"
        )

        assert read_xmp(packet(body)).people == ("Ana", "Bruno", "Carla", "Rex", "Diogo")


class TestFacts:
    @pytest.mark.parametrize(
        ("text", "rating"),
        [("5", 5), ("-1", -1), ("3.0", 3), ("0", None), ("9", None), ("many", None), ("1e999", None)],
    )
    def test_stars_are_one_to_five_or_rejected(self, text: str, rating: int | None) -> None:
        # Microsoft's is in percent and has the same last name.
        assert read_xmp(packet(attributes=f'MicrosoftPhoto:Rating="99" xmp:Rating="{text}"')).rating == rating

    def test_when_it_was_taken_comes_before_when_it_was_digitised(self) -> None:
        found = read_xmp(
            packet(
                attributes='xmp:CreateDate="2019-01-01T10:00:00Z" exif:DateTimeOriginal="1985-07-04T12:30:15.5+01:00"'
            )
        )

        assert found.original == Moment(datetime(1985, 7, 4, 12, 30, 15, 500_000), 60)
        assert found.digitised == Moment(datetime(2019, 1, 1, 10), 0)

    @pytest.mark.parametrize(
        ("latitude", "longitude", "position"),
        [
            ("38,43.2N", "9,8.4W", (38.72, -9.14)),
            ("38,43,12N", "9,8,24W", (38.72, -9.14)),
            ("33,51.4S", "151,12.9E", (-33.8566667, 151.215)),
            ("38.72N", "9.14W", (38.72, -9.14)),
            ("0,0.0N", "0,0.0E", (None, None)),
            ("91,0N", "9,0W", (None, None)),
            ("38,43.2N", "", (None, None)),
            ("38,43.2W", "9,8.4N", (None, None)),
        ],
    )
    def test_positions(self, latitude: str, longitude: str, position: tuple[float | None, float | None]) -> None:
        found = read_xmp(packet(attributes=f'exif:GPSLatitude="{latitude}" exif:GPSLongitude="{longitude}"'))

        assert (found.latitude, found.longitude) == position

    @pytest.mark.parametrize(
        ("altitude", "ref", "metres"), [("1234/10", "0", 123.4), ("5/1", "1", -5), ("5/0", "0", None)]
    )
    def test_heights(self, altitude: str, ref: str, metres: float | None) -> None:
        found = read_xmp(packet(attributes=f'exif:GPSAltitude="{altitude}" exif:GPSAltitudeRef="{ref}"'))

        assert found.altitude == metres

    def test_camera_and_lens(self) -> None:
        found = read_xmp(packet(attributes='tiff:Make="Canon" tiff:Model="Canon EOS R" aux:Lens="RF 50mm"'))

        assert (found.camera, found.lens) == ("Canon EOS R", "RF 50mm")


class TestHostile:
    def test_an_entity_bomb_is_refused(self) -> None:
        entities = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9))
        bomb = f'<!DOCTYPE x [<!ENTITY e0 "ha">{entities}]><x>&e9;</x>'

        with pytest.raises(XmpError, match="entities"):
            read_xmp(bomb.encode())

    def test_another_file_is_not_read(self) -> None:
        with pytest.raises(XmpError, match="entities"):
            read_xmp(b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>')

    @pytest.mark.parametrize(
        "broken",
        [b"", b"no xml", b"<x>", described("A boat")[:-80],
         b'<?xml version="1.0" encoding="nonsense-8"?><x/>', b"\xff\xfe<\0x\0"],
    )  # fmt: skip
    def test_what_is_no_whole_xml_is_said_so_in_one_line(self, broken: bytes) -> None:
        with pytest.raises(XmpError, match=r"^it is no whole XML[^\n]*$"):
            read_xmp(broken)

    def test_more_than_anybody_writes_is_not_parsed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(xmp, "MOST_BYTES", 2_000_000)

        with pytest.raises(XmpError, match="more than 2 MB"):
            read_xmp(described("x" * 2_000_000))

    def test_a_very_deep_document_is_survived(self) -> None:
        depth = 100_000

        assert read_xmp(b"<a>" * depth + b"</a>" * depth).caption is None

    def test_other_encodings_that_xml_names_are_read(self) -> None:
        text = described("Praia da Ursa, manhã").decode().split("?>", 1)[1].rsplit("<?", 1)[0]

        assert read_xmp(text.encode("utf-16")).caption == "Praia da Ursa, manhã"
