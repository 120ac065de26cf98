"""Which texts a person meant, and which a camera or a program filled in."""

from __future__ import annotations

import pytest

from photoindex.media.metadata.cleaning import meant, one_line


@pytest.mark.parametrize(
    "text",
    [
        "File written by Adobe Photoshop® 4.0",
        "File written by Adobe Photoshop¨ 5.2",
        "Created with GIMP",
        "Created with The GIMP",
        "Created using ImageMagick 7",
        "Processed with VSCO with a5 preset",
        "Processed with Snapseed.",
        "Edited with Paint.NET 4.3",
        "Edited in Lightroom",
        "Made with Google Photos",
        "Shot on OnePlus",
        "Shot on iPhone",
        "Captured by iPhone 12",
        "Taken with Samsung Galaxy S9",
        "Optimized by JPEGmini 3.9.20.0L Internal 0x8a3f",
        "CREATOR: gd-jpeg v1.0 (using IJG JPEG v62), quality = 90",
        "LEAD Technologies Inc. V1.01",
        "ACD Systems Digital Imaging",
        "Intel(R) JPEG Library, version 1,5,4,36",
        "Adobe Photoshop CS6 (Windows)",
        "GIMP 2.10",
        "OLYMPUS DIGITAL CAMERA",
        "MEDION DIGITAL CAMERA",
        "KODAK Digital Still Camera",
        "SONY DSC",
        "My beautiful picture",
        "Exif_JPEG_PICTURE",
        "Untitled",
        "User comments",
        "DSC00019",
        "P1010001.JPG",
        "samsung camera pictures",
    ],
)
def test_what_cameras_and_programs_fill_in_is_nobodys_word(text: str) -> None:
    assert meant(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Made by Grandma for the fair",
        "Made with love",
        "Taken by Anna in Sony Center",
        "Taken from Canon Hill",
        "Written by hand on the wall",
        "Edited by the committee",
        "A painting created by Gerhard Richter",
        "The digital camera that I bought",
        "Shot in the dark",
        "Created in 1950",
        "Scanned by my brother",
        "GIMP meeting in Berlin",
        "Photoshop class of 2019",
        "Processed cheese",
    ],
)
def test_what_a_person_may_have_written_is_kept(text: str) -> None:
    assert meant(text) == text


@pytest.mark.parametrize(
    ("text", "make", "model"),
    [
        ("Mark", "Canon", "Canon EOS 5D Mark II"),
        ("Rebel", "Canon", "Canon EOS Rebel T3i"),
        ("Alpha", "SONY", "Alpha 7"),
        ("Nova", "HUAWEI", "HUAWEI nova 5T"),
        ("Hero", "GoPro", "HERO9 Black"),
        ("Note", "samsung", "Galaxy Note 10"),
        ("Star", "samsung", "Star 3 Duos"),
        ("IX", "Canon", "Canon DIGITAL IXUS"),
        ("on", "Canon", None),
    ],
)
def test_a_word_in_the_name_of_a_camera_is_a_persons(text: str, make: str, model: str | None) -> None:
    assert meant(text, make, model) == text


@pytest.mark.parametrize("text", ["NIKON", "nikon corporation", "Nikon D70", "NIKON CORPORATION NIKON D70"])
def test_the_name_of_the_camera_is_nobodys_word(text: str) -> None:
    assert meant(text, "NIKON CORPORATION", "NIKON D70") is None


@pytest.mark.parametrize("text", ["1826", "1984", "2001", "2024"])
def test_a_year_is_a_persons_word(text: str) -> None:
    assert meant(text) == text


@pytest.mark.parametrize("text", ["0042", "1825", "9999", "12345", "IMG_2001"])
def test_the_number_of_a_photo_is_nobodys_word(text: str) -> None:
    assert meant(text) is None


@pytest.mark.parametrize("text", ["❤️", "🇵🇹", "★★★", "☀", "👍🏽", "‼️", "♥ ♥", "→ ☕", "2️⃣"])
def test_pictures_are_words(text: str) -> None:
    assert one_line(text) == text
    assert one_line(text.encode()) == text


@pytest.mark.parametrize("text", ["", "  ", "---", "...", "?!", "«»", "^", "\u00a8", "\ufffd\ufffd", "_", "\0"])
def test_blanks_and_punctuation_are_no_words(text: str) -> None:
    assert one_line(text) is None


@pytest.mark.parametrize("text", ["Москва и Санкт-Петербург", "京都の紅葉と寺院", "größere Überraschung", "é🐈🐕🐈"])
@pytest.mark.parametrize("behind", [b"", b"\0\0", b"  ", b"\0left over"])
def test_bytes_that_are_cut_off_within_a_letter_lose_that_alone(text: str, behind: bytes) -> None:
    data = text.encode()
    first = next(place for place, letter in enumerate(text) if not letter.isascii())  # before it nothing tells them
    for cut in range(len(text[: first + 1].encode()), len(data)):
        whole = data[:cut].decode(errors="ignore")
        assert one_line(data[:cut] + behind) == whole.strip()


@pytest.mark.parametrize(
    ("value", "text"),
    [(b"manh\xe3", "manhã"), ("manhã".encode(), "manhã"), (b"\x96 sale \x96", "– sale –"), (b"a\0left over", "a"),
     (b"----", None)],
)  # fmt: skip
def test_bytes_are_utf_8_or_windows_western_set(value: bytes, text: str | None) -> None:
    found = one_line(value)

    assert found == text
