"""``photoindex duplicates``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from photoindex.cli.context import (
    EXIT_INTERRUPTED,
    Context,
    json_option,
    stop_on_signals,
    write_json,
    write_path,
)
from photoindex.cli.output import visible
from photoindex.cli.progress import ProgressDisplay
from photoindex.library.hamming import MOST
from photoindex.system.paths import printable
from photoindex.system.units import human_size
from photoindex.types import Duplicate

USUAL_BITS = 10


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH…]")
@click.option("--near", type=click.IntRange(0, MOST), metavar="N",
              help=f"Also photos that look alike: whose fingerprints differ in at most N of 128 bits, 0 to {MOST}; "
                   f"{USUAL_BITS} finds smaller, recompressed and brightened copies.")  # fmt: skip
@click.option("--others", is_flag=True, help="Leave out the first file of each group, the best one.")
@json_option
@click.option("-0", "--print0", is_flag=True, help="Print paths only, each ended by NUL, for xargs -0.")
@click.pass_obj
def duplicates(
    context: Context, /, paths: tuple[Path, ...], near: int | None, others: bool, as_json: bool, print0: bool
) -> None:
    """List photos that are there more than once, in groups, the best of each first; nothing is removed.

    Files with the same bytes, and with --near those that look alike. The best has the most pixels, then the most bytes.
    With PATHs, the groups that have a file there, with their files elsewhere. The first --near after an upgrade looks
    at each photo once, without captioning it.

    \b
      photoindex duplicates --near 10
      photoindex duplicates --others -0 | xargs -0 ls -l
    """
    with context.open() as library, stop_on_signals() as stop:
        with ProgressDisplay(context.quiet) as display:
            groups = library.duplicates(*paths, near=near, progress=display, stop=stop)
        if stop.is_set():
            raise SystemExit(EXIT_INTERRUPTED)
    more = [each for group in groups for each in group[1:]]
    shown = [group[1:] if others else group for group in groups]
    if as_json:
        write_json([{"files": [_as_dict(each) for each in group]} for group in shown])
    elif print0:
        for group in shown:
            for each in group:
                write_path(each.path, end=b"\0")
    else:
        for number, group in enumerate(shown):
            if number:
                click.echo()
            _write_group(group)
    size = human_size(sum(each.bytes for each in more))
    context.say(
        f"{len(groups)} group{'' if len(groups) == 1 else 's'}; without the best of each, {len(more)} files of {size}"
    )


def _write_group(group: Sequence[Duplicate]) -> None:
    for each in group:
        pixels = f"{each.width} x {each.height}" if each.width else "?"
        apart = f"{each.distance} bits" if each.distance else ""
        name = printable(each.path)
        click.echo(f"{pixels:>13} {human_size(each.bytes):>9} {each.format or '?':<8} {apart:<8}", nl=False)
        click.echo(os.fsencode(each.path) if visible(name) == name else visible(name))


def _as_dict(each: Duplicate) -> dict[str, Any]:
    return {
        "path": each.path,
        "sha256": each.content_hash,
        "bytes": each.bytes,
        "width": each.width,
        "height": each.height,
        "format": each.format,
        "distance": each.distance,
    }
