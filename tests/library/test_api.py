"""The Python API is what docs/api.md says."""

from __future__ import annotations

import inspect
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


def test_what_a_program_meets_is_exported() -> None:
    assert {"Editor", "Exchange", "Batches", "Stats", "Matched", "Match", "Plan", "Tally"} <= set(photoindex.__all__)
    assert all(
        getattr(photoindex, name) is getattr(types, name) for name in types.__all__ if name in photoindex.__all__
    )
