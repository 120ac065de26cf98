"""``reindex`` and ``jobs`` as they are typed; the captions are a fake captioner's."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from photoindex import captioner as captioning
from photoindex.cli.main import main
from photoindex.library import Library
from tests.support import FakeCaptioner, make_photo

ON_BOTH = True

OpenLibrary = Callable[..., Library]


@pytest.fixture
def data_dir_with_batch(
    open_library: OpenLibrary, album: Path, monkeypatch: pytest.MonkeyPatch, data_dir: Path
) -> Path:
    """Two photos by one model and a batch, not begun, to have them captioned by another, which the commands use."""
    make_photo(album / "one.jpg", "red")
    make_photo(album / "two.jpg", "blue")
    open_library().index(album)
    newer = FakeCaptioner("fake-2", shape="tile")
    monkeypatch.setattr(captioning, "load_captioner", lambda _: newer)
    stop = threading.Event()
    stop.set()
    library = open_library(newer)
    library.recaption(stop=stop)
    library.close()
    return data_dir


def run(data_dir: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(data_dir), *arguments])


@pytest.fixture(autouse=True)
def fake_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's default captioner is looked up when it is defined: hand it over at opening."""
    init = Library.__init__

    def opened(self: Library, settings: object, load: object = None) -> None:
        init(self, settings, load or (lambda chosen: captioning.load_captioner(chosen)))  # type: ignore[arg-type]

    monkeypatch.setattr(Library, "__init__", opened)


def test_a_batch_is_listed_paused_resumed_and_done(data_dir_with_batch: Path) -> None:
    data_dir = data_dir_with_batch
    assert run(data_dir, "jobs", "list").stdout.startswith("1  waiting   --stale: 0 of 2 done, low priority (")
    assert run(data_dir, "jobs", "pause", "1").stderr == "paused batch 1\n"
    assert "batch 1     paused, 2 of 2 left: photoindex jobs list\n" in run(data_dir, "status").stdout
    [batch] = json.loads(run(data_dir, "jobs", "list", "--json").stdout)["batches"]
    assert (batch["state"], batch["left"], batch["rate"], batch["seconds_left"]) == ("paused", 2, None, None)
    for what in ("--resume", "--stale"):
        told = run(data_dir, "reindex", what).stderr
        assert told == "0 captioned\nbatch 1 has 2 to do and is paused: photoindex jobs resume 1\n"
    assert "resumed batch 1\n" in run(data_dir, "jobs", "resume").stderr
    assert "2 captioned" in run(data_dir, "reindex", "--resume").stderr
    assert "a red tile" in run(data_dir, "search", "red").stdout
    assert run(data_dir, "jobs", "list").stdout == ""
    assert run(data_dir, "jobs", "list", "--all").stdout.startswith("1  done      --stale: 2 of 2 done, ")


def test_a_batch_is_cancelled_by_name_or_when_it_is_the_only_one(data_dir_with_batch: Path) -> None:
    assert run(data_dir_with_batch, "jobs", "cancel").stderr == "cancelled batch 1\n"
    assert run(data_dir_with_batch, "jobs", "cancel").stderr == "nothing to be cancelled\n"
    again = run(data_dir_with_batch, "jobs", "cancel", "1")
    assert (again.exit_code, again.stderr) == (1, "photoindex: batch 1 has ended: it is cancelled\n")
    unknown = run(data_dir_with_batch, "jobs", "pause", "9")
    assert (unknown.exit_code, unknown.stderr.count("\n")) == (1, 1)


def test_a_dry_run_says_how_many_by_which_model_and_how_long(data_dir_with_batch: Path) -> None:
    told = run(data_dir_with_batch, "reindex", "--stale", "--dry-run").stderr
    assert told.startswith("2 photos would be captioned\n  2 now by fake-1\nabout ")
    plan = json.loads(run(data_dir_with_batch, "reindex", "--where", "red", "--dry-run", "--json").stdout)
    assert (plan["photos"], plan["by_model"]) == (1, {"fake-1": 1})
    assert "a red square" in run(data_dir_with_batch, "search", "red").stdout


def test_what_is_asked_must_make_sense(data_dir_with_batch: Path) -> None:
    assert run(data_dir_with_batch, "reindex").exit_code == 2
    assert run(data_dir_with_batch, "reindex", "--failed", "--where", "red").exit_code == 2
    assert run(data_dir_with_batch, "reindex", "--all", "--json").exit_code == 2
    assert run(data_dir_with_batch, "reindex", "--where", "the").exit_code == 1
