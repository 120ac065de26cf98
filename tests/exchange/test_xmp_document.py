"""The words of a sidecar are read in every form, changed in place, and nothing else of it is."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from photoindex.errors import ExchangeError
from photoindex.exchange.xmp_document import Mark, XmpDocument, level
from photoindex.media.metadata.namespaces import DC, PHOTOINDEX, RDF
from photoindex.media.metadata.xmp import read_xmp
from tests.exchange import samples
from tests.media.metadata.samples import QUALIFIED, packet

WHEN = datetime(2024, 5, 1, 12, 30, 15, 123456, timezone.utc)
WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn", "Zl", "Zp"]), min_size=1).filter(
    lambda text: text == level(text) != "" and "\ufffe" not in text and "\uffff" not in text
)
PATH = Path("a.jpg.xmp")


def parse(data: bytes) -> XmpDocument:
    return XmpDocument.parse(data, PATH)


def skeleton(data: bytes) -> set[str]:
    """All there is in a sidecar but for the description, the subjects and our own: names with attributes and texts."""
    found = set()
    for element in etree.fromstring(data).getroottree().iter():
        if not isinstance(element.tag, str):
            found.add(f"{type(element).__name__} {element.text}")
            continue
        chain = [element.tag, *(above.tag for above in element.iterancestors())]
        if any(str(tag).startswith((f"{{{DC}}}", f"{{{PHOTOINDEX}}}")) for tag in chain):
            continue
        attributes = {
            name: value
            for name, value in element.attrib.items()
            if not str(name).startswith((f"{{{PHOTOINDEX}}}", f"{{{DC}}}"))
        }
        found.add(f"{element.prefix}:{element.tag} {sorted(attributes.items())} {(element.text or '').strip()}")
    return found


class TestReading:
    def test_the_default_language_speaks_and_subjects_keep_their_order(self) -> None:
        sidecar = parse(samples.LIGHTROOM)
        assert sidecar.caption == "Our holiday"
        assert sidecar.tags == ["beach", "Portugal"]
        assert sidecar.mark == Mark()

    def test_forms_that_are_not_as_they_should_be_are_understood(self) -> None:
        assert parse(samples.PLAIN).caption == "A caf\u00e9 & more"
        assert parse(samples.PLAIN).tags == ["alone"]

    def test_without_a_default_another_language_speaks(self) -> None:
        data = samples.LIGHTROOM.replace(b'<rdf:li xml:lang="x-default">Our holiday</rdf:li>', b"")
        assert parse(data).caption == "Unser Urlaub"

    def test_other_encodings_are_read(self) -> None:
        text = samples.LIGHTROOM.decode().replace("Our holiday", "Unser Caf\u00e9")
        assert parse(text.encode("utf-16")).caption == "Unser Caf\u00e9"
        assert parse(b"\xef\xbb\xbf" + text.encode()).caption == "Unser Caf\u00e9"

    @pytest.mark.parametrize("data", [b"", b" \n", b"\0\0"])
    def test_an_empty_file_is_a_new_sidecar(self, data: bytes) -> None:
        assert parse(data).caption is None

    @pytest.mark.parametrize(
        "data",
        [
            b"\xff\xd8\xff\xe0 a photo under another name",
            b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>",
            b"<html/>",
            b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + samples.LIGHTROOM,
            b"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>" + samples.LIGHTROOM.replace(b"beach", b"&a;"),
            samples.LIGHTROOM[:700],
            "caf\u00e9".encode("latin-1") + samples.LIGHTROOM,
        ],
    )
    def test_what_is_no_sidecar_is_refused_on_one_line(self, data: bytes) -> None:
        with pytest.raises(ExchangeError, match=r"a\.jpg\.xmp") as caught:
            parse(data)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", samples.ALL)
class TestWriting:
    def test_a_caption_tags_and_the_mark_are_read_back(self, name: str) -> None:
        sidecar = parse(samples.ALL[name])
        before = sidecar.tags
        mark = Mark("Minka <on> the 'sofa'", "model", "lite2-0123", WHEN, ("Minka",), WHEN)
        sidecar.set_caption(mark.caption)
        sidecar.change_tags(["Minka", "R&D"], [])
        sidecar.set_mark(mark)
        again = parse(sidecar.to_bytes())
        assert (again.caption, again.tags, again.mark) == (mark.caption, [*before, "Minka", "R&D"], mark)
        assert again.caption_is_machine_made

    def test_nothing_else_changes(self, name: str) -> None:
        sidecar = parse(samples.ALL[name])
        sidecar.set_caption("Minka")
        sidecar.change_tags(["Minka"], [])
        sidecar.set_mark(Mark("Minka", "user", None, WHEN, ("Minka",), WHEN))
        assert skeleton(samples.ALL[name]) <= skeleton(sidecar.to_bytes())
        added = skeleton(sidecar.to_bytes()) - skeleton(samples.ALL[name])
        assert len(added) <= 1  # the description that holds the mark, where no other looks like it
        assert all(f"{{{RDF}}}Description" in each for each in added)

    def test_what_was_written_can_be_taken_away_again(self, name: str) -> None:
        original = parse(samples.ALL[name])
        sidecar = parse(samples.ALL[name])
        sidecar.change_tags(["Minka"], [])
        sidecar.set_mark(Mark(tags=("Minka",), written_at=WHEN))
        sidecar = parse(sidecar.to_bytes())
        sidecar.change_tags([], ["Minka"])
        sidecar.set_mark(Mark())
        assert sidecar.tags == original.tags
        assert skeleton(sidecar.to_bytes()) == skeleton(samples.ALL[name])

    def test_writing_the_mark_twice_leaves_one(self, name: str) -> None:
        sidecar = parse(samples.ALL[name])
        for _ in range(2):
            sidecar.set_mark(Mark("x", "user", None, WHEN, ("Minka",), WHEN))
        assert sidecar.to_bytes().count(b"photoindex:captionSource") == 1
        assert sidecar.to_bytes().count(b"<photoindex:tags") == 1


def test_wrappers_declarations_and_comments_stay() -> None:
    for data, piece in (
        (samples.PLAIN, b"<?xpacket end="),
        (samples.PLAIN, b"<?xpacket begin="),
        (samples.DARKTABLE, b"<!-- written by another program -->"),
        (samples.DARKTABLE, b"<?xml version="),
    ):
        sidecar = parse(data)
        sidecar.set_caption("Minka")
        assert piece in sidecar.to_bytes()


def test_other_languages_stay_when_the_default_goes_or_changes() -> None:
    sidecar = parse(samples.LIGHTROOM)
    sidecar.set_caption("Minka")
    assert b">Unser Urlaub<" in sidecar.to_bytes()
    assert sidecar.caption == "Minka"
    sidecar.set_caption(None)
    assert sidecar.caption == "Unser Urlaub"


def test_a_new_sidecar_is_what_other_programs_expect() -> None:
    sidecar = XmpDocument.new()
    sidecar.set_caption("Minka")
    sidecar.change_tags(["cat"], [])
    root = etree.fromstring(sidecar.to_bytes())
    assert root.tag == "{adobe:ns:meta/}xmpmeta"
    names = {"rdf": RDF, "dc": DC}
    (item,) = root.xpath("rdf:RDF/rdf:Description[@rdf:about='']/dc:description/rdf:Alt/rdf:li", namespaces=names)
    assert (item.text, item.get("{http://www.w3.org/XML/1998/namespace}lang")) == ("Minka", "x-default")
    (item,) = root.xpath("rdf:RDF/rdf:Description/dc:subject/rdf:Bag/rdf:li", namespaces=names)
    assert item.text == "cat"


@pytest.mark.parametrize("form", QUALIFIED)
@pytest.mark.parametrize("lists", [True, False])
def test_what_a_program_says_about_a_value_stays_when_it_changes(form: str, lists: bool) -> None:
    item = f"<rdf:li{form}</rdf:li>".replace("VALUE", "old")
    alt, bag = (f"<rdf:{kind}>{item}</rdf:{kind}>" for kind in ("Alt", "Bag"))
    plain = form.replace("VALUE", "old")
    body = f"<xmp:Rating{form.replace('VALUE', '2')}</xmp:Rating>"
    body += f"<dc:description>{alt}</dc:description>" if lists else f"<dc:description{plain}</dc:description>"
    body += f"<dc:subject>{bag}</dc:subject>" if lists else f"<dc:subject{plain}</dc:subject>"
    sidecar = parse(packet(body))
    assert (sidecar.caption, sidecar.tags, sidecar.rating) == ("old", ["old"], 2)

    sidecar.set_caption("Minka")
    sidecar.change_tags(["cat"], [])
    sidecar.set_rating(4)

    data = sidecar.to_bytes()
    again, found = parse(data), read_xmp(data)
    assert (again.caption, again.tags, again.rating) == ("Minka", ["old", "cat"], 4)
    assert (found.caption, found.keywords, found.rating) == ("Minka", ("old", "cat"), 4)
    assert data.count(b"Flash") == packet(body).count(b"Flash")
    for structure in etree.fromstring(data).iter():  # RDF allows no text beside the parts of a structure
        if structure.get(f"{{{RDF}}}parseType") or structure.tag == f"{{{RDF}}}Description":
            assert not (structure.text or "").strip()
    sidecar.change_tags([], ["old"])
    assert sidecar.tags == ["cat"]


@given(caption=WORDS, tags=st.lists(WORDS, unique=True, max_size=4))
def test_any_words_survive(caption: str, tags: list[str]) -> None:
    sidecar = XmpDocument.new()
    sidecar.set_caption(caption)
    sidecar.change_tags(tags, [])
    sidecar.set_mark(Mark(caption, "user", None, WHEN, tuple(tags), WHEN))
    again = parse(sidecar.to_bytes())
    assert (again.caption, again.tags) == (caption, tags)
    assert again.mark == Mark(caption, "user", None, WHEN, tuple(tags), WHEN)
