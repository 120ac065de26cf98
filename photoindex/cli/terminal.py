"""Everything that the command line writes: lines for people, bytes for programs, on any terminal and in any locale.

No other module of the command line writes to stdout or stderr.
"""

from __future__ import annotations

import codecs
import errno
import io
import logging
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import click

from photoindex.system.terminal import visible
from photoindex.system.url_paths import url_text

# What stands for a character that the output's encoding lacks.
_SUBSTITUTES: Final = {
    "…": "...", "—": "-", "–": "-", "→": "->", "★": "*", "█": "#", "×": "x", "·": "-",
    "‘": "'", "’": "'", "“": '"', "”": '"',
}  # fmt: skip
_HANDLER: Final = "photoindex.substitute"
_CLOSED: Final = {errno.EPIPE, errno.ESHUTDOWN, *({errno.EINVAL} if sys.platform == "win32" else ())}


class OutputError(Exception):
    """The standard output cannot be written. ``closed``: nobody reads it any more, as after ``| head``."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(f"cannot write to the standard output: {cause.strerror or cause}")
        self.closed = cause.errno in _CLOSED


class _Bar:
    """The progress bar that is on the terminal now, which a line must not be glued to."""

    hide: Callable[[], None] | None = None


def prepare_streams() -> None:
    """Let no character end the program, whatever the locale, and give missing streams a harmless file descriptor."""
    codecs.register_error(_HANDLER, _substitute)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)
    for descriptor in (0, 1, 2):
        # A closed one would be given to the next file that is opened, and messages would be written into that file.
        try:
            os.fstat(descriptor)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)


def flush_output() -> None:
    """Bring what was written to the standard output. Raises :class:`OutputError`."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        raise OutputError(error) from error


def abandon_output() -> None:
    """Send what is still to be written to nowhere, so that the end of the program does not try once more."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_line(text: str = "", *, end: str = "\n") -> None:
    """Write a line for a person to stdout. Raises :class:`OutputError`."""
    _print(visible(text) + end)


def print_marked(pieces: Iterable[tuple[str, bool]], *, start: str = "") -> None:
    """Write a line to stdout, the pieces with True in bold."""
    _print(start + "".join(click.style(visible(text), bold=True) if bold else visible(text) for text, bold in pieces)
           + "\n")  # fmt: skip


def print_bytes(data: bytes) -> None:
    """Write bytes for a program to stdout, or what makes a terminal show a picture."""
    _print(data)


def print_path(path: Path, end: str = "\n") -> None:
    """Write a path to stdout: to a program as the bytes that the file system has, to a terminal so that it is safe."""
    text = url_text(path)
    _print((visible(text) + end) if stdout_is_terminal() else os.fsencode(text) + end.encode())


def print_error(line: str) -> None:
    """Write a line for a person to stderr; a stderr that cannot be written is no reason to stop."""
    _hide_bar()
    with suppress(OSError, ValueError):
        click.echo(visible(line), err=True)


def stdout_is_terminal() -> bool:
    return _is_terminal(sys.stdout)


def stderr_is_terminal() -> bool:
    return _is_terminal(sys.stderr)


def set_bar(hide: Callable[[], None] | None) -> None:
    """Say how to take the progress bar off the terminal before the next line; ``None``: there is none any more."""
    _Bar.hide = hide


class LogHandler(logging.Handler):
    """Writes log records as lines for a person."""

    def emit(self, record: logging.LogRecord) -> None:
        for line in self.format(record).splitlines():
            print_error(line)


def _print(data: str | bytes) -> None:
    _hide_bar()
    try:
        click.echo(data, nl=False)
    except OSError as error:
        raise OutputError(error) from error


def _hide_bar() -> None:
    if _Bar.hide is not None:
        hide, _Bar.hide = _Bar.hide, None
        hide()


def _is_terminal(stream: Any) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it is closed
        return False


def _substitute(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_SUBSTITUTES.get(letter) or _escaped(letter) for letter in lacking), error.end


def _escaped(letter: str) -> str:
    return letter.encode("ascii", "backslashreplace").decode("ascii")
