"""A view of a buffer reads as a file of the same bytes does."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoindex.search.fulltext.mapped_file import BufferReader

STEPS = st.one_of(
    st.integers(-1, 400).map(lambda size: lambda file: file.read(size)),
    st.just(lambda file: file.readline()),
    st.just(lambda file: file.read()),
    st.integers(0, 900).map(lambda place: lambda file: file.seek(place)),
    st.integers(0, 50).map(lambda place: lambda file: file.seek(place, os.SEEK_CUR)),
    st.integers(-50, 0).map(lambda place: lambda file: file.seek(place, os.SEEK_END)),
    st.just(lambda file: file.tell()),
)


def outcome(step: Callable[[Any], Any], file: Any) -> Any:
    try:
        return step(file)
    except ValueError:
        return "refused"


@given(st.binary(max_size=700) | st.text("a\n", max_size=700).map(str.encode), st.lists(STEPS, max_size=12))
def test_it_reads_as_a_file_does(content: bytes, steps: list[Callable[[Any], Any]]) -> None:
    view, file = BufferReader(memoryview(content)), io.BytesIO(content)
    for step in steps:
        mine, theirs = outcome(step, view), outcome(step, file)
        if theirs == "refused" or mine == "refused":
            return
        assert mine == theirs


def test_it_lets_go_of_the_buffer() -> None:
    content = bytearray(b"abc")
    view = BufferReader(memoryview(content))
    with pytest.raises(BufferError):
        content.extend(b"d")
    view.close()
    content.extend(b"d")
    assert view.read() == b""
