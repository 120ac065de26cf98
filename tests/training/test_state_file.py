"""The state of a training is written whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError, safe_open

from photoindex.errors import CheckpointError
from photoindex.training import state_file
from photoindex.training.state_file import save_state


def value_in(path: Path) -> float:
    with safe_open(path, "pt") as file:
        return float(file.get_tensor("a")[0])


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    for value in (1.0, 2.0):
        save_state({"a": torch.full((3,), value)}, path, {"name": "x"})
        assert value_in(path) == value
    assert list(tmp_path.iterdir()) == [path]


def test_what_the_system_refuses_is_an_error_of_the_system(tmp_path: Path) -> None:
    path = tmp_path / "no such folder" / "a.safetensors"
    with pytest.raises(FileNotFoundError) as caught:
        save_state({"a": torch.zeros(3)}, path, {})
    assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, str(path))


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object, temporary: Path, **_more: object) -> None:
        temporary.write_bytes(b"half of it")
        raise SafetensorError("never seen before")

    path = tmp_path / "a.safetensors"
    save_state({"a": torch.ones(3)}, path, {})
    with monkeypatch.context() as patch, pytest.raises(CheckpointError, match="cannot write"):
        patch.setattr(state_file, "save_file", refuse)
        save_state({"a": torch.zeros(3)}, path, {})
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(PermissionError(errno.EACCES, "no")))
    with pytest.raises(PermissionError):
        save_state({"a": torch.zeros(3)}, path, {})
    assert value_in(path) == 1.0
    assert list(tmp_path.iterdir()) == [path]
