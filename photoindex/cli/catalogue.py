"""``photoindex catalogue``."""

from __future__ import annotations

import dataclasses

import click

from photoindex.cli.context import Context, json_option, write_json
from photoindex.cli.parameters import CATALOGUE
from photoindex.cli.progress import ProgressDisplay
from photoindex.cli.terminal import print_line
from photoindex.system.units import counted, human_size


@click.group()
def catalogue() -> None:
    """Make, upgrade, copy and check the catalogue, above all one in PostgreSQL.

    The setting `catalogue` names it: a URL such as postgresql+psycopg://photos@db.example/photos. A catalogue in a
    file is made and upgraded by every command; one that many machines share only by `photoindex catalogue upgrade`.
    """


@catalogue.command("upgrade")
@click.pass_obj
def upgrade(context: Context, /) -> None:
    """Make the tables of an empty database, or bring a catalogue to this version of photoindex."""
    from photoindex.library.catalogues import upgrade_catalogue

    changed = upgrade_catalogue(context.settings())
    context.say("the catalogue is of this version now" if changed else "the catalogue is of this version already")


@catalogue.command("copy")
@click.argument("source", type=CATALOGUE, metavar="FROM")
@click.argument("target", type=CATALOGUE, metavar="TO")
@json_option
@click.pass_obj
def copy(context: Context, /, source: str, target: str, as_json: bool) -> None:
    """Copy a catalogue to an empty one, and compare them row by row. Each is a file or a URL.

    Nothing may write to either meanwhile: stop watches and workers first.
    """
    from photoindex.library.catalogues import copy_between

    with ProgressDisplay(context.quiet, unit="row") as display:
        counts = copy_between(source, target, display)
    if as_json:
        write_json({"rows": counts})
    else:
        print_line(", ".join(f"{table} {count:,}" for table, count in counts.items() if count))
    context.say(f"{sum(counts.values()):,} rows were copied; all are equal")


@catalogue.command("check")
@json_option
@click.pass_obj
def check(context: Context, /, as_json: bool) -> None:
    """Say where the catalogue is, of which version, how large, and what is wrong with it."""
    from photoindex.library.catalogues import check_catalogue

    found = check_catalogue(context.settings())
    if as_json:
        write_json(dataclasses.asdict(found))
    else:
        version = f"version {found.version}" if found.version else "empty"
        if found.version != found.needed:
            remedy = "install a newer photoindex" if found.is_newer else "run photoindex catalogue upgrade"
            version += f", and {found.needed} is needed: {remedy}"
        faults = counted(len(found.faults), "fault") if found.faults else "no faults"
        print_line(f"{found.place}: {version}; {human_size(found.bytes)}; {faults}")
        for fault in found.faults:
            print_line(f"  {fault}")
    if not found.is_usable:
        raise SystemExit(1)
