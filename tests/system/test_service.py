"""What each system's service manager is given, read back by its own format's rules; the platform is made up."""

from __future__ import annotations

import configparser
import os
import plistlib
import re
import shutil
import subprocess
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from xml.etree import ElementTree

import pytest

from photoindex.errors import ServiceError
from photoindex.system.service import TASK_NAMESPACE, ServicePlan, plan, watch_command

NASTY = [
    "with space", "tab\tand\nline", 'quote"s', "apo'strophe", "back\\slash", "trailing\\", "100% $HOME ${x} %h %%",
    "; rm -rf", "# no comment", "naïve 写真", "<a & b>", "-dash", "`tick`", "a=b [c]",
]  # fmt: skip
HOME = PurePosixPath("/home/anna b")


def made(platform: str, folders: list[str], environment: dict[str, str] | None = None) -> ServicePlan:
    home: PurePath = PureWindowsPath("C:/Users/Anna B") if platform == "win32" else HOME
    python = "C:\\Program Files\\py\\python.exe" if platform == "win32" else "/opt/my venv/bin/python"
    kind = type(home)
    command = watch_command(python, platform, home / "data dir", None, [kind(home / folder) for folder in folders])
    return plan(platform, command, home=home, data_dir=home / "data dir", environment=environment or {}, user_id=501)


def unquoted(line: str) -> list[str]:
    """The arguments of an ExecStart line, by the rules of systemd.service(5): quotes, C escapes, %% for %."""
    assert line.startswith(":")  # no variables
    found = []
    for quoted in re.findall(r'"((?:[^"\\]|\\.)*)"', line[1:]):
        raw = re.sub(
            r'\\x([0-9a-f]{2})|\\(["\\])',
            lambda match: chr(0xDC00 + int(match[1], 16)) if match[1] and int(match[1], 16) > 127
            else chr(int(match[1], 16)) if match[1] else match[2],
            quoted,
        )  # fmt: skip
        found.append(raw.replace("%%", "%"))
        assert "%" not in quoted.replace("%%", "")
    return found


def parsed_unit(content: bytes) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(interpolation=None, delimiters="=", comment_prefixes=("#", ";"), strict=True)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(content.decode())
    return unit


class TestSystemd:
    @pytest.mark.parametrize("name", [*NASTY, "caf\udce9"])
    def test_any_path_comes_out_as_it_went_in(self, name: str) -> None:
        line = parsed_unit(made("linux", [name, "other"]).content)["Service"]["ExecStart"]
        assert unquoted(line) == [
            "/opt/my venv/bin/python", "-m", "photoindex", "--data-dir", "/home/anna b/data dir", "watch", "--",
            f"/home/anna b/{name}", "/home/anna b/other",
        ]  # fmt: skip

    def test_the_unit_is_the_users_and_comes_back_after_a_failure(self) -> None:
        found = made("linux", ["a"])
        assert found.file == HOME / ".config/systemd/user/photoindex.service"
        unit = parsed_unit(found.content)
        assert (unit["Service"]["Restart"], unit["Install"]["WantedBy"]) == ("on-failure", "default.target")
        assert made("linux", ["a"], {"XDG_CONFIG_HOME": "/cfg"}).file == PurePosixPath(
            "/cfg/systemd/user/photoindex.service"
        )
        for odd in ("", "cfg", "~/cfg"):
            assert made("linux", ["a"], {"XDG_CONFIG_HOME": odd}).file == found.file
        assert all(command[:2] == ("systemctl", "--user") for command in (*found.install, *found.remove, found.status))

    @pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
    def test_systemd_itself_takes_it(self, tmp_path: Path) -> None:
        folders = [PurePosixPath(f"/home/anna b/{name}") for name in NASTY]
        command = watch_command("/bin/true", "linux", HOME / "data", None, folders)
        found = plan("linux", command, home=HOME, data_dir=HOME / "data", environment={})
        unit = tmp_path / "photoindex.service"
        unit.write_bytes(found.content)
        done = subprocess.run(
            ["systemd-analyze", "verify", "--user", str(unit)], capture_output=True, text=True, check=False,
            env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        )  # fmt: skip
        assert [line for line in done.stderr.splitlines() if "photoindex.service" in line] == []


class TestLaunchd:
    @pytest.mark.parametrize("name", [name for name in NASTY if name.isprintable()])
    def test_any_path_comes_out_as_it_went_in(self, name: str) -> None:
        agent = plistlib.loads(made("darwin", [name]).content)
        assert agent["ProgramArguments"][-3:] == ["watch", "--", f"/home/anna b/{name}"]

    def test_the_agent_is_the_users_and_comes_back_after_a_failure(self) -> None:
        found = made("darwin", ["a"])
        assert found.file == HOME / "Library/LaunchAgents/org.photoindex.watch.plist"
        agent = plistlib.loads(found.content)
        assert (agent["Label"], agent["RunAtLoad"], agent["KeepAlive"]) == (
            found.file.stem, True, {"SuccessfulExit": False},
        )  # fmt: skip
        assert found.install == (("launchctl", "bootstrap", "gui/501", str(found.file)),)

    @pytest.mark.parametrize("name", ["bell\a", "caf\udce9"])
    def test_what_its_format_cannot_hold_is_refused(self, name: str) -> None:
        with pytest.raises(ServiceError, match="rename it"):
            made("darwin", [name])


class TestWindows:
    @staticmethod
    def texts(content: bytes, name: str) -> list[str | None]:
        task = ElementTree.fromstring(content)
        return [element.text for element in task.iter(f"{{{TASK_NAMESPACE}}}{name}")]

    @pytest.mark.parametrize("name", ["with space", "naïve 写真", "a & b", "100% sure", "apo'strophe", "-dash", "a;b"])
    def test_any_path_comes_out_as_it_went_in(self, name: str) -> None:
        content = made("win32", [name]).content
        assert content.startswith(b"\xff\xfe")
        assert self.texts(content, "Command") == ["C:\\Program Files\\py\\python.exe"]
        [arguments] = self.texts(content, "Arguments")
        folder = f"C:\\Users\\Anna B\\{name}"
        assert arguments == (f'-m photoindex --data-dir "C:\\Users\\Anna B\\data dir" watch -- "{folder}"')

    def test_the_task_starts_when_its_user_logs_on_and_has_no_end(self) -> None:
        found = made("win32", ["a"], {"USERDOMAIN": "HOME-PC", "USERNAME": "anna"})
        assert self.texts(found.content, "UserId") == ["HOME-PC\\anna"] * 2
        assert self.texts(found.content, "ExecutionTimeLimit") == ["PT0S"]
        assert found.file == PureWindowsPath("C:/Users/Anna B/data dir/watch-task.xml")
        assert found.install[0][:2] == ("schtasks", "/Create")

    @pytest.mark.parametrize("name", ["%TEMP%", "bell\a", "half \ud800"])
    def test_what_its_format_cannot_hold_is_refused(self, name: str) -> None:
        with pytest.raises(ServiceError):
            made("win32", [name])


def test_an_unknown_platform_is_said() -> None:
    with pytest.raises(ServiceError, match="freebsd"):
        made("freebsd14", ["a"])
