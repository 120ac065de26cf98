"""Commands for many machines: what they refuse, in one line, before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from photoindex.cli.cluster import _with_workers
from photoindex.cli.main import main
from photoindex.indexing.recaption import Plan
from photoindex.library import Library
from tests.support import make_photo


def run(data_dir: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(data_dir), *arguments])


def test_ray_needs_a_catalogue_that_other_machines_reach(library: Library, album: Path) -> None:
    make_photo(album / "a.jpg")
    library.index(album)
    result = run(library.settings.data_dir, "reindex", "--all", "--engine", "ray")
    assert result.exit_code == 1
    assert "set catalogue to a URL" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--all", "--address", "head:6379"], "--address and --workers go with --engine ray"),
        (["--all", "--workers", "3"], "--address and --workers go with --engine ray"),
        (["--fulltext", "--engine", "ray"], "--engine ray does not go with --fulltext"),
        (["--text", "--engine", "ray"], "--engine ray does not go with --text"),
        (["--all", "--engine", "rays"], "'rays' is not one of"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(data_dir: Path, arguments: list[str], message: str) -> None:
    result = run(data_dir, "reindex", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize("port", ["", "x", "70000", "127.0.0.1:", "-1", "²"])
def test_metrics_want_a_port(data_dir: Path, port: str) -> None:
    result = run(data_dir, "worker", f"--metrics={port}")
    assert result.exit_code == 2
    assert "is no port" in result.stderr


def test_a_rate_that_was_tried_here_is_that_of_each_worker() -> None:
    tried = _with_workers(Plan(100, {}, 2.0, "a trial of 16"), 5)
    assert (tried.rate, tried.seconds) == (10.0, 10.0)
    assert tried.rate_from == "a trial of 16 on this machine, times 5 workers"
    assert _with_workers(Plan(100, {}, 2.0, "batch 3"), 5).rate == 2.0
    assert _with_workers(Plan(100, {}, None, None), 5).seconds is None
