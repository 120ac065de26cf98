"""``photoindex forget``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from photoindex.cli.context import Context, json_option, write_json
from photoindex.errors import FullTextError
from photoindex.library.json_forms import forget_json
from photoindex.system.paths import shown
from photoindex.system.terminal import shell_quoted
from photoindex.system.units import counted
from photoindex.types import ForgetPlan


@click.command()
@click.argument("path", type=click.Path(path_type=Path), metavar="PATH")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@json_option
@click.pass_obj
def forget(context: Context, /, path: Path, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Remove a folder or file from the library. Your photos are not touched.

    What is known of the photos below it leaves the catalogue and the search: captions, tags, terms. Photos that also
    lie elsewhere in the library stay. The folder is no longer listed by status, doctor and service. A watch of it
    leaves it alone until it is started again.
    """
    with context.open() as library:
        plan = library.plan_forget(path)
        for line in _lines(plan):
            context.say(line)
        if not (yes or dry_run):
            if not sys.stdin.isatty():
                raise click.UsageError("say --yes to forget it: nothing was changed")
            click.confirm("Forget it?", abort=True, err=True)
        if not dry_run:
            try:
                library.forget(path)
                context.say("forgotten")
            except FullTextError as error:
                context.say(f"forgotten; searches know of it after the next `photoindex index`: {error}")
    if as_json:
        write_json(forget_json(plan, forgotten=not dry_run))


def _lines(plan: ForgetPlan) -> list[str]:
    known = counted(plan.present + plan.missing, "file")
    lines = [f"{shown(plan.path)}: {known} ({plan.missing:,} of them gone) leave the catalogue"]
    kept = "" if plan.photos else ": all lie elsewhere as well"
    lines.append(f"{counted(plan.photos, 'photo')} with captions and terms leave the search{kept}")
    if plan.by_people:
        lines.append(
            f"{plan.by_people:,} of them have what people added, such as captions, tags, stars or albums, which is "
            "lost: `photoindex export` keeps it"
        )
    if plan.inside is not None and plan.present:
        ignore = shell_quoted(plan.inside / ".photoindexignore")
        lines.append(f"it lies below {shown(plan.inside)}, which takes it in again unless {ignore} leaves it out")
    lines.append("no photo on the disk is touched")
    return lines
