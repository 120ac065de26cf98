"""Lines that were read in a photo as text to be searched, and which of them a photo was found by."""

from __future__ import annotations

from pathlib import Path

import pytest

from photoindex.search import Document, FullText
from photoindex.search.fulltext.document import running_text
from photoindex.search.ranking.read_lines import lines_with, read_words
from photoindex.types import TextLine
from photoindex.types.hit import Matched

BOX = (0, 0, 1, 0, 1, 1, 0, 1)


def lines(*texts: str, block: int = 0) -> list[TextLine]:
    return [TextLine(text, 0.9, BOX, block) for text in texts]


class TestRunningText:
    def test_lines_of_a_block_go_on(self) -> None:
        assert running_text([*lines("PLATFORM", "nine"), *lines("mind the gap", block=1)]) == (
            "PLATFORM nine . mind the gap"
        )

    def test_a_divided_word_is_whole(self) -> None:
        assert running_text(lines("infor-", "mation for all")) == "infor\u00admation for all"
        assert running_text(lines("infor\u00ad", "mation")) == "infor\u00admation"

    def test_what_is_no_divided_word_is_left(self) -> None:
        assert running_text(lines("Monday -", "friday")) == "Monday - friday"
        assert running_text(lines("Zone 7-", "b")) == "Zone 7- b"
        assert running_text(lines("A-", "Level")) == "A- Level"


@pytest.fixture
def index(tmp_path: Path) -> FullText:
    opened = FullText.open(tmp_path / "index")
    opened.update(
        [
            Document(1, "a wall", text=running_text(lines("PARK1NG only for plat-", "form 9, IBAN DE89 3704-0044"))),
            Document(2, "parking lot with cars", unsure_text="mind the gap"),
            Document(3, "a street", unsure_text="parking meter"),
        ]
    )
    return opened


def found(index: FullText, query: str) -> list[int]:
    return [match.photo_id for match in index.search(query)]


class TestSearched:
    @pytest.mark.parametrize(
        "query",
        ["text:parking", "text:park1ng", '"parking only for platform 9"', "DE89", '"iban de89 3704-0044"', "37040044",
         "text:platfrm~", "form", "text:plat*", "says:9"],
    )  # fmt: skip
    def test_what_is_read_is_found_as_it_is_written_and_meant(self, index: FullText, query: str) -> None:
        assert found(index, query)[0] == 1

    def test_doubtful_text_comes_last(self, index: FullText) -> None:
        assert found(index, "parking")[-1] == 3
        assert found(index, "gap") == [2]
        assert found(index, "text:gap") == [2]

    def test_captions_are_not_text(self, index: FullText) -> None:
        assert 2 not in found(index, "text:parking")
        assert found(index, "text:lot") == []

    def test_doubtful_text_is_no_spelling_to_suggest(self, index: FullText) -> None:
        assert index.corrections("mter") == {}


class TestMatchedLines:
    def test_lines_with_a_word_that_was_found(self) -> None:
        read = lines("Mind the gap", "PARK1NG", "Platforms")
        words = read_words([Matched("text", "platform", 1.0), Matched("caption", "gap", 1.0)])
        assert [line.text for line in lines_with(read, words)] == ["Platforms"]
        assert [line.text for line in lines_with(read, {"park"})] == ["PARK1NG"]
        assert lines_with(read, set()) == ()

    def test_both_lines_of_a_divided_word(self) -> None:
        read = lines("leaves from plat-", "form nine", "tonight")
        assert [line.text for line in lines_with(read, {"platform"})] == ["leaves from plat-", "form nine"]
