"""Phrases go on across words that the index has in parts, however such a word is written, and meet nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from photoindex.search import FullText
from photoindex.search.fulltext.document import Document, document_of
from photoindex.types import PhotoFacts
from tests.search.test_as_typed import photo

MIXED = (
    "McDonald", "b12", "B12", "2nd", "H₂O", "USB-C", "R2D2", "R2-D2", "4K", "covid19", "iPhone", "DSC-RX100M7", "50mm",
    "f/1.8", "F1.8", "18-55mm", "A7III", "BeachTrip2019", "MyTrip2019", "x-ray", "T-shirt", "IMG_0042", "2019-07-04",
    "d'Orsay", "O'Brien's", "U.S.A.", "Café2019", "ÉtéÀParis", "Отпуск2019", "state-of-the-art", "3D-printed", "mp3",
)  # fmt: skip


def found(index: FullText, query: str) -> list[int]:
    return sorted(match.photo_id for match in index.search(query, None))


@pytest.mark.parametrize("field", ["", "caption:"])
@pytest.mark.parametrize("word", MIXED)
def test_a_caption_is_found_by_each_of_its_phrases(index: FullText, word: str, field: str) -> None:
    captions = [f"old {word} farm {word} seen today", f"old farm {word} green seen"]
    index.rebuild([Document(number, caption) for number, caption in enumerate(captions)])
    for number, caption in enumerate(captions):
        typed = caption.split()
        for start in range(len(typed) - 1):
            for end in range(start + 2, len(typed) + 1):
                assert number in found(index, f'{field}"{" ".join(typed[start:end])}"'), typed[start:end]
    for query in (f"old {word} seen", f"farm {word} old", f"{word} farm green"):
        assert found(index, f'{field}"{query}"') == [], query


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        ("old mcdonald farm", "old McDonald farm"), ("old MCDONALD farm", "old McDonald farm"),
        ("old McDonald farm", "old mcdonald farm"), ("gate B12 seen", "gate b12 seen"),
        ("gate b12 seen", "gate B-12 seen"), ("gate B-12 seen", "gate b12 seen"),
        ("green h2o house", "green H₂O house"),
        ("green H₂O house", "green H2O house"), ("blue usbc cable", "blue USB-C cable"),
        ("blue USB-C cable", "blue usbc cable"), ("old xray picture", "old x-ray picture"),
        ("old x-ray picture", "old xray picture"), ("old x ray picture", "old x-ray picture"),
        ("trip 20190704 lisbon", "trip 2019-07-04 lisbon"), ("trip 2019-07-04 lisbon", "trip 20190704 lisbon"),
        ("droid r2d2 rolls", "droid R2-D2 rolls"), ("lens 50mm sharp", "lens 50 mm sharp"),
        ("the iphone 14 pro", "the iPhone 14 Pro"), ("near orsay museum", "near d'Orsay museum"),
        ("photo oldbigtrip here", "photo OldBigTrip here"), ("photo mybigtrip here", "photo MyBigTrip here"),
        ("photo mytrip here", "photo MyTrip here"), ("photo daybythesea here", "photo DayByTheSea here"),
        ("photo oldbigtrip2019 here", "photo OldBigTrip2019 here"), ("a bigredboatday here", "a BigRedBoatDay here"),
        ("photo bigtrip201907 here", "photo BigTrip-2019-07 here"), ("photo étéàparis here", "photo ÉtéÀParis here"),
        ("camera d3x100m7 here", "camera D3X100M7 here"), ("photo mayflower here", "photo MayFlower here"),
    ],
)  # fmt: skip
def test_a_word_that_is_joined_otherwise(index: FullText, asked: str, written: str) -> None:
    index.rebuild([Document(1, f"see {written} today"), Document(2, "a dog")])
    for field in ("", "caption:"):
        assert found(index, f'{field}"{asked}"') == [1]
        assert found(index, f'{field}"see {asked} today"') == [1]


CAMERAS = ("Canon EOS 5D Mark II", "Canon EOS 5D", "Canon EOS R", "SONY DSC-RX100M7", "Apple iPhone 14 Pro Max",
           "NIKON D3S", "FUJIFILM X-T30 II", "Panasonic DMC-GX9")  # fmt: skip
LENSES = ("EF 50mm f/1.8 STM", "EF 50mm f/1.4 USM", "EF-S18-55mm f/3.5-5.6 IS", "RF24-105mm F4 L IS USM",
          "iPhone 14 Pro Max back triple camera 6.86mm f/1.78", "AF-S DX 35mm f/1.8G")  # fmt: skip


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('camera:"Canon EOS 5D Mark II"', [0]), ('camera:"canon eos 5d mark ii"', [0]),
        ('camera:"Canon EOS 5D"', [0, 1]),
        ('camera:"EOS 5D Mark"', [0]), ('"EOS 5D Mark II"', [0]), ('camera:"SONY DSC-RX100M7"', [3]),
        ('camera:"sony dsc rx100m7"', [3]), ('camera:"Apple iPhone 14 Pro Max"', [4]),
        ('camera:"iPhone 14 Pro Max"', [4]),
        ('camera:"FUJIFILM X-T30 II"', [6]), ('camera:"X-T30 II"', [6]), ('camera:"Canon EOS Mark II"', []),
        ('camera:"Panasonic DMC-GX9"', [7]), ('camera:"5D II"', []),
        ('lens:"EF 50mm f/1.8"', [0]), ('lens:"EF 50mm f/1.8 STM"', [0]), ('lens:"EF 50mm"', [0, 1]),
        ('lens:"EF STM"', []), ('lens:"EF-S18-55mm f/3.5-5.6 IS"', [2]), ('lens:"RF24-105mm F4 L IS USM"', [3]),
        ('lens:"Pro Max back triple camera 6.86mm f/1.78"', [4]), ('lens:"DX 35mm f/1.8G"', [5]),
        ('lens:"50mm f/1.4 USM"', [1]), ('lens:"24-105mm F4 L"', [3]),
    ],
)  # fmt: skip
def test_cameras_and_lenses(index: FullText, query: str, expected: list[int]) -> None:
    photos = [
        photo(number, "grass", facts=PhotoFacts("JPEG", 4, 3, camera=camera, lens=lens))
        for number, (camera, lens) in enumerate(zip(CAMERAS, (*LENSES, None, None), strict=True))
    ]
    index.rebuild([document_of(each, [Path("/photos")]) for each in photos])
    assert found(index, query) == expected


def test_a_phrase_does_not_go_on_over_a_repeated_word(index: FullText) -> None:
    index.rebuild(
        [Document(1, "a big dog and dog run"), Document(2, "a phone 14 of mine"), Document(3, "海滩滩上的狗")]
    )
    for query in ('"big dog run"', '"iPhone 14 of mine"', '"海滩上"'):
        assert found(index, query) == [], query


def test_a_match_and_its_marks_name_the_word_as_it_was_typed(index: FullText) -> None:
    from photoindex.search.ranking.highlight import marked

    index.rebuild([Document(1, "old McDonald farm at gate b12 seen today")])
    for query, words in [
        ('caption:"old McDonald farm"', ["old", "mcdonald", "farm"]),
        ('caption:"old mcdonald farm"', ["old", "mcdonald", "farm"]),
        ('caption:"gate b12 seen"', ["gate", "b12", "seen"]),
    ]:
        [match] = index.search(query, None)
        assert [reason.word for reason in match.matched] == words
        shown = [piece for piece, mark in marked("old McDonald farm at gate b12 seen", words) if mark]
        assert [each.lower() for each in shown] == words


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["dog", "b12", "McDonald", "x-ray", "H₂O", "R2D2", "cat", "BeachTrip2019"]), min_size=2,
                max_size=5), st.data())  # fmt: skip
def test_any_part_of_a_text_is_a_phrase_of_it(index: FullText, text: list[str], data: st.DataObject) -> None:
    index.rebuild([Document(1, " ".join(text))])
    start = data.draw(st.integers(0, len(text) - 2))
    end = data.draw(st.integers(start + 2, len(text)))
    assert found(index, f'caption:"{" ".join(text[start:end])}"') == [1]
