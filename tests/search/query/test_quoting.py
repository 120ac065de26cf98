"""Values with quotes and backslashes, as a query asks for them."""

from __future__ import annotations

import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoindex.search import FullText
from photoindex.search.fulltext.document import document_of
from photoindex.search.query.clauses import path_key
from photoindex.search.query.parser import parse_query
from photoindex.search.query.quoting import CLOSING, OPENING, quoted
from photoindex.search.query.scanner import QueryToken, scan
from photoindex.search.query.syntax import Below, Phrase, Ranked
from photoindex.types.limits import LONGEST_QUERY
from tests.search.test_as_typed import photo

VALUES = st.text(st.sampled_from('ab \\"\u201c\u201d\u00ab\u00bb:()-'), max_size=12)
FIELDS = ("tag", "person", "place", "title", "caption", "camera")


@pytest.mark.parametrize(("meant", "named"), [("(", OPENING), (")", CLOSING)])
def test_all_that_is_read_as_a_parenthesis_is_named(meant: str, named: str) -> None:
    assert set(named) == {each for each in map(chr, range(0x110000)) if unicodedata.normalize("NFKC", each) == meant}
    for each in OPENING:
        assert [token.kind for token in scan(f"a {each}b)")] == ["chunk", "open", "chunk", "close"]


@given(st.lists(st.tuples(st.sampled_from(FIELDS), VALUES), min_size=1, max_size=3))
def test_every_value_comes_back_out_of_a_query(clauses: list[tuple[str, str]]) -> None:
    query = " ".join(f"{field}:{quoted(value)}" for field, value in clauses)
    assert scan(query) == [QueryToken("phrase", value, field) for field, value in clauses]
    assert " ".join(map(str, scan(query))) == query


@given(VALUES)
def test_a_quoted_value_stands_among_words_and_in_parentheses(value: str) -> None:
    tokens = scan(f"dog -({quoted(value)}) cat")
    assert [(token.kind, token.text) for token in tokens] == [
        ("chunk", "dog"), ("minus", ""), ("open", ""), ("phrase", value), ("close", ""), ("chunk", "cat"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        (r'"say \"hi\""', 'say "hi"'), (r'"\"hi\" she said"', '"hi" she said'), (r'"12\" vinyl"', '12" vinyl'),
        (r'"12\""', '12"'), (r'"\""', '"'), (r'"C:\photos"', r"C:\photos"), ('"C:\\photos\\"', "C:\\photos\\"),
        (r'"\\server\share"', r"\\server\share"), (r'"a\\"', "a\\"), (r'"a\\\"b"', 'a\\"b'), (r'"a\b"', r"a\b"),
        ("\u201csay \\\u201chi\\\u201d\u201d", "say \u201chi\u201d"),
        ('"say \\\u00abhi\\\u00bb"', "say \u00abhi\u00bb"),
        ("\u201cbrown dog\u201d", "brown dog"), ('""', ""),
    ],
)  # fmt: skip
def test_what_is_meant_by_what_is_typed(typed: str, value: str) -> None:
    assert scan(f"tag:{typed}") == [QueryToken("phrase", value, "tag")]
    assert scan(typed) == [QueryToken("phrase", value)]


@pytest.mark.parametrize(
    "path", ["C:\\photos\\", "C:\\photos", "\\\\server\\share\\", "2019\\lisbon\\", "\\photos\\2019\\", "D:\\", "C:/a/"]
)
@pytest.mark.parametrize("field", ["path", "PATH"])
def test_a_path_of_windows_is_asked_for_as_it_is(field: str, path: str) -> None:
    assert parse_query(f'{field}:"{path}"').root == Ranked(required=(Below(path_key(path)),))
    expected = Ranked(required=(Below(path_key(path)), Phrase(("brown", "dog"))))
    assert parse_query(f'{field}:"{path}" "brown dog"').root == expected
    assert parse_query(f'path:{quoted(path)} "brown dog"').root.required[0] == Below(path_key(path))  # type: ignore[union-attr]


def test_the_folders_of_windows_before_another_phrase() -> None:
    for name in ("folder", "file", "name"):
        assert scan(f'({name}:"2019\\lisbon\\") "dog"')[1:] == [
            QueryToken("phrase", "2019\\lisbon\\", name), QueryToken("close"), QueryToken("phrase", "dog"),
        ]  # fmt: skip


@pytest.mark.parametrize(
    "value", ['say "hi"', "say \u201chi\u201d", '12" vinyl', '"', 'a\\"b', "back\\slash", "end\\", "\\", "say hi"]
)
@pytest.mark.parametrize("field", ["tag", "person"])
def test_values_with_quotes_are_found(index: FullText, field: str, value: str) -> None:
    photos = [photo(1, "grass", "", (field, value)), photo(2, "grass", "", (field, "say, hi there"))]
    index.rebuild([document_of(each, [Path("/photos")]) for each in photos])
    assert [match.photo_id for match in index.search(f"{field}:{quoted(value)}", None)] == [1]
    assert [match.photo_id for match in index.search(f'{field}:{quoted(value)} caption:"grass"', None)] == [1]
    assert [match.photo_id for match in index.search(f"-{field}:{quoted(value)}", None)] == [2]


@pytest.mark.parametrize("piece", ["\\", '\\"', '"\\', '\\\\"', 'path:"\\a\\" ', "\\\u201c", 'path:"\\a'])
def test_no_text_takes_long_to_read(piece: str) -> None:
    text = (piece * LONGEST_QUERY)[:LONGEST_QUERY]
    start = time.process_time()
    scan(text)
    scan('"' + text[1:])
    assert time.process_time() - start < 1
