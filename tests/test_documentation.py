"""What the documentation promises of the tests is so."""

from __future__ import annotations

import re

from tests.support import REPOSITORY

TESTS = REPOSITORY / "tests" / "decode" / "test_formats.py"


def test_every_format_s_test_that_is_named_exists_and_each_is_named() -> None:
    named = set(re.findall(r"`(test_\w+)`", (REPOSITORY / "docs" / "formats.md").read_text(encoding="utf-8")))
    made = set(re.findall(r"def (test_\w+)", TESTS.read_text(encoding="utf-8")))
    assert named <= made
    # Not of a format, but of what goes wrong with one.
    assert made - named <= {
        "test_jpeg_xl_damaged_or_too_large_is_told_apart",
        "test_limits",
        "test_damage",
        "test_another_kind_of_file_under_a_raw_name",
        "test_a_raw_photo_names_the_extra_that_reads_it",
        "test_a_large_photo_is_shrunk_first",
        "test_swapped_colours_are_swapped_back",
        "test_a_profile_of_other_colours_is_ignored",
    }
