"""A model's folder, examined without torch: complete, of one model, and never a pickle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from photoindex.captioner import model_folder
from photoindex.captioner.model_files import WEIGHTS_FILE, inspect_folder
from photoindex.errors import CheckpointError, PickleRefused
from tests.support import make_model_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_model_folder(tmp_path / "tiny")


def test_a_complete_folder_says_what_it_is(folder: Path) -> None:
    found = inspect_folder(folder)
    assert (found.name, found.labels, found.terms) == ("tiny", 1000, 3)
    assert found.identity.startswith("tiny-")
    assert found.weights_bytes == (folder / WEIGHTS_FILE).stat().st_size


def test_the_shipped_model_is_complete_and_goes_by_its_name() -> None:
    found = inspect_folder(model_folder("default"))
    assert found.identity.startswith(f"{found.folder.name}-")
    assert found.terms > 0
    assert found.labels == 1000


@pytest.mark.parametrize("name", ["config.json", "vocabulary.txt", "terms.txt", WEIGHTS_FILE])
def test_a_file_that_is_missing_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=name) as caught:
        inspect_folder(folder)
    assert len(str(caught.value).splitlines()) == 1


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such folder"):
        inspect_folder(tmp_path / "nowhere")


@pytest.mark.parametrize("length", [0, 7, 20, -1])
def test_weights_that_end_too_soon_are_damaged(folder: Path, length: int) -> None:
    weights = folder / WEIGHTS_FILE
    weights.write_bytes(weights.read_bytes()[:length])
    with pytest.raises(CheckpointError, match="damaged"):
        inspect_folder(folder)


def test_a_header_that_makes_no_sense_is_damage(folder: Path) -> None:
    weights = folder / WEIGHTS_FILE
    content = bytearray(weights.read_bytes())
    content[8:12] = b"\xff\xfe\xfd\xfc"
    weights.write_bytes(content)
    with pytest.raises(CheckpointError, match="its header makes no sense"):
        inspect_folder(folder)


def test_a_pickle_in_the_place_of_the_weights_is_refused(folder: Path) -> None:
    shutil.move(folder / WEIGHTS_FILE, folder / "model.pt")
    with pytest.raises(PickleRefused, match=r"model\.pt"):
        inspect_folder(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("vocabulary.txt", "<pad>\n<start>\n<end>\n<unk>\ndog\n", "not of one model"),
        ("terms.txt", "dog\ngrass\n", "names 2 terms"),
        ("labels.txt", "cat\n", "names 1 object classes"),
        ("config.json", "{}", "not a photoindex model config"),
        ("config.json", "{", "cannot read"),
    ],
)
def test_files_that_are_not_of_one_model_are_noticed(folder: Path, name: str, content: str, message: str) -> None:
    (folder / name).write_text(content)
    with pytest.raises(CheckpointError, match=message):
        inspect_folder(folder)


def test_a_setting_that_is_missing_is_noticed(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    del config["decoder"]["vocabulary_size"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="vocabulary_size"):
        inspect_folder(folder)


def test_labels_may_be_left_out(folder: Path) -> None:
    (folder / "labels.txt").unlink()
    assert inspect_folder(folder).labels == 0
