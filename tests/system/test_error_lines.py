"""What an unexpected error says becomes a part of one line."""

from __future__ import annotations

import pytest

from photoindex.system.error_lines import LONGEST, in_one_line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("no such thing"), "ValueError: no such thing"),
        (RuntimeError("it failed\n  at core.cpp:90:\n\tno use"), "RuntimeError: it failed at core.cpp:90: no use"),
        (KeyError("a"), "KeyError: 'a'"),
        (OSError(), "OSError"),
    ],
)
def test_the_kind_and_the_words_are_told(error: Exception, line: str) -> None:
    assert in_one_line(error) == line


@pytest.mark.parametrize("text", ["255, " * 2000, "x" * 5000], ids=["numbers", "one word"])
def test_a_long_one_is_cut_off(text: str) -> None:
    line = in_one_line(TypeError(text))
    assert len(line) == LONGEST
    assert line.startswith(f"TypeError: {text[:100]}")
    assert line.endswith("…")
