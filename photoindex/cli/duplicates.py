"""``photoindex duplicates``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from photoindex.cli.context import EXIT_INTERRUPTED, Context, stop_on_signals, write_json
from photoindex.cli.parameters import flag_of
from photoindex.cli.progress import ProgressDisplay
from photoindex.cli.terminal import print_line, print_path
from photoindex.library.hamming import MOST
from photoindex.library.json_forms import duplicate_json
from photoindex.system.units import counted, human_size
from photoindex.types import Duplicate

USUAL_BITS = 10


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH…]")
@click.option("--near", type=click.IntRange(0, MOST), metavar="N",
              help=f"Also photos that look alike: whose fingerprints differ in at most N of 128 bits, 0 to {MOST}; "
                   f"{USUAL_BITS} finds smaller, recompressed and brightened copies.")  # fmt: skip
@click.option("--others", is_flag=True, help="Leave out the best file of each group; all files are read again first.")
@click.option("--decided", is_flag=True, help="Only groups that you said are no duplicates, which are left out else.")
@flag_of("style", "--json", value="json", help="Print JSON.")
@flag_of("style", "-0", "--print0", value="print0", help="Print paths only, each ended by NUL, for xargs -0.")
@click.pass_obj
def duplicates(
    context: Context,
    /,
    paths: tuple[Path, ...],
    near: int | None,
    others: bool,
    decided: bool,
    style: str | None,
) -> None:
    """List photos that exist more than once, in groups, the best of each first; nothing is removed.

    Groups are files with the same bytes, and with --near also those that look alike. The best has the most pixels, then
    the most bytes. With PATHs, the groups that have a file there, with their files elsewhere. The first --near after an
    upgrade looks at each photo once, without captioning it.

    Only files that are there now are listed. Links and other paths of one file are no copies; they are shown as "also
    at". --others lists a file only when it and another file of its group were read again and hold what the library
    knows of them.

    \b
      photoindex duplicates --near 10
      photoindex duplicates --others -0 | xargs -0 ls -l
    """
    with context.open() as library, stop_on_signals() as stop:
        with ProgressDisplay(context.quiet) as display:
            groups = library.duplicates(
                *paths, near=near, verify=others, progress=display, notice=context.say, stop=stop, decided=decided
            )
        if stop.is_set():
            raise SystemExit(EXIT_INTERRUPTED)
    shown = [group[1:] if others else group for group in groups]
    if style == "json":
        write_json([{"files": [duplicate_json(each) for each in group]} for group in shown])
    elif style == "print0":
        for group in shown:
            for each in group:
                print_path(each.path, end="\0")
    else:
        for number, group in enumerate(shown):
            if number:
                print_line()
            _write_group(group)
    more = [each for group in groups for each in group[1:]]
    size = human_size(sum(each.bytes for each in more))
    context.say(f"{counted(len(groups), 'group')}; without the best of each, {counted(len(more), 'file')} of {size}")


def _write_group(group: Sequence[Duplicate]) -> None:
    for each in group:
        pixels = f"{each.width} x {each.height}" if each.width else "?"
        apart = counted(each.distance, "bit") if each.distance else ""
        print_line(f"{pixels:>13} {human_size(each.bytes):>9} {each.format or '?':<8} {apart:<8}{each.path}")
        for path in each.also_at:
            print_line(f"{'also at':>41}{'':1}{path}")
