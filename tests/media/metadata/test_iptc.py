"""IPTC-IIM: what Pillow finds in a JPEG, in the character sets that programs used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image

from photoindex.media.metadata.blocks import find_blocks
from photoindex.media.metadata.dates import Moment
from photoindex.media.metadata.fields import Fields, first_of
from photoindex.media.metadata.iptc import read_iptc
from tests.media.metadata.samples import iptc, photo, with_iptc

CAPTION, KEYWORDS, TITLE, CHARSET = (2, 120), (2, 25), (2, 5), (1, 90)


def read(path: Path, records: Mapping[tuple[int, int], bytes | Sequence[bytes]]) -> Fields:
    with_iptc(photo(path / "photo.jpg"), iptc(records))
    with Image.open(path / "photo.jpg") as image:
        return record_of(image)


def record_of(image: Image.Image) -> Fields:
    return first_of([read_iptc(block) for block in find_blocks(image).iptc])


def test_words_date_and_place(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        {
            TITLE: b"Harvest", KEYWORDS: [b"wheat", b"tractor"], (2, 55): b"20020916", (2, 60): b"101500+0100",
            (2, 90): b"Alnwick", (2, 92): b"Castle", (2, 95): b"Northumberland", (2, 101): b"United Kingdom",
            CAPTION: b"A tractor on a field",
        },
    )  # fmt: skip

    assert found == Fields(
        taken_dates=(Moment(datetime(2002, 9, 16, 10, 15), 60),),
        title="Harvest",
        caption="A tractor on a field",
        keywords=("wheat", "tractor"),
        location="Castle",
        city="Alnwick",
        region="Northumberland",
        country="United Kingdom",
    )


@pytest.mark.parametrize(
    ("charset", "text"),
    [(b"\x1b%G", "manhã".encode()), (None, "manhã".encode()), (None, "manhã".encode("cp1252")),
     (b"\x1b.A", "manhã".encode("latin-1"))],
)  # fmt: skip
def test_the_character_set_is_told_or_guessed(tmp_path: Path, charset: bytes | None, text: bytes) -> None:
    assert read(tmp_path, {**({CHARSET: charset} if charset else {}), CAPTION: text}).caption == "manhã"


@pytest.mark.parametrize("charset", [b"\x1b%G", None])
@pytest.mark.parametrize("limit", [32, 33, 34, 63, 64, 65])
@pytest.mark.parametrize(
    "text", ["Москва и Санкт-Петербург летом и осенью", "京都の紅葉と寺院と庭園と秋の夕暮れの写真です", "größte Ü" * 9]
)
def test_text_that_is_cut_off_at_the_limit_loses_a_part_of_a_letter_alone(
    tmp_path: Path, charset: bytes | None, limit: int, text: str
) -> None:
    part = text.encode()[:limit]
    found = read(tmp_path, {**({CHARSET: charset} if charset else {}), KEYWORDS: part, CAPTION: part, (2, 90): part})

    whole = part.decode(errors="ignore").strip()
    assert (found.keywords, found.caption, found.city) == ((whole,), whole, whole)


def test_text_that_is_not_what_it_is_said_to_be_costs_only_its_letters(tmp_path: Path) -> None:
    found = read(tmp_path, {CHARSET: b"\x1b%G", CAPTION: b"manh\xe3", KEYWORDS: b"praia"})

    assert (found.caption, found.keywords) == ("manh\ufffd", ("praia",))


def test_a_photo_without_a_record_or_with_a_broken_one_says_nothing(tmp_path: Path) -> None:
    with Image.open(photo(tmp_path / "photo.png")) as image:
        assert record_of(image) == Fields()
    with_iptc(photo(tmp_path / "broken.jpg"), b"\x1c\x02\x78\xff\xff too short")
    with Image.open(tmp_path / "broken.jpg") as image:
        assert record_of(image) == Fields()
