"""XMP as programs write it, and as nobody should."""

from __future__ import annotations

from datetime import datetime
from xml.sax.saxutils import quoteattr

import pytest

from photoindex.media.metadata import xmp
from photoindex.media.metadata.dates import Moment
from photoindex.media.metadata.xmp import XmpError, read_xmp
from tests.media.metadata.samples import QUALIFIED, alt, bag, described, packet


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

    @pytest.mark.parametrize("form", QUALIFIED)
    def test_what_a_program_says_about_a_value_is_no_part_of_it(self, form: str) -> None:
        items = "".join(f"<rdf:li{form.replace('VALUE', text)}</rdf:li>" for text in ("A boat", "Un bateau"))
        body = f"<dc:description><rdf:Alt>{items}</rdf:Alt></dc:description><dc:subject><rdf:Bag>{items}</rdf:Bag>"
        body += f"</dc:subject><xmp:Rating{form.replace('VALUE', '4')}</xmp:Rating>"
        body += f"<photoshop:City{form.replace('VALUE', 'Porto')}</photoshop:City>"

        found = read_xmp(packet(body))

        assert (found.caption, found.keywords, found.rating) == ("A boat", ("A boat", "Un bateau"), 4)
        assert found.city == "Porto"

    @pytest.mark.parametrize("form", QUALIFIED)
    def test_the_name_of_a_face_may_have_something_said_about_it(self, form: str) -> None:
        name = f"<mwg-rs:Name{form.replace('VALUE', 'Anna')}</mwg-rs:Name>"
        region = f"<rdf:Bag><rdf:li rdf:parseType='Resource'>{name}</rdf:li></rdf:Bag>"

        found = read_xmp(packet(f"<mwg-rs:Regions><mwg-rs:RegionList>{region}</mwg-rs:RegionList></mwg-rs:Regions>"))

        assert found.people == ("Anna",)

    @pytest.mark.parametrize(
        ("body", "caption"),
        [
            (alt("tiff:ImageDescription", x_default="A boat"), "A boat"),
            ("<tiff:ImageDescription>A boat</tiff:ImageDescription>", "A boat"),
            (alt("tiff:ImageDescription", x_default="A boat") + alt("dc:description", x_default="A ship"), "A ship"),
            (alt("tiff:ImageDescription", x_default="A boat") + "<acdsee:caption>A ship</acdsee:caption>", "A ship"),
            ("<tiff:ImageDescription>OLYMPUS DIGITAL CAMERA</tiff:ImageDescription>", None),
        ],
    )
    def test_a_copy_of_exifs_description_counts_where_there_is_no_other(self, body: str, caption: str | None) -> None:
        assert read_xmp(packet(body)).caption == caption

    @pytest.mark.parametrize(
        ("subjects", "hierarchies", "keywords"),
        [
            (["darktable", "format", "jpg"], ["darktable|format|jpg"], ()),
            (["changed", "Darktable", "format", "NEF"], ["Darktable|changed", "darktable|format|nef"], ()),
            (["cat", "format", "jpg"], ["darktable|format|jpg", "Animals|cat"], ("cat", "Animals")),
            (["format", "jpg"], ["darktable|format|jpg", "Words|Format"], ("format", "Words")),
            (["darktable|format|orf", "wedding"], [], ("wedding",)),
            (["darktable", "format"], [], ("darktable", "format")),
            (["darktable"], ["darktable", "Programs|darktable"], ("darktable", "Programs")),
        ],
    )
    @pytest.mark.parametrize(
        ("name", "joint"),
        [("lr:hierarchicalSubject", "|"), ("digiKam:TagsList", "/"), ("MicrosoftPhoto:LastKeywordXMP", "/")],
    )
    def test_keywords_in_which_darktable_keeps_its_books_are_nobodys(
        self, name: str, joint: str, subjects: list[str], hierarchies: list[str], keywords: tuple[str, ...]
    ) -> None:
        paths = [path.replace("|", joint) for path in hierarchies]

        assert read_xmp(packet(bag("dc:subject", *subjects) + bag(name, *paths))).keywords == keywords

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

    @pytest.mark.parametrize("name", ["PersonInImageWDetails", "ImageRegion"])
    def test_people_with_details(self, name: str) -> None:
        person = alt("Iptc4xmpExt:PersonName", fr="Anne", x_default="Ana")
        inside = person if name == "PersonInImageWDetails" else bag("Iptc4xmpExt:PersonInImage", "Ana", "Rui")
        item = f'<rdf:li rdf:parseType="Resource">{inside}</rdf:li>'
        body = f"<Iptc4xmpExt:{name}><rdf:Bag>{item}</rdf:Bag></Iptc4xmpExt:{name}>"

        assert read_xmp(packet(body)).people == (("Ana",) if name == "PersonInImageWDetails" else ("Ana", "Rui"))


class TestPlaces:
    def place(self, name: str, city: str, attributes: str = "") -> bytes:
        parts = f'Iptc4xmpExt:City="{city}" Iptc4xmpExt:ProvinceState="Norte"'
        inside = f"<rdf:li><rdf:Description {parts}><Iptc4xmpExt:CountryName>Portugal</Iptc4xmpExt:CountryName>"
        inside += "<Iptc4xmpExt:Sublocation>Ribeira</Iptc4xmpExt:Sublocation></rdf:Description></rdf:li>"
        return packet(f"<Iptc4xmpExt:{name}><rdf:Bag>{inside}</rdf:Bag></Iptc4xmpExt:{name}>", attributes)

    @pytest.mark.parametrize("name", ["LocationCreated", "LocationShown"])
    def test_structures(self, name: str) -> None:
        found = read_xmp(self.place(name, "Porto"))

        assert (found.location, found.city, found.region, found.country) == ("Ribeira", "Porto", "Norte", "Portugal")

    def test_the_plain_properties_come_first(self) -> None:
        found = read_xmp(self.place("LocationShown", "Porto", 'photoshop:City="Lisbon"'))

        assert (found.city, found.country) == ("Lisbon", None)


class TestAcdsee:
    def test_words_and_stars(self) -> None:
        body = bag("acdsee:keywords", "boat", "harbour")
        found = read_xmp(packet(body, 'acdsee:caption="Our boat" acdsee:rating="4"'))

        assert (found.caption, found.keywords, found.rating) == ("Our boat", ("boat", "harbour"), 4)

    def test_the_common_properties_come_first(self) -> None:
        body = alt("dc:description", x_default="A boat")
        found = read_xmp(packet(body, 'acdsee:caption="Our boat" acdsee:rating="4" xmp:Rating="2"'))

        assert (found.caption, found.rating) == ("A boat", 2)


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

        assert found.taken_dates[0] == Moment(datetime(1985, 7, 4, 12, 30, 15, 500_000), 60)
        assert found.digitised_dates[0] == Moment(datetime(2019, 1, 1, 10), 0)

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
        ("latitude", "longitude", "letters", "position"),
        [
            ("44.64", "63.57", ("N", "W"), (44.64, -63.57)),  # Apple Photos
            ("44.64", "63.57", ("North", "West"), (44.64, -63.57)),
            ("44.64", "63.57", ("s", "e"), (-44.64, 63.57)),
            ("44.64", "-63.57", ("", ""), (44.64, -63.57)),
            ("+44.64", "-63.57", ("", ""), (44.64, -63.57)),
            ("-44.64", "-63.57", ("S", "W"), (-44.64, -63.57)),  # said twice
            ("44,38.4", "63,34.2", ("N", "W"), (44.64, -63.57)),
            ("44,38,24", "63,34,12", ("N", "W"), (44.64, -63.57)),
            ("44/1,38/1,24/1", "63/1,34/1,12/1", ("N", "W"), (44.64, -63.57)),
            ("44/1 38/1 24/1", "63/1 34/1 12/1", ("N", "W"), (44.64, -63.57)),
            ("4464/100", "6357/100", ("N", "W"), (44.64, -63.57)),
            ("44 deg 38' 24.00\" N", "63 deg 34' 12.00\" W", ("", ""), (44.64, -63.57)),
            ("44° 38′ 24″ N", "63° 34′ 12″ W", ("", ""), (44.64, -63.57)),
            ("N44.64", "W63.57", ("", ""), (44.64, -63.57)),
            ("N 44,38.4", "W 63,34.2", ("", ""), (44.64, -63.57)),
            ("44,38.4N", "63,34.2W", ("N", "W"), (44.64, -63.57)),
            ("\u221244.64", "63.57", ("", ""), (-44.64, 63.57)),
            ("44.64", "", ("N", "W"), (None, None)),
            ("94.64", "63.57", ("N", "W"), (None, None)),
            ("44,64", "63,57", ("N", "W"), (None, None)),  # 64 minutes
            ("44.64", "63.57", ("W", "N"), (None, None)),
            ("0", "0", ("N", "E"), (None, None)),
            ("nan", "inf", ("N", "E"), (None, None)),
        ],
    )
    @pytest.mark.parametrize("as_attributes", [True, False])
    def test_positions_in_every_writers_style(
        self,
        latitude: str,
        longitude: str,
        letters: tuple[str, str],
        position: tuple[float | None, float | None],
        as_attributes: bool,
    ) -> None:
        values = {"GPSLatitude": latitude, "GPSLongitude": longitude}
        values |= {f"{name}Ref": letter for name, letter in zip(values, letters, strict=True) if letter}
        if as_attributes:
            found = read_xmp(
                packet(attributes=" ".join(f"exif:{name}={quoteattr(text)}" for name, text in values.items()))
            )
        else:
            found = read_xmp(packet("".join(f"<exif:{name}>{text}</exif:{name}>" for name, text in values.items())))

        assert (found.latitude, found.longitude) == position

    @pytest.mark.parametrize(
        ("altitude", "ref", "metres"),
        [
            ("123.4", None, 123.4),
            ("123.4 m", "0", 123.4),
            ("123.4 m Below Sea Level", None, -123.4),
            ("123.4", "Below Sea Level", -123.4),
            ("-12.5", None, -12.5),
            ("-12.5", "1", -12.5),
            ("25/2", "1", -12.5),
            ("high", "0", None),
            ("1e9", "0", None),
            ("999999999", "0", None),
        ],
    )
    def test_heights_in_every_writers_style(self, altitude: str, ref: str | None, metres: float | None) -> None:
        apart = f"<exif:GPSAltitudeRef>{ref}</exif:GPSAltitudeRef>" if ref else ""

        assert read_xmp(packet(f"<exif:GPSAltitude>{altitude}</exif:GPSAltitude>{apart}")).altitude == metres

    def test_parts_of_a_date_that_stand_apart(self) -> None:
        found = read_xmp(
            packet(
                attributes='exif:DateTimeOriginal="1985-07-04T12:30:15" exif:SubSecTimeOriginal="25" '
                'exifEX:OffsetTimeOriginal="+01:00"'
            )
        )

        assert found.taken_dates[0] == Moment(datetime(1985, 7, 4, 12, 30, 15, 250_000), 60)

    @pytest.mark.parametrize(
        ("altitude", "ref", "metres"), [("1234/10", "0", 123.4), ("5/1", "1", -5), ("5/0", "0", None)]
    )
    def test_heights(self, altitude: str, ref: str, metres: float | None) -> None:
        found = read_xmp(packet(attributes=f'exif:GPSAltitude="{altitude}" exif:GPSAltitudeRef="{ref}"'))

        assert found.altitude == metres

    def test_camera_and_lens(self) -> None:
        found = read_xmp(packet(attributes='tiff:Make="Canon" tiff:Model="Canon EOS R" aux:Lens="RF 50mm"'))

        assert (found.camera, found.lens) == ("Canon EOS R", "RF 50mm")


class TestLeftovers:
    """What programs leave around a packet and in it costs nothing."""

    BODY = described("A boat, manhã", "sea").decode().split("?>", 1)[1].rsplit("<?", 1)[0].strip()

    @pytest.mark.parametrize(
        "packet_bytes",
        [
            described("A boat, manhã", "sea") + b'<rdf:li>old</rdf:li></x:xmpmeta><?xpacket end="w"?>',
            described("A boat, manhã", "sea") + b"\0\0\0\x01\x02garbage",
            described("A boat, manhã", "sea") + described("An older one", "old"),
            described("A boat, manhã", "sea") + b" " * 4000,
            b"http://ns.adobe.com/xap/1.0/\0" + described("A boat, manhã", "sea"),
            b"XMP DataXMP" + described("A boat, manhã", "sea"),
            b"\xef\xbb\xbf" + described("A boat, manhã", "sea"),
            b"\n \t" + described("A boat, manhã", "sea"),
            b"some words before " + BODY.encode(),
            BODY.encode("utf-16"),
            BODY.encode("utf-16-le"),
            BODY.encode("utf-16-be"),
            BODY.encode("utf-32"),
            b"\xfe\xff" + BODY.encode("utf-16-be") + b"\0 \0<\0/",
            BODY.encode("utf-16-le") + "<old/>".encode("utf-16-le"),
            BODY.encode("cp1252"),
            b'<?xml version="1.0" encoding="iso-8859-1"?>' + BODY.encode("latin-1") + b"left over",
            BODY.replace("boat,", "boat,\x0b").encode(),
            BODY.replace("boat,", "boat,&#x0;").encode(),
            BODY.replace('xmlns:dc="http://purl.org/dc/elements/1.1/"', "").encode(),
            BODY.replace("<x:xmpmeta", "<x:xapmeta").replace("</x:xmpmeta", "</x:xapmeta").encode() + b"<",
            BODY[BODY.index("<rdf:RDF") : BODY.index("</x:xmpmeta>")].encode() + b"</x:xmpmeta>",
        ],
    )
    def test_the_packet_is_read(self, packet_bytes: bytes) -> None:
        found = read_xmp(packet_bytes)

        assert (found.caption, found.keywords) == ("A boat, manhã", ("sea",))

    def test_a_bare_ampersand_is_one(self) -> None:
        assert read_xmp(self.BODY.replace("boat,", "boat & pier,").encode()).caption == "A boat & pier, manhã"

    def test_entities_behind_a_packet_are_refused_all_the_same(self) -> None:
        with pytest.raises(XmpError):
            read_xmp(b"<!DOCTYPE x [<!ENTITY e 'ha'>]>" + self.BODY.replace("boat", "&e;").encode() + b"<")


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

    @pytest.mark.parametrize("name", ["rdf:li", "rdf:RDF", "dc:subject", "Iptc4xmpExt:PersonName", "mwg-rs:Name"])
    @pytest.mark.parametrize(
        "within", ["dc:subject", "Iptc4xmpExt:PersonInImageWDetails", "mwg-rs:Regions", "lr:hierarchicalSubject"]
    )
    def test_properties_that_are_nested_too_deep_are_refused(self, within: str, name: str) -> None:
        depth = 3_000  # a second, without the limit; a packet of 10 MB would take hours
        deep = f"<{name}>" * depth + "A boat" + f"</{name}>" * depth

        with pytest.raises(XmpError, match="nested too deep"):
            read_xmp(packet(f"<{within}>{deep}</{within}>"))

    def test_properties_may_be_nested_as_deep_as_programs_write_them(self) -> None:
        deep = "<rdf:li><rdf:Bag>" * 100 + "<rdf:li>A boat</rdf:li>" + "</rdf:Bag></rdf:li>" * 100

        assert read_xmp(packet(f"<dc:subject><rdf:Bag>{deep}</rdf:Bag></dc:subject>")).keywords == ("A boat",)

    def test_other_encodings_that_xml_names_are_read(self) -> None:
        text = described("Praia da Ursa, manhã").decode().split("?>", 1)[1].rsplit("<?", 1)[0]

        assert read_xmp(text.encode("utf-16")).caption == "Praia da Ursa, manhã"
