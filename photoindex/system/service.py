"""A watch that the system starts with the user's session: as systemd, launchd and the Windows Task Scheduler have it.

Nothing is done here: :func:`plan` says which file would be written, with what in it, and which commands would be run.
"""

from __future__ import annotations

import os
import plistlib
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from xml.etree import ElementTree

from photoindex.errors import ServiceError

UNIT = "photoindex.service"
LABEL = "org.photoindex.watch"
TASK = "photoindex watch"
DESCRIPTION = "photoindex: captions photos as they come"
TASK_NAMESPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """What installing, asking for and removing the service takes.

    ``file`` holds ``content``. The commands are argument lists; those of ``prepare`` may fail, as they only undo what
    an earlier installation left. ``hint`` is for the person.
    """

    file: PurePath
    content: bytes
    install: tuple[tuple[str, ...], ...]
    remove: tuple[tuple[str, ...], ...]
    after_removal: tuple[tuple[str, ...], ...]
    status: tuple[str, ...]
    prepare: tuple[tuple[str, ...], ...] = ()
    hint: str = ""


def plan(
    platform: str,
    command: Sequence[str],
    *,
    home: PurePath,
    data_dir: PurePath,
    environment: Mapping[str, str],
    user_id: int = 0,
) -> ServicePlan:
    """How ``command`` (a watch, with absolute paths) is kept running on a platform, as ``sys.platform`` names it.

    Raises :class:`ServiceError` for a platform without any of the three, and for a command that its format cannot hold.
    """
    if platform.startswith("linux"):
        return _systemd(command, home, environment)
    if platform == "darwin":
        return _launchd(command, home, user_id)
    if platform == "win32":
        return _task(command, data_dir, environment)
    raise ServiceError(f"no service manager of {platform} is known here: start `photoindex watch` as your system does")


# ---- systemd -------------------------------------------------------------------------------------


def systemd_quoted(argument: str) -> str:
    """One argument of a command in a unit file: in quotes, with C escapes and doubled percent signs.

    systemd.service(5), "Command lines", and systemd.syntax(7), "Quoting". Bytes that are no text become escapes.
    """
    escaped = []
    for letter in argument:
        if letter in '\\"':
            escaped.append("\\" + letter)
        elif letter == "%":
            escaped.append("%%")
        elif "\udc80" <= letter <= "\udcff" or ord(letter) < 32 or ord(letter) == 127:
            escaped += [f"\\x{byte:02x}" for byte in letter.encode("utf-8", "surrogateescape")]
        else:
            escaped.append(letter)
    return '"' + "".join(escaped) + '"'


def _systemd(command: Sequence[str], home: PurePath, environment: Mapping[str, str]) -> ServicePlan:
    # The colon keeps $ from meaning a variable (systemd 244).
    line = ":" + " ".join(map(systemd_quoted, command))
    content = (
        f"[Unit]\nDescription={DESCRIPTION}\n\n"
        f"[Service]\nExecStart={line}\nRestart=on-failure\nRestartSec=30\nNice=10\nIOSchedulingClass=idle\n\n"
        "[Install]\nWantedBy=default.target\n"
    )
    folder = PurePosixPath(environment.get("XDG_CONFIG_HOME", ""))
    if not folder.is_absolute():  # such are to be ignored: XDG Base Directory Specification, "Basics"
        folder = PurePosixPath(home / ".config")
    user = ("systemctl", "--user")
    return ServicePlan(
        file=folder / "systemd" / "user" / UNIT,
        content=content.encode(),
        install=((*user, "daemon-reload"), (*user, "enable", UNIT), (*user, "restart", UNIT)),
        remove=((*user, "disable", "--now", UNIT),),
        after_removal=((*user, "daemon-reload"),),
        status=(*user, "is-active", UNIT),
        hint="it runs while you are logged in; `loginctl enable-linger` lets it run always. "
        f"What it says: journalctl --user -u {UNIT}",
    )


# ---- launchd -------------------------------------------------------------------------------------


def _launchd(command: Sequence[str], home: PurePath, user_id: int) -> ServicePlan:
    log = home / "Library" / "Logs" / "photoindex.log"
    agent = {
        "Label": LABEL,
        "ProgramArguments": list(command),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 30,
        "ProcessType": "Background",
        "LowPriorityIO": True,
        "StandardErrorPath": str(log),
    }
    try:
        content = plistlib.dumps(agent)
    except (ValueError, UnicodeEncodeError) as error:  # a control character, or bytes that are no text
        raise ServiceError("a path has characters in it that launchd's files cannot hold: rename it") from error
    path, domain = home / "Library" / "LaunchAgents" / f"{LABEL}.plist", f"gui/{user_id}"
    return ServicePlan(
        file=path,
        content=content,
        prepare=(("launchctl", "bootout", f"{domain}/{LABEL}"),),
        install=(("launchctl", "bootstrap", domain, str(path)),),
        remove=(("launchctl", "bootout", f"{domain}/{LABEL}"),),
        after_removal=(),
        status=("launchctl", "print", f"{domain}/{LABEL}"),
        hint=f"what it says: {log}. It needs leave to read your photos: System Settings, Privacy & Security, "
        "Files and Folders",
    )


# ---- Windows -------------------------------------------------------------------------------------


def _task(command: Sequence[str], data_dir: PurePath, environment: Mapping[str, str]) -> ServicePlan:
    arguments = subprocess.list2cmdline(command[1:])
    # The scheduler would put in the variable's value, and has no way to say that none is meant.
    if re.search(r"%[^%]+%", command[0] + " " + arguments):
        raise ServiceError("a path has a name between two percent signs, which Windows would take for a variable")
    # Only an administrator may have something started when anybody logs on.
    user = "\\".join(filter(None, (environment.get("USERDOMAIN"), environment.get("USERNAME"))))
    ElementTree.register_namespace("", TASK_NAMESPACE)
    task = _element("Task", {"version": "1.2"})
    _nested(task, "RegistrationInfo", {"Description": DESCRIPTION})
    _nested(_nested(task, "Triggers", {}), "LogonTrigger", {"Enabled": "true", "UserId": user})
    principal = _nested(_nested(task, "Principals", {}), "Principal", {"UserId": user, "LogonType": "InteractiveToken"})
    principal.set("id", "Author")
    settings = _nested(task, "Settings", {
        "MultipleInstancesPolicy": "IgnoreNew", "DisallowStartIfOnBatteries": "false",
        "StopIfGoingOnBatteries": "false", "StartWhenAvailable": "true", "ExecutionTimeLimit": "PT0S", "Priority": "7",
    })  # fmt: skip
    _nested(settings, "RestartOnFailure", {"Interval": "PT1M", "Count": "255"})
    actions = _nested(task, "Actions", {})
    actions.set("Context", "Author")
    _nested(actions, "Exec", {"Command": command[0], "Arguments": arguments})
    ElementTree.indent(task)
    text = ElementTree.tostring(task, encoding="unicode")
    if re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", text):
        raise ServiceError("a path has characters in it that Windows' tasks cannot hold: rename it")
    path = PureWindowsPath(data_dir) / "watch-task.xml"
    return ServicePlan(
        file=path,
        content=('<?xml version="1.0" encoding="UTF-16"?>\n' + text + "\n").encode("utf-16"),
        install=(("schtasks", "/Create", "/TN", TASK, "/XML", str(path), "/F"), ("schtasks", "/Run", "/TN", TASK)),
        remove=(("schtasks", "/End", "/TN", TASK), ("schtasks", "/Delete", "/TN", TASK, "/F")),
        after_removal=(),
        status=("schtasks", "/Query", "/TN", TASK, "/FO", "LIST"),
    )


def _element(name: str, attributes: Mapping[str, str]) -> ElementTree.Element:
    return ElementTree.Element(f"{{{TASK_NAMESPACE}}}{name}", dict(attributes))


def _nested(parent: ElementTree.Element, name: str, texts: Mapping[str, str]) -> ElementTree.Element:
    """A new element in ``parent``, with elements that hold these texts."""
    element = ElementTree.SubElement(parent, f"{{{TASK_NAMESPACE}}}{name}")
    for inner, text in texts.items():
        ElementTree.SubElement(element, f"{{{TASK_NAMESPACE}}}{inner}").text = text
    return element


def watch_command(
    executable: str, platform: str, data_dir: PurePath, config: PurePath | None, folders: Sequence[PurePath],
    *, serve: Sequence[str] | None = None, settings: Mapping[str, str] | None = None,
) -> list[str]:  # fmt: skip
    """The watch, or with ``serve``, its options, the gallery, as a service runs it: by this Python, whatever the user's
    PATH is then, and without a window. ``settings`` are those of ``--set``."""
    python = PureWindowsPath(executable) if platform == "win32" else PurePosixPath(executable)
    windowless = python.with_name("pythonw.exe")
    if platform == "win32" and os.path.exists(windowless):
        python = windowless
    given = [] if config is None else ["--config", str(config)]
    for name, value in (settings or {}).items():
        given += ["--set", f"{name}={value}"]
    action = ["watch"] if serve is None else ["serve", "--no-browser", *serve]
    # What follows -- is a folder, whatever its name begins with.
    return [str(python), "-m", "photoindex", "--data-dir", str(data_dir), *given, *action, "--", *map(str, folders)]
