"""The root command: global options, the error boundary, and where each command lives."""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import Any

import click

import photoindex
from photoindex.errors import PhotoindexError
from photoindex.system.lazy_imports import importing

EXIT_ERROR = 1

# Of each command the module in this package that has it, imported when the command is run or described, and what
# --help says of it, which imports none. In the order a newcomer needs them.
COMMANDS = {
    "index": ("index", "Caption the photos in folders, once."),
    "watch": ("index", "Caption the photos in folders, then keep up with them."),
    "search": ("search", "Find photos by what they show."),
    "show": ("search", "Show everything known of one photo."),
    "status": ("search", "Show what waits, what failed, what is watched."),
    "stats": ("stats", "Show what the library holds, as bars."),
    "caption": ("search", "Caption photos without storing anything."),
    "edit": ("edit", "Say what photos show, in your own words and tags."),
    "export": ("exchange", "Write what is known of photos: sidecars, JSON lines."),
    "import": ("exchange", "Bring an export back."),
    "duplicates": ("duplicates", "List photos that are there more than once."),
    "failures": ("failures", "List, retry or ignore photos that failed."),
    "reindex": ("jobs", "Caption photos anew, or rebuild the search index."),
    "jobs": ("jobs", "List, pause, resume or cancel batches."),
    "models": ("models", "List, describe or choose models."),
    "doctor": ("doctor", "Check the installation and the library."),
    "formats": ("doctor", "List the photo formats that are read here."),
    "benchmark": ("benchmark", "Measure how fast this machine captions."),
    "config": ("config", "Show and change the settings."),
    "service": ("service", "Keep a watch running while you are logged in."),
    "completion": ("completion", "Print the script that completes commands."),
    "train": ("train", "Train a model, on data sets or your captions."),
    "evaluate": ("evaluate", "Measure captions and searches."),
}


class PhotoindexGroup(click.Group):
    """Turns every error raised on purpose into one line on stderr and exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PhotoindexError as error:
            click.echo(f"photoindex: {error}", err=True)
            ctx.exit(EXIT_ERROR)
        except BrokenPipeError:
            # The reader (head, less) has gone; it has what it wants.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        # NumPy's linear algebra starts a thread a core when it is imported, a third of the time of a search, for
        # products of matrices: nothing here multiplies any but by torch.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        with importing():
            module = import_module(f"photoindex.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name + "_" * iskeyword(cmd_name))
        return command


@click.group(cls=PhotoindexGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Where the catalogue and the index are kept. [PHOTOINDEX_DATA_DIR; default: the platform's folder "
                   "for user data]")  # fmt: skip
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="A TOML file of settings. [default: photoindex.toml in the data folder, if any]")  # fmt: skip
@click.option("--set", "overrides", multiple=True, metavar="NAME=VALUE",
              help="Change any setting for this run; `photoindex config show` lists them.")  # fmt: skip
@click.option("-v", "--verbose", count=True, help="Say more on stderr; twice for debugging.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing on stderr but errors.")
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

    Exit status: 0 done; 1 an error, or a search that found nothing; 2 wrong usage; 4 finished, but some photos failed.
    """
    level = logging.DEBUG if verbose > 1 else logging.INFO if verbose else logging.ERROR if quiet else logging.WARNING
    logging.basicConfig(level=level, format="photoindex: %(message)s", stream=sys.stderr)
    from photoindex.cli.context import Context  # its settings are more than --help and --version need

    ctx.obj = Context(data_dir=data_dir, config=config, quiet=quiet, overrides=dict(map(_named, overrides)))


def _named(override: str) -> tuple[str, str]:
    name, equals, value = override.partition("=")
    if not equals:
        raise click.UsageError(f"--set wants NAME=VALUE, not {override!r}")
    return name.strip().replace("-", "_"), value.strip()
