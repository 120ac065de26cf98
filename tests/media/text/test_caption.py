"""A photo that text fills has it as its caption; others do not."""

from photoindex.media.text.caption import LONGEST_QUOTE, caption_of
from photoindex.types import TextLine


def lines(*texts: str, height: int, width: int = 8000, confidence: float = 0.99) -> list[TextLine]:
    return [
        TextLine(text, confidence, (500, top, 500 + width, top, 500 + width, top + height, 500, top + height))
        for text, top in zip(texts, range(500, 10_000, height + 20), strict=False)
    ]


def test_a_few_large_words_are_a_sign() -> None:
    assert caption_of(lines("NO ENTRY", "after nine", height=1200), None) == 'a sign that says "NO ENTRY after nine"'


def test_small_words_on_a_photo_are_no_caption() -> None:
    assert caption_of(lines("NO ENTRY", height=300, width=1500), None) is None
    assert caption_of([], frozenset({"document"})) is None


def test_doubtful_words_are_no_caption() -> None:
    assert caption_of(lines("NO ENTRY", "after nine", height=1200, confidence=0.7), None) is None
    mixed = [*lines("NO ENTRY", height=1500), *lines("xq", height=1500, confidence=0.6)]
    assert caption_of(mixed, None) is None


def test_many_lines_are_a_document() -> None:
    text = [f"line number {n} of a letter" for n in range(12)]
    assert caption_of(lines(*text, height=250), None) == (
        'a document that begins "line number 0 of a letter line number 1 of a letter line number 2 of a letter …"'
    )
    thin = lines(*text, height=100)
    assert caption_of(thin, None) is None
    assert (caption_of(thin, frozenset({"document"})) or "").startswith("a document")


def test_a_receipt_is_known_by_its_words() -> None:
    said = caption_of(lines("BAKERY", "bread 2.20", "Subtotal 2.20", "VAT 0.14", "TOTAL: 2.34", height=400), None)
    assert said == 'a receipt that says "BAKERY bread 2.20 Subtotal 2.20 VAT 0.14 TOTAL: 2.34"'


def test_a_screenshot_is_told_by_its_look() -> None:
    said = caption_of(lines("Settings", "Wi-Fi", height=500), frozenset({"screenshot"}))
    assert said == 'a screenshot that says "Settings Wi-Fi"'


def test_a_caption_holds_only_the_first_words() -> None:
    said = caption_of(lines('say "yes" ' + "o" * 200, height=2500), None)
    assert said is not None
    assert said.count('"') == 2
    assert len(said) < LONGEST_QUOTE + 30
