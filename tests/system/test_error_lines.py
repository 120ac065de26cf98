"""What an unexpected error says becomes a part of one line."""

from __future__ import annotations

import pytest

from photoindex.system.error_lines import LONGEST, in_one_line, reason_of


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


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FileNotFoundError(2, "No such file or directory", "/a/b"), "No such file or directory"),
        (OSError("the disk says no"), "the disk says no"),
        (OSError(), "OSError"),
        (KeyError("images"), "it has no 'images'"),
        (ValueError("one\n two"), "one two"),
    ],
)
def test_the_reason_names_neither_a_path_nor_a_number(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason
