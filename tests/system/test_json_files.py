"""JSON files that hold anything: one kind of error each, and no wait."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from photoindex.captioner.model_files import inspect_folder
from photoindex.errors import CheckpointError, FullTextError
from photoindex.search.fulltext.generations import Generations, is_complete
from photoindex.system.json_files import parse_json, read_json

BROKEN = ["[" * 100_000, '{"a":' * 100_000, "9" * 6000 + "x", "", "{", "\udcff", "nul"]


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_no_json_is_a_value_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)
    (tmp_path / "x").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=r"."):
        read_json(tmp_path / "x")


@pytest.mark.parametrize("text", BROKEN)
def test_models_and_indexes_with_such_files_are_told_in_one_line(tmp_path: Path, text: str) -> None:
    for name in ("config.json", "current.json"):
        (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(CheckpointError):
        inspect_folder(tmp_path)
    with pytest.raises(FullTextError):
        Generations(tmp_path, {}).current()
    assert not is_complete(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x")
    with pytest.raises(OSError, match=r"."):
        read_json(tmp_path / "x")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("[" + "1," * 100 + "1]")
    with pytest.raises(OSError, match="more than 100 bytes"):
        read_json(tmp_path / "x", 100)
    assert len(read_json(tmp_path / "x")) == 101
