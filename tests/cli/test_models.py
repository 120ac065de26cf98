"""``photoindex models``: which there are, which is in use, and using another."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from photoindex.captioner import model_folder
from photoindex.captioner.model_files import inspect_folder
from photoindex.cli.main import main
from photoindex.library import Library
from tests.support import FakeCaptioner, make_model_folder, make_photo


def run(data_dir: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(data_dir), "models", *map(str, arguments)])


def listed(data_dir: Path) -> list[dict[str, Any]]:
    models: list[dict[str, Any]] = json.loads(run(data_dir, "list", "--json").stdout)
    return models


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """The shipped model under a name of its own, as `train` would write one."""
    folder = tmp_path / "models" / "mine"
    shutil.copytree(model_folder("default"), folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "name": "mine"}))
    return folder


@pytest.fixture
def captioned(library: Library, album: Path) -> Path:
    """The data folder of a library with two photos that another model captioned."""
    for name, colour in (("a.jpg", "red"), ("b.jpg", "blue")):
        make_photo(album / name, colour)
    library.index(album)
    library.close()
    return library.settings.data_dir


def setting(data_dir: Path) -> str:
    return CliRunner().invoke(main, ["--data-dir", str(data_dir), "config", "get", "model"]).stdout.strip()


def test_without_a_library_the_shipped_ones_are_listed_and_none_is_made(data_dir: Path) -> None:
    [model] = [model for model in listed(data_dir) if model["in_use"]]
    assert list(model) == ["name", "identity", "default", "in_use", "bytes", "photos", "problem"]
    assert (model["default"], model["photos"]) == (True, 0)
    assert model["identity"].startswith(model["name"])
    assert not data_dir.exists()


def test_models_that_captioned_photos_are_listed_with_how_many(captioned: Path) -> None:
    assert [(m["name"], m["identity"], m["photos"]) for m in listed(captioned) if m["photos"]] == [(None, "fake-1", 2)]
    assert "fake-1  not here  captioned 2 photos" in run(captioned, "list").stdout
    assert "(in use, default)" in run(captioned, "list").stdout


def test_another_is_used_from_then_on_and_what_that_means_is_said(captioned: Path, mine: Path) -> None:
    answer = run(captioned, "use", mine)

    assert (answer.exit_code, answer.stdout) == (0, "")
    assert setting(captioned) == str(mine)
    lines = answer.stderr.splitlines()
    assert lines[0] == f"set model in {captioned / 'photoindex.toml'}"
    assert lines[1].startswith("captions are made by mine-")
    assert lines[2:] == [
        "2 photos were captioned by fake-1",
        "they keep those captions until you run: photoindex reindex --stale",
    ]
    assert [model["name"] for model in listed(captioned) if model["in_use"]] == [str(mine)]
    assert f"{mine}  " in run(captioned, "list").stdout

    assert run(captioned, "use", "default").exit_code == 0
    assert setting(captioned) == "default"


def test_a_folder_named_from_here_is_kept_for_everywhere(
    data_dir: Path, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(mine.parent)
    (mine / "MODEL_CARD.md").unlink()

    answer = run(data_dir, "use", "mine")

    assert setting(data_dir) == str(mine)
    assert "it has no MODEL_CARD.md" in answer.stderr


def test_a_folder_that_is_set_from_here_is_kept_for_everywhere(
    data_dir: Path, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, wanted in (("mine", str(mine)), ("lite2-joint", "lite2-joint"), ("default", "default")):
        monkeypatch.chdir(mine.parent)
        assert CliRunner().invoke(main, ["--data-dir", str(data_dir), "config", "set", "model", name]).exit_code == 0
        monkeypatch.chdir("/")
        assert setting(data_dir) == wanted
        assert run(data_dir, "info", wanted).exit_code == 0


def test_what_goes_before_the_setting_is_said(data_dir: Path, mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHOTOINDEX_MODEL", "default")

    assert "PHOTOINDEX_MODEL goes before it\n" in run(data_dir, "use", mine).stderr


def test_one_that_cannot_be_loaded_is_told_in_a_line_and_nothing_is_set(captioned: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    whole_but_for_its_weights = make_model_folder(tmp_path / "tiny")
    for name in ("nowhere", tmp_path / "empty", whole_but_for_its_weights):
        answer = run(captioned, "use", name)
        assert (answer.exit_code, answer.stderr.count("\n")) == (1, 1), answer.stderr
        assert answer.stderr.startswith("photoindex: ")
    assert setting(captioned) == "default"
    assert not (captioned / "photoindex.toml").exists()


def test_a_setting_that_names_one_that_is_gone_is_listed_all_the_same(captioned: Path, mine: Path) -> None:
    run(captioned, "use", mine)
    shutil.rmtree(mine)

    [gone] = [model for model in listed(captioned) if model["in_use"]]

    assert (gone["name"], gone["identity"], gone["bytes"]) == (str(mine), None, None)
    assert f"{mine}  not here  (in use)" in run(captioned, "list").stdout


def _damage(folder: Path) -> str:
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(1000)
    return "damaged"


def _of_a_newer_version(folder: Path) -> str:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "format": 99}))
    return "newer photoindex"


def _lose_its_words(folder: Path) -> str:
    (folder / "vocabulary.txt").unlink()
    return "vocabulary"


@pytest.fixture
def used(captioned: Path, mine: Path, open_library: Callable[..., Library], album: Path) -> str:
    """The identity of ``mine``, which is in use and captioned one photo."""
    run(captioned, "use", mine)
    identity = inspect_folder(mine).identity
    make_photo(album / "c.jpg", "green")
    with open_library(FakeCaptioner(identity)) as library:
        library.index(album)
    return identity


def test_one_that_captioned_photos_and_is_gone_is_listed_once(captioned: Path, mine: Path, used: str) -> None:
    shutil.rmtree(mine)

    models = listed(captioned)
    assert [(m["name"], m["identity"], m["photos"]) for m in models if m["photos"] == 1] == [(str(mine), used, 1)]
    assert "no model" in next(model for model in models if model["in_use"])["problem"]
    assert f"{mine}  not here  (in use)  captioned 1 photo\n" in run(captioned, "list").stdout


@pytest.mark.parametrize("harm", [_damage, _of_a_newer_version, _lose_its_words])
def test_one_that_is_broken_is_listed_once_with_the_reason_which_its_card_does_not_hide(
    captioned: Path, mine: Path, used: str, harm: Callable[[Path], str]
) -> None:
    reason = harm(mine)

    lines = [line for line in run(captioned, "list").stdout.splitlines() if "mine" in line]
    assert len(lines) == 1, lines
    assert reason in lines[0]
    assert lines[0].endswith("  (in use)  captioned 1 photo")
    answer = run(captioned, "info", mine)
    assert (answer.exit_code, answer.stderr.count("\n")) == (1, 1)
    assert reason in answer.stderr
    assert answer.stdout == (mine / "MODEL_CARD.md").read_text()


def test_of_several_of_its_name_none_is_taken_for_one_that_is_gone(
    captioned: Path, mine: Path, used: str, open_library: Callable[..., Library], album: Path
) -> None:
    make_photo(album / "d.jpg", "black")
    with open_library(FakeCaptioner("mine-0123456789ab-320")) as library:
        library.index(album)
    shutil.rmtree(mine)

    assert [model["identity"] for model in listed(captioned) if model["in_use"]] == [None]
    assert {model["identity"] for model in listed(captioned) if model["photos"] == 1} == {used, "mine-0123456789ab-320"}
    lines = [line for line in run(captioned, "list").stdout.splitlines() if "mine" in line]
    assert len(lines) == 3


# Each has nothing to caption: the library of these tests has all its photos captioned.
COMMANDS = {
    "index": ["index", "ALBUM"],
    "watch": ["watch", "ALBUM"],
    "worker": ["worker"],
    "stale": ["reindex", "--stale"],
    "failed": ["reindex", "--failed"],
    "plan": ["reindex", "--failed", "--dry-run"],
    "resume": ["reindex", "--resume"],
    "retry": ["failures", "retry"],
    "benchmark": ["benchmark", "--photos", "1"],
    "config": ["config", "set", "model", "nope"],
}


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=list(COMMANDS))
@pytest.mark.parametrize("name", ["nope", "FOLDER", "FILE"])
def test_a_model_that_is_none_is_said_also_where_there_is_nothing_to_caption(
    captioned: Path, album: Path, tmp_path: Path, name: str, arguments: list[str]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "weights.pt").write_bytes(b"\x80")
    model = {"FOLDER": str(tmp_path / "folder"), "FILE": str(tmp_path / "weights.pt")}.get(name, name)
    given = [{"ALBUM": str(album), "nope": model}.get(each, each) for each in arguments]
    answer = CliRunner().invoke(
        main, ["--data-dir", str(captioned), *([] if "config" in given else ["--set", f"model={model}"]), *given]
    )

    assert answer.exit_code == 1
    lines = answer.stderr.splitlines()
    assert lines[:-1] == (["waiting for photos; Ctrl-C stops"] if given == ["worker"] else [])
    assert lines[-1].startswith("photoindex: ")
    assert model in lines[-1]
    assert not (captioned / "photoindex.toml").exists()


def test_a_model_that_is_none_matters_to_no_queue_that_others_work_off(captioned: Path, album: Path) -> None:
    given = ["--data-dir", str(captioned), "--set", "model=nope"]
    assert CliRunner().invoke(main, [*given, "index", "--queue-only", str(album)]).exit_code == 0
    assert CliRunner().invoke(main, [*given, "search", "red"]).exit_code == 0
