"""``photoindex catalogue``: what it prints, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from photoindex.catalogue.migration import HEAD
from photoindex.catalogue.postgres_database import PostgresDatabase
from photoindex.cli.main import main
from tests import postgres


@pytest.fixture
def empty_url(postgres_server: postgres.Server) -> Iterator[str]:
    """An empty database."""
    url = postgres_server.create()
    yield url
    postgres_server.drop(url)


def run(tmp_path: Path, url: str, *arguments: str) -> Result:
    options = ["--data-dir", str(tmp_path / "data"), "--set", f"catalogue={url}"]
    return CliRunner().invoke(main, [*options, "catalogue", *arguments])


def set_version(url: str, version: str) -> None:
    with closing(PostgresDatabase.open_as_is(url, read_only=False)) as database, database.write() as connection:
        connection.exec_driver_sql(f"update alembic_version set version_num = '{version}'")


def test_tables_are_made_once(tmp_path: Path, empty_url: str) -> None:
    first, second = run(tmp_path, empty_url, "upgrade"), run(tmp_path, empty_url, "upgrade")
    assert (first.exit_code, first.stderr) == (0, "the catalogue is of this version now\n")
    assert (second.exit_code, second.stderr) == (0, "the catalogue is of this version already\n")


@pytest.mark.parametrize(
    ("version", "advice"),
    [
        (None, f"empty, and {HEAD} is needed: run photoindex catalogue upgrade"),
        ("0017", f"version 0017, and {HEAD} is needed: run photoindex catalogue upgrade"),
        ("9999", f"version 9999, and {HEAD} is needed: install a newer photoindex"),
    ],
)
def test_what_to_do_about_another_version_is_said(
    tmp_path: Path, empty_url: str, version: str | None, advice: str
) -> None:
    if version is not None:
        run(tmp_path, empty_url, "upgrade")
        set_version(empty_url, version)
    result = run(tmp_path, empty_url, "check")
    assert result.exit_code == 1
    assert f": {advice}; " in result.stdout
    assert json.loads(run(tmp_path, empty_url, "check", "--json").stdout)["version"] == version
    if version == "9999":  # which the other advice would end in
        refused = run(tmp_path, empty_url, "upgrade")
        assert refused.exit_code == 1
        assert refused.stderr.endswith("upgrade photoindex, or name another catalogue\n")


def test_faults_are_counted_and_named(tmp_path: Path, empty_url: str) -> None:
    run(tmp_path, empty_url, "upgrade")
    whole = run(tmp_path, empty_url, "check")
    assert (whole.exit_code, whole.stdout.endswith("; no faults\n")) == (0, True)
    with closing(PostgresDatabase.open_as_is(empty_url, read_only=False)) as database, database.write() as connection:
        connection.exec_driver_sql("drop trigger feed_photo_added on photo")
    broken = run(tmp_path, empty_url, "check")
    assert broken.exit_code == 1
    assert broken.stdout.endswith("; 1 fault\n  the trigger feed_photo_added is missing\n")
