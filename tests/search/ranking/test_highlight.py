"""Which words of a caption are marked as found."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoindex.language.analysis import content_words, stem
from photoindex.search.ranking.highlight import marked


@pytest.mark.parametrize(
    ("text", "stems", "expected"),
    [
        ("two Dogs, a dog\u2019s ball", {"dog"}, ["Dogs", "dog\u2019s"]),
        ("women running", {"woman", "run"}, ["women", "running"]),
        ("hot dog", set(), []),
        ("dogma", {"dog"}, []),
        ("a t-shirt", {"shirt"}, ["shirt"]),
        ("Cafe\u0301 क्षि", {"cafe", "क्षि"}, ["Cafe\u0301", "क्षि"]),
    ],
)
def test_words_are_marked_by_their_stem(text: str, stems: set[str], expected: list[str]) -> None:
    pieces = list(marked(text, stems))
    assert "".join(piece for piece, _ in pieces) == text
    assert [piece for piece, found in pieces if found] == expected


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60), st.data())
def test_the_pieces_give_the_text_back(text: str, data: st.DataObject) -> None:
    stems = set(map(stem, content_words(text)))
    some = data.draw(st.sets(st.sampled_from(sorted(stems)))) if stems else set()
    pieces = list(marked(text, some))
    assert "".join(piece for piece, _ in pieces) == text
    assert all(piece for piece, _ in pieces)
