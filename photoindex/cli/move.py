"""``photoindex move``."""

from __future__ import annotations

from pathlib import Path

import click

from photoindex.cli.context import Context, json_option, write_json
from photoindex.errors import FullTextError
from photoindex.system.paths import absolute, shown
from photoindex.system.terminal import shell_quoted
from photoindex.system.units import counted


@click.command()
@click.argument("old", type=click.Path(path_type=Path), metavar="OLD")
@click.argument("new", type=click.Path(path_type=Path), metavar="NEW")
@json_option
@click.pass_obj
def move(context: Context, /, old: Path, new: Path, as_json: bool) -> None:
    """Tell the library that the photos of the folder OLD lie in the folder NEW now.

    Move the folder first, by whatever program; this command changes the catalogue only. Nothing is read or captioned
    again. It refuses when NEW does not hold the files, by name and size, also those that an index found missing.
    """
    source, target = absolute(old), absolute(new)
    moved = None
    with context.open() as library:
        try:
            moved = library.move(source, target)
        except FullTextError as error:
            context.say(f"moved; searches know of it after the next `photoindex index`: {error}")
    if as_json:
        write_json({"old": source, "new": target, "moved": moved})
    if moved is not None:
        context.say(f"{counted(moved, 'file')} of {shown(source)} are at {shown(target)} now")
    context.say(f"what has changed there since is found by `photoindex index {shell_quoted(target)}`")
