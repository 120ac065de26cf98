"""The Python API is what docs/api.md says."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys

import pytest

import photoindex
from photoindex import types
from tests.support import REPOSITORY


def test_the_page_is_up_to_date() -> None:
    command = [sys.executable, "docs/make_api.py", "--check"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", photoindex.__all__)
def test_every_name_is_there_and_described(name: str) -> None:
    thing = getattr(photoindex, name)
    assert inspect.getdoc(thing)
    if inspect.isclass(thing):
        for method, member in vars(thing).items():
            if inspect.isfunction(member) and not method.startswith("_"):
                assert inspect.getdoc(member), f"{name}.{method}"


# For the gallery or the command line, and words of which there are a few.
OTHERS = {
    "BatchKind", "BatchState", "Box", "CaptionSource", "CorrectionKind", "Database", "Finder", "Locked", "Mounts",
    "PhotoError", "Priority", "Problem", "Ranking", "Report", "Review", "SidecarStyle", "SortKey", "TakenSource",
    "TermVector",
}  # fmt: skip
PYTHONS = {
    "Any", "BinaryIO", "Callable", "Event", "False", "Iterable", "Iterator", "Literal", "None", "Path", "Sequence",
    "True",
}  # fmt: skip


def test_what_a_program_meets_is_exported() -> None:
    assert {"Editor", "Exchange", "Batches", "Stats", "Matched", "Match", "Plan", "Tally"} <= set(photoindex.__all__)
    page = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8").partition("\n## Errors")[0]
    types_said = re.findall(r"(?m)^(?:\| `\w+` \| (.*)|\w+(\(.*)|`\w+: (.*)`)$", page)
    met = set(re.findall(r"\b[A-Z]\w+", " ".join(map("".join, types_said))))
    assert {"Hit", "Photo", "Albums"} < met
    assert met - OTHERS - PYTHONS <= set(photoindex.__all__)
    assert set(photoindex.__all__) <= set(dir(photoindex))
    assert all(
        getattr(photoindex, name) is getattr(types, name) for name in types.__all__ if name in photoindex.__all__
    )
