"""``config`` as it is typed."""

import json
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from photoindex.cli.main import main


def run(data_dir: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(data_dir), *arguments])


def test_a_setting_is_set_got_and_shown_with_where_it_comes_from(data_dir: Path) -> None:
    file = data_dir / "photoindex.toml"
    assert run(data_dir, "config", "path").stdout == f"{file}\n"
    assert run(data_dir, "config", "set", "beam_width", "5").exit_code == 0
    assert run(data_dir, "config", "get", "beam_width").stdout == "5\n"
    shown = run(data_dir, "config", "show").stdout
    assert f"5  (file: {file})" in shown
    assert "auto  (default)" in shown
    assert f"{data_dir}  (flag: --data-dir)" in shown
    told = json.loads(run(data_dir, "config", "show", "--json").stdout)
    assert told["beam_width"] == {"value": 5, "from": "file", "where": str(file)}
    assert told["device"] == {"value": "auto", "from": "default", "where": None}


def test_any_setting_can_be_changed_for_one_run(data_dir: Path) -> None:
    assert run(data_dir, "--set", "max-pixels=9", "config", "get", "max_pixels").stdout == "9\n"
    wrong = run(data_dir, "--set", "max_pixel=9", "config", "show")
    assert (wrong.exit_code, wrong.stderr) == (
        1, "photoindex: unknown setting --max-pixel; did you mean max_pixels?\n",
    )  # fmt: skip
    assert run(data_dir, "--set", "max_pixels", "config", "show").exit_code == 2


def test_what_goes_before_the_file_is_said(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHOTOINDEX_THREADS", "2")
    told = run(data_dir, "config", "set", "threads", "1").stderr
    assert told.endswith("PHOTOINDEX_THREADS goes before it\n")
    assert run(data_dir, "config", "get", "threads").stdout == "2\n"


def test_a_wrong_value_changes_nothing(data_dir: Path) -> None:
    run(data_dir, "config", "set", "threads", "1")
    before = (data_dir / "photoindex.toml").read_bytes()
    for name, value in (("threads", "-1"), ("threads", "x"), ("thread", "1"), ("model", "caf\udce9")):
        result = run(data_dir, "config", "set", name, value)
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert (data_dir / "photoindex.toml").read_bytes() == before
    assert [path.name for path in data_dir.iterdir()] == ["photoindex.toml"]


@pytest.mark.skipif(os.name == "nt", reason="the editor is a shell command")
def test_editing_begins_with_an_explained_file_and_says_what_is_wrong(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor.py"
    editor.write_text("import sys\nopen(sys.argv[1], 'a').write('beam_widht = 4\\n')\n")
    monkeypatch.setenv("VISUAL", f"{sys.executable} {editor}")
    result = run(data_dir, "config", "edit")
    assert result.exit_code == 1
    assert result.stderr.endswith("did you mean beam_width?\n")
    text = (data_dir / "photoindex.toml").read_text()
    assert text.startswith("# Settings of photoindex.")
    assert text.endswith("beam_widht = 4\n")
