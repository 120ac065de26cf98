"""What the documentation promises of the tests is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support import REPOSITORY

TESTS = REPOSITORY / "tests" / "media" / "decode" / "test_formats.py"


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


def test_every_metadata_test_that_is_named_exists() -> None:
    document = (REPOSITORY / "docs" / "metadata.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:[\w/]+/)?test_\w+\.py)(?:::(\w+))?`", document)
    assert len(named) > 15
    for path, name in named:
        folder = REPOSITORY if path.startswith("tests/") else REPOSITORY / "tests" / "media" / "metadata"
        assert name_in(folder / path, name), f"{path}::{name}"


def test_every_test_of_corrections_that_is_named_exists() -> None:
    document = (REPOSITORY / "docs" / "corrections.md").read_text(encoding="utf-8")
    made = "".join(path.read_text(encoding="utf-8") for path in sorted((REPOSITORY / "tests").rglob("test_*.py")))
    named = set(re.findall(r"`(?:\w+::)?(test_\w+|Test\w+)`", document))
    assert len(named) > 20
    assert {name for name in named if not re.search(rf"\b(?:def|class) {name}\b", made)} == set()


DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_file_of_tests_and_benchmarks_that_is_named_exists(document: Path) -> None:
    named = re.findall(
        r"\b(?:tests|benchmarks|docs)/(?!stress/NAME)[\w/-]*\w(?:\.\w+)?", document.read_text(encoding="utf-8")
    )
    assert [name for name in named if not (REPOSITORY / name).exists()] == []


def name_in(path: Path, name: str) -> bool:
    """Whether a test file is there and has a test or a class of this name."""
    return path.is_file() and (not name or bool(re.search(rf"\b(?:def|class) {name}\b", path.read_text("utf-8"))))
