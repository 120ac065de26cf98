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


@pytest.fixture
def homeless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where the program runs, for a user without a home folder, as in a container."""
    import pwd

    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for variable in ("HOME", "XDG_DATA_HOME", "PHOTOINDEX_DATA_DIR"):
        monkeypatch.delenv(variable, raising=False)
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.skipif(os.name == "nt", reason="Windows knows every user's home folder")
class TestWithoutAHome:
    @pytest.mark.parametrize(
        "command",
        [
            "search x", "index .", "status", "config path", "config set nice 3", "doctor", "service status",
            "models list",
        ],
    )  # fmt: skip
    def test_a_data_folder_is_asked_for(self, homeless: Path, command: str) -> None:
        result = CliRunner().invoke(main, command.split())
        assert (result.exit_code, result.stderr) == (
            1,
            "photoindex: your home folder is not known (HOME): name a data folder with --data-dir or "
            "PHOTOINDEX_DATA_DIR\n",
        )
        assert list(homeless.iterdir()) == []

    def test_nothing_is_missed_where_one_is_named(self, homeless: Path, tmp_path: Path) -> None:
        data_dir = tmp_path / "data"
        assert run(data_dir, "config", "set", "nice", "3").exit_code == 0
        assert run(data_dir, "config", "get", "nice").stdout == "3\n"
        assert '# data_dir = ""\n' in (data_dir / "photoindex.toml").read_text()
        assert "home folder is not known" in run(data_dir, "service", "status").stderr

    @pytest.mark.parametrize("path", ["~/data", "~nobody-of-this-name/data"])
    def test_no_folder_with_a_tilde_is_made(
        self, homeless: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
    ) -> None:
        refused = f"is '{path}', and there is no such home folder: give the whole path\n"
        result = CliRunner().invoke(main, ["--data-dir", path, "index", "."])
        assert (result.exit_code, result.stderr) == (1, f"photoindex: --data-dir {refused}")
        monkeypatch.setenv("PHOTOINDEX_DATA_DIR", path)
        assert CliRunner().invoke(main, ["status"]).stderr == f"photoindex: PHOTOINDEX_DATA_DIR {refused}"
        file = tmp_path / "settings.toml"
        file.write_text(f'data_dir = "{path}"\n')
        monkeypatch.delenv("PHOTOINDEX_DATA_DIR")
        result = CliRunner().invoke(main, ["--config", str(file), "status"])
        assert result.stderr == f"photoindex: data_dir in {file} {refused}"
        assert f"no model '{path}'" in run(tmp_path, "models", "info", path).stderr
        assert "no absolute path" in run(tmp_path, "--set", f"mounts=a={path}", "config", "show").stderr
        assert list(homeless.iterdir()) == []
