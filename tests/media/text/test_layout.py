"""Lines that were found anywhere in a photo come in the order in which a person reads them."""

from photoindex.media.text.layout import in_reading_order
from photoindex.types import TextLine


def line(text: str, left: int, top: int, width: int = 2000, height: int = 200) -> TextLine:
    right, bottom = left + width, top + height
    return TextLine(text, 1.0, (left, top, right, top, right, bottom, left, bottom))


def order(*lines: TextLine) -> list[list[str]]:
    return [[each.text for each in block] for block in in_reading_order(lines, 1000, 1000)]


def test_lines_go_from_top_to_bottom_and_pieces_of_one_line_from_left_to_right() -> None:
    pieces = (line("NINE", 2150, 1010, 900), line("mind the gap", 1000, 1260), line("PLATFORM", 1000, 1000, 1100))
    assert order(*pieces) == [["PLATFORM", "NINE", "mind the gap"]]


def test_columns_are_read_one_after_the_other() -> None:
    left = [line(f"left {n}", 500, 1000 + 250 * n) for n in range(3)]
    right = [line(f"right {n}", 5000, 1010 + 250 * n) for n in range(3)]
    mixed = [each for pair in zip(right, left, strict=True) for each in pair]
    assert order(*mixed) == [["left 0", "left 1", "left 2"], ["right 0", "right 1", "right 2"]]


def test_a_headline_is_no_part_of_the_small_print_below_it() -> None:
    assert order(line("small", 1000, 1900), line("HEADLINE", 1000, 1000, 6000, 800)) == [["HEADLINE"], ["small"]]


def test_there_may_be_no_line_or_one_without_extent() -> None:
    assert order() == []
    assert order(line("dot", 0, 0, 0, 0), line("word", 0, 0)) == [["dot"], ["word"]]
