"""The root command: global options, the error boundary, and where each command lives."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import Any

import click

import photoindex
from photoindex.cli.command import refuse_empty_paths
from photoindex.cli.terminal import (
    LogHandler,
    OutputError,
    abandon_output,
    flush_output,
    prepare_streams,
    print_error,
)
from photoindex.errors import PhotoindexError
from photoindex.system.interrupts import ending_in_order
from photoindex.system.lazy_imports import importing

EXIT_ERROR = 1
EXIT_INTERRUPTED = 130

# Each command's module in this package, which is imported when the command is run or described, and its line in
# --help, which imports none. In the order a newcomer needs them.
COMMANDS = {
    "index": ("index", "Caption the photos in folders, once."),
    "watch": ("index", "Caption the photos in folders, then keep up with them."),
    "serve": ("serve", "Show the photos in a browser."),
    "search": ("search", "Find photos by what they show."),
    "show": ("show", "Show everything known about one photo."),
    "status": ("status", "Show what is waiting, what failed and what is watched."),
    "stats": ("stats", "Show what the library holds, as bars."),
    "caption": ("caption", "Caption photos without storing anything."),
    "edit": ("edit", "Set your own captions and tags."),
    "albums": ("albums", "Keep photos together, or save a search."),
    "export": ("exchange", "Write captions and tags to sidecars or JSON lines."),
    "import": ("exchange", "Read an export back."),
    "duplicates": ("duplicates", "List photos that exist more than once."),
    "move": ("move", "Follow a folder that lies elsewhere now."),
    "forget": ("forget", "Remove a folder from the library; photos stay."),
    "failures": ("failures", "List, retry or ignore photos that failed."),
    "reindex": ("reindex", "Caption photos again, or rebuild the search index."),
    "jobs": ("jobs", "List, pause, resume or cancel batches."),
    "models": ("models", "List, describe or choose models."),
    "doctor": ("doctor", "Check the installation and the library."),
    "formats": ("doctor", "List the photo formats this installation reads."),
    "benchmark": ("benchmark", "Measure how fast this machine captions."),
    "worker": ("worker", "Caption what is queued, until stopped."),
    "catalogue": ("catalogue", "Make, upgrade, copy or check the catalogue."),
    "cluster": ("cluster", "Show or end the workers that Ray runs."),
    "config": ("config", "Show and change the settings."),
    "service": ("service", "Keep a watch running while you are logged in."),
    "completion": ("completion", "Print the script that completes commands."),
    "train": ("train", "Train a model, on data sets or your captions."),
    "evaluate": ("evaluate", "Measure captions and searches."),
}


class PhotoindexGroup(click.Group):
    """Finds the commands, and turns every way in which one can end into one line and an exit status."""

    def main(
        self, args: Sequence[str] | None = None, prog_name: str | None = None, complete_var: str | None = None,
        standalone_mode: bool = True, **extra: Any,
    ) -> Any:  # fmt: skip
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode, **extra)
        prepare_streams()
        try:
            with ending_in_order():
                status = self._run(
                    lambda: super(PhotoindexGroup, self).main(args, prog_name, complete_var, False, **extra)
                )
                flush_output()
        except OutputError as error:
            abandon_output()
            if not error.closed:  # else the reader, such as head or less, has what it wants
                print_error(f"photoindex: {error}")
            status = 0 if error.closed else EXIT_ERROR
        sys.exit(status)

    def _run(self, run: Callable[[], Any]) -> int:
        """Run a command; return its exit status."""
        try:
            status = run()
        except SystemExit as end:
            status = end.code
        except click.Abort as abort:
            if isinstance(abort.__cause__ or abort.__context__, KeyboardInterrupt):
                print_error("photoindex: interrupted")
                return EXIT_INTERRUPTED
            print_error("photoindex: stopped: nothing was answered")
            return EXIT_ERROR
        except click.ClickException as error:
            text = io.StringIO()
            error.show(file=text)
            for line in text.getvalue().splitlines():
                print_error(line)
            return error.exit_code
        except PhotoindexError as error:
            print_error(f"photoindex: {error}")
            return EXIT_ERROR
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise OutputError(error) from error
            # Of the system: no room, no permission, a disk that fails. -vv shows where it happened.
            where = "" if error.filename is None else f": {os.fsdecode(error.filename)}"
            print_error(f"photoindex: {error.strerror or error}{where}")
            logging.getLogger(__name__).debug("the error in full", exc_info=error)
            return EXIT_ERROR
        return status if isinstance(status, int) else 0

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, 1)
            ctx.fail(f"no such command {args[0]!r}" + (f"; did you mean {near[0]}?" if near else ""))
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        # NumPy's linear algebra starts a thread a core when it is imported, a third of the time of a search, for
        # products of matrices: nothing here multiplies any but by torch.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        with importing():
            module = import_module(f"photoindex.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name + "_" * iskeyword(cmd_name))
        return refuse_empty_paths(command)


@click.group(cls=PhotoindexGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Where the catalogue and the index are kept. [PHOTOINDEX_DATA_DIR; default: the platform's folder "
                   "for user data]")  # fmt: skip
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="A TOML file of settings. [default: photoindex.toml in the data folder, if any]")  # fmt: skip
@click.option("--set", "overrides", multiple=True, metavar="NAME=VALUE",
              help="Change any setting for this run; `photoindex config show` lists them.")  # fmt: skip
@click.option("-v", "--verbose", count=True, help="Print more on stderr; twice for debugging.")
@click.option("-q", "--quiet", is_flag=True, help="Print only errors on stderr.")
@click.version_option(photoindex.__version__, prog_name="photoindex")
@click.pass_context
def main(
    ctx: click.Context, data_dir: Path | None, config: Path | None, overrides: tuple[str, ...], verbose: int,
    quiet: bool,
) -> None:  # fmt: skip
    """Find photos by describing them.

    photoindex captions the photos in your folders with a neural network that runs on this machine, and finds them by
    what they show. It never changes a photo and never uses the network.

    \b
      photoindex index ~/Pictures              caption a folder once
      photoindex watch ~/Pictures              and keep up with it
      photoindex search giraffes in grass      find photos
      photoindex serve                         look at them in a browser

    Exit status: 0 done; 1 an error, or a search that found nothing; 2 wrong usage; 4 finished, but some photos failed
    or a folder could not be read.
    """
    level = logging.DEBUG if verbose > 1 else logging.INFO if verbose else logging.ERROR if quiet else logging.WARNING
    logging.basicConfig(level=level, format="photoindex: %(message)s", handlers=[LogHandler()])
    from photoindex.cli.context import Context  # its settings are more than --help and --version need

    ctx.obj = Context(data_dir=data_dir, config=config, quiet=quiet, overrides=dict(map(_named, overrides)))


refuse_empty_paths(main)


def _named(override: str) -> tuple[str, str]:
    name, equals, value = override.partition("=")
    if not equals:
        raise click.UsageError(f"--set expects NAME=VALUE, not {override!r}")
    return name.strip().replace("-", "_"), value.strip()
