"""Which characters of a text can be seen, and which are written as escapes."""

from __future__ import annotations

import pytest

from photoindex.system.terminal import visible
from photoindex.system.units import counted, human_size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred", r"\x1b[31mred"), ("a\nb\r\tc", r"a\nb\r\tc"), ("\x07\x08\x00", r"\x07\x08\x00"),
        ("\x9b2J", r"\x9b2J"), ("gpj\u202egpj.exe", r"gpj\u202egpj.exe"), ("\u2066x\u2069", r"\u2066x\u2069"),
        ("\u061c\u200e\u200f", r"\u061c\u200e\u200f"), ("a\u200bb", r"a\u200bb"), ("\ufeffa", r"\ufeffa"),
        ("a\u200db", r"a\u200db"), ("\u200c", r"\u200c"), ("a\u00adb", r"a\xadb"), ("\u2028\u2029", r"\u2028\u2029"),
        ("caf\udce9", r"caf\xe9"), ("\ud83d", r"\ud83d"), ("\u3164\u2800", r"\u3164\u2800"),
        ("\U000e0041", r"\U000e0041"), ("\u2060", r"\u2060"),
    ],
)  # fmt: skip
def test_what_cannot_be_seen_is_an_escape(text: str, expected: str) -> None:
    assert visible(text) == expected


@pytest.mark.parametrize(
    "text",
    ["plain", "Zürich – 東京 ☃", "مرحبا", "👩\u200d👩\u200d👧", "❤\ufe0f\u200d🔥", "می\u200cخواهم", "क्\u200dष",
     "e\u0301", "a\u00a0b", "a\u3000b", "\\x1b"],
)  # fmt: skip
def test_what_can_be_seen_stays(text: str) -> None:
    assert visible(text) == text


def test_counts_agree_with_their_nouns() -> None:
    assert [counted(0, "photo"), counted(1, "photo"), counted(2_000, "photo")] == [
        "0 photos",
        "1 photo",
        "2,000 photos",
    ]
    assert (counted(1, "match", "matches"), counted(2, "match", "matches")) == ("1 match", "2 matches")
    assert (human_size(1), human_size(0)) == ("1 byte", "0 bytes")
