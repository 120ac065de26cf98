"""``photoindex service``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

from photoindex.cli.context import Context
from photoindex.cli.terminal import print_line
from photoindex.errors import FolderError, LibraryNotFound, ServiceError
from photoindex.library import DEFAULT_MODEL, model_folder, shipped_models
from photoindex.system.paths import absolute
from photoindex.system.service import ServicePlan, plan, watch_command
from photoindex.system.storage import is_folder
from photoindex.system.terminal import shell_word

EXIT_NOT_RUNNING = 1

dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group()
def service() -> None:
    """Have the system keep a watch running while you are logged in.

    On Linux this is a systemd user unit, on macOS a launchd agent, on Windows a scheduled task. The file and the
    commands are shown first.
    """


@service.command("install")
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path), metavar="[FOLDER…]")
@click.option(
    "--serve", is_flag=True, help="Also show the library in a browser: `photoindex serve --link` has the address."
)
@click.option("--port", type=click.IntRange(1, 65535), default=8420, show_default=True, help="With --serve.")
@dry_run_option
@yes_option
@click.pass_obj
def install(context: Context, /, folders: tuple[Path, ...], serve: bool, port: int, dry_run: bool, yes: bool) -> None:
    """Watch these folders, or all folders of the library, from now on and whenever you log in."""
    chosen = [absolute(folder) for folder in folders]
    for folder in chosen:
        if not is_folder(folder):
            raise FolderError(f"cannot watch {folder}: " + ("not a folder" if folder.exists() else "no such folder"))
    if not chosen:
        with suppress(LibraryNotFound), context.open() as library:
            chosen = [root.path for root in library.status().roots]
    if not chosen:
        raise ServiceError("the library has no folders yet: name those to watch")
    made = _plan(context, chosen, ["--port", str(port)] if serve else None)
    _show(made.file, made.content, made.install)
    _say_what_it_lacks(context)
    if dry_run:
        return
    _check(made.install)
    if not yes:
        click.confirm("Write this file and run these commands?", abort=True, err=True)
    _install(made)
    context.say(f"installed; {made.hint}" if made.hint else "installed")
    if serve:
        context.say("`photoindex serve --link` prints its address")


def _install(made: ServicePlan) -> None:
    """Write the file and run the commands. When one fails the file is as it was before: where there was none,
    nothing is installed, and ``status`` says so."""
    path = Path(made.file)
    try:
        before = path.read_bytes() if path.exists() else None
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made.content)
    except OSError as error:
        raise ServiceError(f"cannot write {path}: {error.strerror or error}") from error
    _try(made.prepare)
    try:
        for command in made.install:
            _run(command)
    except ServiceError:
        _take_back(made, path, before)
        raise


def _take_back(made: ServicePlan, path: Path, before: bytes | None) -> None:
    """Undo an installation that failed, of which some commands may have worked; have the one before it run again."""
    if before is None:
        _try(made.remove)
    with suppress(OSError):
        if before is None:
            path.unlink()
        else:
            path.write_bytes(before)
    _try(made.after_removal if before is None else made.install)


@service.command("uninstall")
@dry_run_option
@yes_option
@click.pass_obj
def uninstall(context: Context, /, dry_run: bool, yes: bool) -> None:
    """Stop the watch and remove it from the system; the library stays."""
    made = _plan(context, [])
    path = Path(made.file)
    if not path.exists():
        context.say("not installed")
        return
    print_line(f"remove {path}")
    _show_commands((*made.remove, *made.after_removal))
    if dry_run:
        return
    _check(made.remove)
    if not yes:
        click.confirm("Run these commands and remove the file?", abort=True, err=True)
    _try(made.remove)  # it may have been stopped or removed by hand
    try:
        path.unlink()
    except OSError as error:
        raise ServiceError(f"cannot remove {path}: {error.strerror or error}") from error
    _try(made.after_removal)  # the file is gone; a session that does not run has nothing to read again
    context.say("removed")


@service.command("status")
@click.pass_obj
def status(context: Context, /) -> None:
    """Show whether it is installed and running. Exit status: 0 when it is running, 1 otherwise."""
    made = _plan(context, [])
    if not Path(made.file).exists():
        print_line("not installed")
        raise SystemExit(EXIT_NOT_RUNNING)
    print_line(f"installed: {made.file}")
    _check([made.status])
    done = subprocess.run(made.status, capture_output=True, text=True, errors="replace", check=False)
    answer = (done.stdout.strip() or done.stderr.strip()).splitlines()
    print_line(answer[0] if answer else "no answer")
    if done.returncode:
        raise SystemExit(EXIT_NOT_RUNNING)


def _plan(context: Context, folders: Sequence[Path], serve: Sequence[str] | None = None) -> ServicePlan:
    settings = context.settings()
    config = None if context.config is None else absolute(context.config)
    overrides = {name: value for name, value in context.overrides.items() if name != "data_dir"}
    if overrides.get("model", DEFAULT_MODEL) not in (DEFAULT_MODEL, *shipped_models()):
        overrides["model"] = str(model_folder(settings.model).absolute())  # the service runs in another folder
    command = watch_command(
        sys.executable, sys.platform, settings.data_dir, config, folders, serve=serve, settings=overrides
    )  # fmt: skip
    user_id = os.getuid() if hasattr(os, "getuid") else 0
    try:
        home = Path.home()
    except RuntimeError as error:
        raise ServiceError("your home folder is not known (HOME): the service's file lies there") from error
    return plan(
        sys.platform, command, home=home, data_dir=settings.data_dir, environment=os.environ, user_id=user_id
    )  # fmt: skip


def _say_what_it_lacks(context: Context) -> None:
    """Say which settings hold in this shell alone: a service is started without its variables."""
    _, origins = context.resolve()
    for name, (kind, where) in origins.items():
        if kind == "environment" and name != "data_dir":
            context.say(f"{where} does not reach the service: photoindex config set {name} … does")


def _show(file: object, content: bytes, commands: Sequence[Sequence[str]]) -> None:
    text = content.decode("utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8", "replace")
    print_line(f"{'replace' if Path(str(file)).exists() else 'write'} {file}:")
    print_line()
    for line in text.splitlines():
        print_line(f"    {line}")
    print_line()
    _show_commands(commands)


def _show_commands(commands: Sequence[Sequence[str]]) -> None:
    for command in commands:
        print_line(f"run {_shell_line(command)}")


def _shell_line(command: Sequence[str]) -> str:
    return " ".join(map(shell_word, command))


def _check(commands: Sequence[Sequence[str]]) -> None:
    program = commands[0][0]
    if shutil.which(program) is None:
        raise ServiceError(f"{program} is not on this machine: start `photoindex watch` as your system starts programs")


def _try(commands: Sequence[Sequence[str]]) -> None:
    """Run commands of which each may fail."""
    for command in commands:
        with suppress(ServiceError):
            _run(command)


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        message = " ".join((done.stderr or done.stdout).split())
        raise ServiceError(f"{_shell_line(command)} failed: {message or f'exit status {done.returncode}'}")
