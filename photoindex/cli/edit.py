"""``photoindex edit``: what a person says of photos."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from photoindex.cli import output
from photoindex.cli.context import Context
from photoindex.errors import CorrectionError, FullTextError
from photoindex.system.paths import printable

if TYPE_CHECKING:
    from photoindex.catalogue.corrections import Said
    from photoindex.catalogue.editor import Edit, Editor
    from photoindex.library import Library
    from photoindex.types import Correction

SHOWN = 5  # of the photos that a query chose

where_option = click.option(
    "--where", "query", metavar="QUERY", help="Instead of FILEs: all photos that this query finds, as search does."
)
yes_option = click.option("-y", "--yes", is_flag=True, help="With --where: do not ask.")


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE…]")
@where_option
@click.option("--caption", metavar="TEXT", help="Your caption, shown and searched instead of the model's.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Add a tag; may be given several times.")
@click.option("--untag", "untags", multiple=True, metavar="TAG", help="Take a tag of yours away.")
@click.option("--clear", is_flag=True, help="Take away your caption and tags: the model's words are back.")
@click.option("--lock/--unlock", "lock", default=None,
              help="Keep the caption shown now, whatever a model or a sidecar says later; or no longer.")  # fmt: skip
@click.option("--undo", is_flag=True, help="Undo the last edit of each photo; again for the one before.")
@click.option("--history", is_flag=True, help="Show what was changed.")
@click.option("--dry-run", is_flag=True, help="Say which photos it would change, and change nothing.")
@yes_option
@click.pass_obj
def edit(
    context: Context,
    /,
    paths: tuple[Path, ...],
    query: str | None,
    caption: str | None,
    tags: tuple[str, ...],
    untags: tuple[str, ...],
    clear: bool,
    lock: bool | None,
    undo: bool,
    history: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Say what photos show: captions and tags of your own, which no model overwrites.

    A correction is found at once, and ranks above what a model thinks. Nothing is written to the photos; see
    `photoindex export --sidecars`. With one FILE and nothing else, your editor ($EDITOR) opens.

    \b
      photoindex edit cat.jpg --caption "Minka on the old sofa" --tag Minka
      photoindex edit --where "folder:lisbon" --tag Lisbon
      photoindex edit cat.jpg --undo
    """
    from photoindex.catalogue.editor import Edit

    change = Edit(caption, tags, untags, clear, lock)
    if (query is None) == (not paths):
        raise click.UsageError("name photos, or choose them with --where QUERY; one of the two")
    if sum((undo, history, not change.says_nothing)) > 1:
        raise click.UsageError("one thing at a time: an edit, --undo or --history")
    with context.open() as library:
        editor = library.editor()
        photo_ids = editor.photos_at(paths) if query is None else [match.photo_id for match in library.match(query)]
        if history:
            show_history(library, editor, photo_ids)
            return
        if not undo and change.says_nothing:
            if len(photo_ids) != 1 or query is not None:
                raise click.UsageError("say what to change: --caption, --tag, --untag, --clear, --lock, --undo")
            change = ask_editor(paths[0], editor.said(photo_ids)[photo_ids[0]])
            if change.says_nothing:
                context.say("nothing changed")
                return
        if query is not None or dry_run:
            what = "undone for" if undo else "edited"
            if not choose(context, library, photo_ids, f"{len(photo_ids)} photos would be {what}", dry_run, yes):
                return
        try:
            count = len(editor.undo(photo_ids)) if undo else editor.apply(photo_ids, change)
        except FullTextError as error:
            context.say(f"saved; searches know of it after the next `photoindex index`: {error}")
            return
    if undo:
        context.say(f"{count} undone" if count else "nothing to undo")
    else:
        context.say(f"{count} edited" + (f", {len(photo_ids) - count} unchanged" if count < len(photo_ids) else ""))


def choose(context: Context, library: Library, photo_ids: Sequence[int], would: str, dry_run: bool, yes: bool) -> bool:
    """Show which photos are meant and ask whether to go on; never without being asked to when nobody can answer."""
    if not photo_ids:
        context.say("no photo matches")
        return False
    if dry_run or not yes:
        context.say(would + ":")
        for photo in library.photos(photo_ids[:SHOWN]):
            path = printable((photo.paths or photo.missing_paths or (Path(photo.content_hash),))[0])
            context.say(f"  {output.visible(path)}  {output.visible(photo.caption.text if photo.caption else '')}")
        if len(photo_ids) > SHOWN:
            context.say(f"  … and {len(photo_ids) - SHOWN} more")
    if dry_run:
        return False
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("--where changes many photos: look with --dry-run, then give --yes")
        return click.confirm("Go on?", err=True)
    return True


def show_history(library: Library, editor: Editor, photo_ids: Sequence[int]) -> None:
    """What was changed of each photo, oldest first, a line a change."""
    changes = editor.history(photo_ids)
    for photo in library.photos(photo_ids):
        if len(photo_ids) > 1:
            click.echo(printable((photo.paths or photo.missing_paths or (Path(photo.content_hash),))[0]))
        for change in changes.get(photo.id, ()):
            click.echo(history_line(change))


def history_line(change: Correction) -> str:
    """A change as one line: when, what, from what, to what, and whether it was undone."""
    undone = f" (undone {change.undone_at:%Y-%m-%d %H:%M})" if change.undone_at else ""
    return f"{change.made_at:%Y-%m-%d %H:%M}  {change.kind:<8}{_plain(change.old)} -> {_plain(change.new)}{undone}"


def _plain(value: str | tuple[str, ...] | None) -> str:
    if not value:
        return "nothing"
    return output.visible(repr(value) if isinstance(value, str) else ", ".join(value))


def ask_editor(path: Path, said: Said) -> Edit:
    """Have the person change the caption and the tags in their editor; an edit that says nothing when they did not.

    Raises :class:`CorrectionError` for lines that cannot be understood.
    """
    from photoindex.catalogue.editor import Edit

    lines = [
        f"# {output.visible(printable(path))}",
        "# One caption, a tag a line. Without a caption the model's is shown. Save and close to go on.",
        f"caption: {said.caption or ''}",
        *(f"tag: {tag}" for tag in said.tags or ("",)),
    ]
    answer = click.edit("\n".join(lines) + "\n", extension=".txt", require_save=True)
    return Edit() if answer is None else parse_answer(answer, said)


def parse_answer(answer: str, said: Said) -> Edit:
    """What the person wrote, as an edit of what was said before."""
    from photoindex.catalogue.editor import Edit

    caption, tags = "", []
    for number, line in enumerate(answer.splitlines(), 1):
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not colon or name not in ("caption", "tag"):
            raise CorrectionError(f"line {number} begins with neither `caption:` nor `tag:`; nothing was changed")
        if name == "caption":
            caption = f"{caption} {value}".strip()
        elif value:
            tags.append(value)
    if (caption or None) == said.caption and tuple(tags) == said.tags:
        return Edit()
    return Edit(caption or None, tuple(tags), clear=True)
