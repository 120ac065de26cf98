"""What a command imports before it begins, which is most of the time that a short one takes. Timings are benchmarks':
benchmarks/startup.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from photoindex.cli.main import COMMANDS, main
from photoindex.library import Library
from tests.support import REPOSITORY, make_photo, unmeasured

RUN = """
import sys

from photoindex.cli import main

try:
    main(sys.argv[1:])
finally:
    print(*sorted(sys.modules), file=sys.stderr)
"""
# Each takes longer to import than a search of a small library takes.
NEVER = {
    "torch",
    "torchvision",
    "safetensors",
    "sqlalchemy",
    "alembic",
    "PIL",
    "watchdog",
    "rich",
    "filelock",
    "lxml",
    "scipy",
    "numpy.ma",
    "reverse_geocode",
    "defusedxml",
    "tomlkit",
    "fsspec",
    "s3fs",
    "photoindex.system.url_storage",
    "photoindex.system.url_contents",
}
# What writing needs, and a search by words does not.
WRITING = {
    "photoindex.search.fulltext.merging",
    "photoindex.types.photo",
    "photoindex.types.files",
    "photoindex.search.fulltext.document",
    "photoindex.indexing.indexer",
}
# What a search needs, and help does not.
SEARCH_ONLY = {"numpy", "sqlite3"}


def run(*arguments: str | Path) -> tuple[str, set[str]]:
    """What the command line printed, and the names of all that it imported."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *map(str, arguments)],
        cwd=REPOSITORY,
        env=unmeasured(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, set(done.stderr.split())


@pytest.fixture
def indexed(library: Library, album: Path) -> Library:
    make_photo(album / "a.jpg")
    library.index(album)
    return library


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="only Linux lists the threads of a process")
def test_a_search_starts_no_threads_for_products_of_matrices(indexed: Library) -> None:
    count = 'import os; print("threads", len(os.listdir("/proc/self/task")))'
    code = RUN.replace("finally:\n", f"finally:\n    {count}\n")
    arguments = [sys.executable, "-c", code, "--data-dir", str(indexed.settings.data_dir), "search", "red"]
    environment = {name: value for name, value in unmeasured().items() if not name.startswith(("OPENBLAS", "OMP"))}
    done = subprocess.run(arguments, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    assert "threads 1\n" in done.stdout
    assert "numpy" in done.stderr.split()


@pytest.mark.parametrize("style", [[], ["--json"], ["--explain"], ["--csv"], ["-0"]])
def test_a_search_imports_little(indexed: Library, album: Path, style: list[str]) -> None:
    printed, imported = run("--data-dir", indexed.settings.data_dir, "search", *style, "red", "squares")
    assert str(album / "a.jpg") in printed
    assert imported & (NEVER | WRITING) == set()


def test_so_does_one_whose_impact_matrix_is_on_disk(indexed: Library, album: Path) -> None:
    indexed.rebuild_full_text()
    assert list(indexed.settings.terms_path.iterdir())
    printed, imported = run("--data-dir", indexed.settings.data_dir, "search", "warm")
    assert str(album / "a.jpg") in printed
    assert imported & NEVER == set()


def test_an_index_that_finds_nothing_to_do_imports_less_than_a_search(indexed: Library, album: Path) -> None:
    arguments = ["--quiet", "--data-dir", str(indexed.settings.data_dir), "index", "--json", str(album)]
    run(*arguments)  # makes the day's backup of the catalogue
    printed, imported = run(*arguments)
    assert json.loads(printed)["unchanged"] == 1
    assert imported & (NEVER | {"numpy", "photoindex.indexing.pipeline", "photoindex.indexing.indexer"}) == set()


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["search", "--help"], ["watch", "--help"]])
def test_help_imports_less(arguments: list[str]) -> None:
    printed, imported = run(*arguments)
    assert "photoindex, version" in printed or "Usage:" in printed
    assert imported & (NEVER | SEARCH_ONLY) == set()


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_what_is_said_of_all_commands_imports_none(option: str) -> None:
    imported = subprocess.run(
        [sys.executable, "-c", RUN, option],
        cwd=REPOSITORY,
        env=unmeasured(),
        capture_output=True,
        text=True,
        check=True,
    ).stderr.split()
    assert [name for name in imported if name.startswith("photoindex.cli.")] == [
        "photoindex.cli.command",
        "photoindex.cli.main",
        "photoindex.cli.terminal",
    ]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_where_it_is_looked_for(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.name == name


def test_what_is_no_command_is_none() -> None:
    assert main.get_command(click.Context(main), "nothing") is None
