"""``service`` as it is typed, on a Linux whose systemctl only notes what it was told."""

import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from photoindex.cli.main import main

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in for systemctl is a shell script")


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What systemctl was told, a line each. The user's home is made up."""
    programs = tmp_path / "bin"
    programs.mkdir()
    noted = tmp_path / "told"
    noted.touch()
    script = programs / "systemctl"
    script.write_text(f'#!/bin/sh\necho "$@" >> {noted}\n[ "$2" = is-active ] && echo active\nexit 0\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for variable in ("XDG_CONFIG_HOME", "PHOTOINDEX_READ_TEXT"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    return noted


def run(data_dir: Path, *arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(data_dir), "service", *arguments], input=answer)


def test_the_gallery_can_be_kept_running(told: Path, data_dir: Path, album: Path) -> None:
    shown = run(data_dir, "install", "--serve", "--port", "8421", "--dry-run", str(album)).stdout
    assert f'"serve" "--no-browser" "--port" "8421" "--" "{album}"' in shown


def test_settings_of_the_command_are_the_services(
    told: Path, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PHOTOINDEX_NICE", "7")
    for given, there in [
        ("max-rate=2", "max_rate=2"), ("model=own", f"model={own}"), ("model=default", "model=default"),
    ]:  # fmt: skip
        result = CliRunner().invoke(main, ["--set", given, "service", "install", "--dry-run", str(album)])
        assert f'"--set" "{there}" "watch" "--" "{album}"' in result.stdout
    assert result.stderr == "PHOTOINDEX_NICE does not reach the service: photoindex config set nice … does\n"
    refused = CliRunner().invoke(main, ["--set", "model=none", "service", "install", "--dry-run", str(album)])
    assert (refused.exit_code, "no model 'none'" in refused.stderr) == (1, True)


def test_it_is_shown_asked_for_written_and_removed(told: Path, data_dir: Path, album: Path, tmp_path: Path) -> None:
    unit = tmp_path / "home/.config/systemd/user/photoindex.service"
    assert run(data_dir, "status").stdout == "not installed\n"
    shown = run(data_dir, "install", "--dry-run", str(album)).stdout
    assert f"write {unit}:" in shown
    assert f'"watch" "--" "{album}"' in shown
    assert "run systemctl --user enable photoindex.service" in shown
    assert run(data_dir, "install", str(album), answer="n\n").exit_code == 1
    assert not unit.exists()
    assert told.read_text() == ""
    assert run(data_dir, "install", str(album), answer="y\n").exit_code == 0
    assert f'"{album}"' in unit.read_text()
    assert told.read_text().splitlines() == [
        "--user daemon-reload", "--user enable photoindex.service", "--user restart photoindex.service",
    ]  # fmt: skip
    assert run(data_dir, "status").stdout == f"installed: {unit}\nactive\n"
    assert run(data_dir, "uninstall", "--dry-run").exit_code == 0
    assert unit.exists()
    assert run(data_dir, "uninstall", "--yes").exit_code == 0
    assert not unit.exists()
    assert told.read_text().splitlines()[-2:] == [
        "--user disable --now photoindex.service", "--user daemon-reload",
    ]  # fmt: skip
    assert run(data_dir, "uninstall").stderr == "not installed\n"


def test_what_systemd_refuses_is_one_line(told: Path, data_dir: Path, album: Path, tmp_path: Path) -> None:
    (tmp_path / "bin" / "systemctl").write_text("#!/bin/sh\necho no bus >&2\nexit 1\n")
    result = run(data_dir, "install", "--yes", str(album))
    assert (result.exit_code, result.stderr) == (
        1, "photoindex: systemctl --user daemon-reload failed: no bus\n",
    )  # fmt: skip


REFUSING = '#!/bin/sh\necho "$@" >> {told}\n[ "$2" = {verb} ] && {{ echo no bus >&2; exit 1; }}\nexit 0\n'


@pytest.mark.parametrize("verb", ["daemon-reload", "enable", "restart"])
def test_what_could_not_be_installed_is_not_installed(
    told: Path, data_dir: Path, album: Path, tmp_path: Path, verb: str
) -> None:
    (tmp_path / "bin" / "systemctl").write_text(REFUSING.format(told=told, verb=verb))
    result = run(data_dir, "install", "--yes", str(album))
    assert (result.exit_code, "failed: no bus\n" in result.stderr) == (1, True)
    assert not (tmp_path / "home/.config/systemd/user/photoindex.service").exists()
    assert run(data_dir, "status").stdout == "not installed\n"
    assert told.read_text().splitlines()[-2:] == [
        "--user disable --now photoindex.service", "--user daemon-reload",
    ]  # fmt: skip


def test_a_service_that_cannot_be_replaced_goes_on(told: Path, data_dir: Path, album: Path, tmp_path: Path) -> None:
    unit = tmp_path / "home/.config/systemd/user/photoindex.service"
    assert run(data_dir, "install", "--yes", str(album)).exit_code == 0
    before = unit.read_bytes()
    (tmp_path / "bin" / "systemctl").write_text(REFUSING.format(told=told, verb="enable"))
    assert run(data_dir, "install", "--yes", str(album.parent)).exit_code == 1
    assert unit.read_bytes() == before
    assert told.read_text().splitlines()[-1] == "--user restart photoindex.service"


def test_it_is_removed_where_systemd_does_not_answer(told: Path, data_dir: Path, album: Path, tmp_path: Path) -> None:
    assert run(data_dir, "install", "--yes", str(album)).exit_code == 0
    (tmp_path / "bin" / "systemctl").write_text("#!/bin/sh\necho no bus >&2\nexit 1\n")
    result = run(data_dir, "uninstall", "--yes")
    assert (result.exit_code, result.stderr) == (0, "removed\n")
    assert run(data_dir, "status").stdout == "not installed\n"


def test_without_a_folder_there_is_nothing_to_watch(told: Path, data_dir: Path, tmp_path: Path) -> None:
    assert "name those to watch" in run(data_dir, "install", "--yes").stderr
    assert "no such folder" in run(data_dir, "install", "--yes", str(tmp_path / "none")).stderr


def test_without_systemd_nothing_is_written(
    told: Path, data_dir: Path, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run(data_dir, "install", "--yes", str(album))
    assert "systemctl is not on this machine" in result.stderr
    assert not (tmp_path / "home").exists()
