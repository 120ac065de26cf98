"""The root command: global options, the error boundary, and where each command lives."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

import click

import photoindex
from photoindex.cli import (
    completion,
    configuring,
    corrections,
    doctor,
    duplicates,
    evaluation,
    exchange,
    indexing,
    jobs,
    maintenance,
    searching,
    services,
    stats,
    training,
)
from photoindex.cli.context import Context
from photoindex.errors import PhotoindexError

EXIT_ERROR = 1


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
        return list(self.commands)  # in the order a newcomer needs them


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
    ctx.obj = Context(data_dir=data_dir, config=config, quiet=quiet, overrides=dict(map(_named, overrides)))


def _named(override: str) -> tuple[str, str]:
    name, equals, value = override.partition("=")
    if not equals:
        raise click.UsageError(f"--set wants NAME=VALUE, not {override!r}")
    return name.strip().replace("-", "_"), value.strip()


for command in (
    indexing.index,
    indexing.watch,
    searching.search,
    searching.show,
    searching.status,
    stats.stats,
    searching.caption,
    corrections.edit,
    exchange.export,
    exchange.import_,
    duplicates.duplicates,
    maintenance.failures,
    jobs.reindex,
    jobs.jobs,
    maintenance.models,
    doctor.doctor,
    doctor.formats,
    configuring.config,
    services.service,
    completion.completion,
    training.train,
    evaluation.evaluate,
):
    main.add_command(command)
