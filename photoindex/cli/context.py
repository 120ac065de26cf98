"""What every command shares: options, settings, opening the library, stopping on signals, JSON."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import click

from photoindex.cli.parameters import MODEL
from photoindex.cli.terminal import print_bytes, print_error
from photoindex.config import DEVICES, ENGINES, Origin, Settings, resolve_settings
from photoindex.errors import FullTextError, LibraryNotFound
from photoindex.library.json_forms import plain
from photoindex.system.interrupts import END_NAMES
from photoindex.system.lazy_imports import importing
from photoindex.system.regular_files import is_there
from photoindex.system.terminal import shell_quoted
from photoindex.system.units import counted

if TYPE_CHECKING:
    from photoindex.library import Library
    from photoindex.types import Progress

_Command = TypeVar("_Command", bound=Callable[..., Any])

EXIT_SOME_FAILED = 4
EXIT_INTERRUPTED = 130

device_option = click.option(
    "--device", type=click.Choice(DEVICES), help="Where the model runs. [default: auto: a GPU when there is one]"
)
ENGINES_HELP = (
    "How to run the model. auto: the fastest way that is installed, in 8 bits on CPUs that compute rightly with them; "
    "float: the fastest in 32 bits; torch: the reference; graphs: as auto, with steps recorded for an NVIDIA GPU, not "
    "yet tried on one"
)
engine_option = click.option("--engine", type=click.Choice(ENGINES), help=f"{ENGINES_HELP}. [default: auto]")
beam_option = click.option(
    "--beam-width", type=click.IntRange(1, 20), help="Captions considered at each word; 1 is fastest. [default: 3]"
)
batch_option = click.option(
    "--batch-size", type=click.IntRange(1),
    help="Photos captioned at once. [default: as suits the device: 32 to 64 on a CPU, up to 512 on an NVIDIA GPU]",
)  # fmt: skip
threads_option = click.option(
    "--threads", type=click.IntRange(1), help="CPU threads the model may use. [default: all cores]"
)
nice_option = click.option(
    "--nice", type=click.IntRange(0, 19), help="Priority below other programs: 0 = normal, 19 = lowest. [default: 0]"
)
rate_option = click.option(
    "--max-rate", type=click.FloatRange(0), metavar="N",
    help="Caption at most this many photos a second, to spare the fan or the battery. [default: no limit]",
)  # fmt: skip
model_option = click.option(
    "--model",
    metavar="NAME",
    type=MODEL,
    help="The name of a shipped model, or the folder of one you trained. [default: the shipped one]",
)
_CAPTIONING = (
    device_option, model_option, beam_option, batch_option, threads_option, nice_option, rate_option,
)  # fmt: skip
address_option = click.option(
    "--address", metavar="HOST:PORT", help="The Ray cluster. [default: RAY_ADDRESS, or this machine's own]"
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def captioning_options(command: _Command) -> _Command:
    """Give a command the options of captioning: which model runs, where, and how fast it may."""
    return engine_option(captioning_options_without_engine(command))


def captioning_options_without_engine(command: _Command) -> _Command:
    """Give a command the options of captioning but the engine."""
    for option in reversed(_CAPTIONING):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Context:
    """The global options, as given."""

    data_dir: Path | None
    config: Path | None
    quiet: bool
    overrides: dict[str, str] = field(default_factory=dict)  # of --set

    def settings(self, **flags: Any) -> Settings:
        return self.resolve(**flags)[0]

    def resolve(self, **flags: Any) -> tuple[Settings, dict[str, Origin]]:
        """The settings with these flags over them, and where each comes from."""
        given = {name: value for name, value in {"data_dir": self.data_dir, **flags}.items() if value is not None}
        return resolve_settings(self.config, **{**self.overrides, **given})

    def open(self, **flags: Any) -> Library:
        """Open the library that is there, with these flags over the settings. Raises :class:`LibraryNotFound`."""
        settings = self.settings(**flags)
        if not settings.catalogue and not is_there(settings.catalogue_path):
            from photoindex.library import check_not_lost

            check_not_lost(settings.catalogue_path)
            option = f" --data-dir {shell_quoted(self.data_dir)}" if self.data_dir is not None else ""
            raise LibraryNotFound(
                f"there is no library in {settings.data_dir}; to make one: photoindex{option} index FOLDER"
            )
        return self._open(settings)

    def open_or_create(self, **flags: Any) -> Library:
        """Open the library, or make an empty one where there is none."""
        return self._open(self.settings(**flags))

    def work(self, *, create: bool = False, **flags: Any) -> Library:
        """Open the library for long work, in a process with the priority that the settings ask for."""
        from photoindex.system.processes import give_way

        give_way(self.settings(**flags).nice)
        return self.open_or_create(**flags) if create else self.open(**flags)

    def say(self, line: str) -> None:
        """Write one line for the person to stderr, unless --quiet was given."""
        if not self.quiet:
            print_error(line)

    def _open(self, settings: Settings) -> Library:
        # Imported here: help and usage errors need none of it.
        with importing():
            from photoindex.library import Library

        library = Library(settings)
        library.rebuilding = self._tell_rebuilding
        return library

    def _tell_rebuilding(self, progress: Progress) -> None:
        """Write one line when a missing or damaged search index begins to be rebuilt."""
        if progress.total and not progress.done:
            self.say(
                f"rebuilding the search index, which is missing or out of date: {counted(progress.total, 'photo')}"
            )


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Return an event that SIGINT, SIGTERM and SIGHUP set. A second SIGINT stops at once. The exit status is that of
    an interruption where one ends the wait for another process, or the making of the search index.

    Those that are ignored, as ``nohup`` and a script's ``&`` have it, stay ignored.
    """
    stop = threading.Event()

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    numbers = [getattr(signal, name) for name in ("SIGINT", *END_NAMES) if hasattr(signal, name)]
    heeded = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in heeded}
    try:
        yield stop
    except FullTextError as error:
        if not stop.is_set():
            raise
        print_error(f"photoindex: {error}")
        raise SystemExit(EXIT_INTERRUPTED) from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def write_json(value: Any, *, indent: int | None = 2) -> None:
    """Write JSON to stdout; non-ASCII is escaped, so that every path survives any locale."""
    print_bytes(json.dumps(value, indent=indent, default=plain).encode("ascii") + b"\n")
