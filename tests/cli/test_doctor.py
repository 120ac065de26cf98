"""What ``photoindex doctor`` prints, and its exit status."""

from __future__ import annotations

import configparser
import importlib.metadata
import json
import os
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from photoindex.catalogue.opening import open_database
from photoindex.cli.main import main
from photoindex.media.formats import FORMATS, RAW, PhotoFormat
from tests.support import REPOSITORY, make_model_folder

READERS = "photoindex.media.decode.readers.plugin_works"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_model_folder(tmp_path / "tiny")


@pytest.fixture
def catalogue(data_dir: Path) -> Path:
    """An empty catalogue that nobody has open, with a backup."""
    path = data_dir / "catalogue.sqlite3"
    with closing(open_database(path)) as database:
        database.backup(data_dir / "catalogue-before-upgrade-from-0001-20240501T000000Z.sqlite3")
    return path


def run(data_dir: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(data_dir), *map(str, arguments)])


def test_a_line_a_check_and_the_sum_at_the_end(data_dir: Path, model: Path) -> None:
    result = run(data_dir, "doctor", "--model", model)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert {line.split()[0] for line in lines} <= {"ok", "warning"}
    assert "ok       catalogue: none yet; photoindex index PATH makes it" in lines
    assert result.stderr.startswith("0 problems")
    assert not data_dir.exists()


def test_a_problem_comes_with_advice_and_exit_status_1(data_dir: Path, model: Path) -> None:
    (model / "model.safetensors").unlink()
    result = run(data_dir, "doctor", "--model", model)
    assert result.exit_code == 1
    [line] = [line for line in result.stdout.splitlines() if line.startswith("problem")]
    assert line == (
        f"problem  model: {model / 'model.safetensors'} is missing; the model folder is incomplete"
        " -> name another --model, or copy it again"
    )


def test_json_has_the_same(data_dir: Path, model: Path) -> None:
    answer = json.loads(run(data_dir, "doctor", "--model", model, "--json").stdout)
    assert answer["healthy"] is True
    assert {
        "name": "catalogue",
        "level": "ok",
        "message": "none yet; photoindex index PATH makes it",
        "advice": None,
    } in (answer["findings"])
    (model / "terms.txt").unlink()
    assert json.loads(run(data_dir, "doctor", "--model", model, "--json").stdout)["healthy"] is False


def test_a_setting_that_is_wrong_is_a_problem_and_the_rest_is_checked(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "photoindex.toml").write_text("beam_widht = 3\n")
    result = run(data_dir, "doctor")
    assert result.exit_code == 1
    assert result.stdout.startswith("problem  settings: unknown setting beam_widht")
    assert f"ok       data folder: {data_dir}" in result.stdout


@pytest.mark.skipif(os.name == "nt", reason="file names are text on Windows")
def test_a_path_that_is_no_text_is_printed_with_escapes(tmp_path: Path, model: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\n"))
    folder.mkdir()
    result = run(folder, "doctor", "--model", model)
    assert f"data folder: {tmp_path}/caf\\xe9\\n on" in result.stdout
    assert json.loads(run(folder, "doctor", "--model", model, "--json").stdout)["healthy"] is True


def test_a_damaged_catalogue_is_restored_as_advised(catalogue: Path, model: Path) -> None:
    with catalogue.open("r+b") as file:
        file.write(b"\xa5" * 10_000)
    broken = run(catalogue.parent, "doctor", "--model", model)
    assert broken.exit_code == 1
    assert "-> photoindex doctor --restore-backup puts back" in broken.stdout
    result = run(catalogue.parent, "doctor", "--restore-backup")
    assert result.exit_code == 0
    assert "the damaged catalogue is kept as" in result.stderr
    assert run(catalogue.parent, "doctor", "--model", model).exit_code == 0
    again = run(catalogue.parent, "doctor", "--restore-backup")
    assert (again.exit_code, again.stderr.count("\n")) == (1, 1)
    assert "nothing was restored" in again.stderr


def test_other_commands_send_the_owner_of_a_damaged_catalogue_to_the_doctor(catalogue: Path) -> None:
    with catalogue.open("r+b") as file:
        file.write(b"\xa5" * 10_000)
    result = run(catalogue.parent, "search", "dog")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "photoindex doctor" in result.stderr


class TestFormats:
    def test_each_format_has_what_reads_it_or_what_adds_that(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def works(photo_format: PhotoFormat) -> bool:
            return photo_format is not RAW

        monkeypatch.setattr(READERS, works)
        result = run(data_dir, "formats")
        lines = {line[5:15].strip(): line for line in result.stdout.splitlines() if line[:3].strip()}
        assert lines["JPEG"].startswith("yes  JPEG")
        assert "Pillow" in lines["JPEG"]
        assert lines["camera raw"].startswith("no   camera raw")
        assert "pip install 'photoindex[raw]'" in lines["camera raw"]
        assert " .nef " in result.stdout
        assert "failures retry" in result.stdout
        assert not data_dir.exists()

    def test_as_json(self, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(READERS, lambda _: False)
        found = {each["format"]: each for each in json.loads(run(data_dir, "formats", "--json").stdout)}
        assert list(found) == [each.name for each in FORMATS]
        assert found["JPEG"] == {
            "format": "JPEG",
            "reads": True,
            "library": "Pillow",
            "version": importlib.metadata.version("Pillow"),
            "suffixes": [".jfif", ".jpe", ".jpeg", ".jpg", ".mpo"],
            "install": None,
        }
        assert (found["HEIC"]["reads"], found["HEIC"]["install"]) == (False, "pip install 'photoindex[heif]'")

    def test_the_extras_that_are_advised_exist(self) -> None:
        setup = configparser.ConfigParser()
        setup.read(REPOSITORY / "setup.cfg")
        advised = {each.install.partition("[")[2].rstrip("]'"): each.package for each in FORMATS if "[" in each.install}
        assert {name: setup["options.extras_require"][name].split()[0] for name in advised} == advised
