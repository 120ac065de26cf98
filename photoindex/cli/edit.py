"""``photoindex edit``: captions, tags, stars, favourites and hidden photos by people."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from photoindex.cli.context import Context
from photoindex.cli.terminal import print_line
from photoindex.errors import CorrectionError, FullTextError
from photoindex.system.terminal import visible
from photoindex.system.units import counted

if TYPE_CHECKING:
    from photoindex.library import Edit, Editor, Library, UserMetadata
    from photoindex.types import Correction, Photo

SHOWN = 5  # of the photos that a query matches

where_option = click.option(
    "--where", "query", metavar="QUERY", help="Instead of naming any: all photos that match this query of `search`."
)
near_option = click.option(
    "--near", is_flag=True, help="With --where: all photos that `search` finds, also those that only come near."
)
yes_option = click.option("-y", "--yes", is_flag=True, help="With --where: do not ask.")


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE…]")
@where_option
@near_option
@click.option("--caption", metavar="TEXT", help="Your caption, shown and searched instead of the model's.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Add a tag; may be given several times.")
@click.option("--untag", "untags", multiple=True, metavar="TAG", help="Remove one of your tags.")
@click.option("--clear", is_flag=True, help="Remove your caption and tags; the model's words are shown again.")
@click.option("--lock/--unlock", "lock", default=None,
              help="Keep the caption shown now, whatever a model or a sidecar says later; or no longer.")  # fmt: skip
@click.option("--rating", type=click.IntRange(-1, 5), metavar="N",
              help="Your stars, 1 to 5; 0 for none whatever the file says, -1 for rejected.")  # fmt: skip
@click.option("--favourite/--no-favourite", default=None, help="One of your favourites; or no longer.")
@click.option("--hidden/--no-hidden", default=None,
              help="Show it only to searches that ask for is:hidden; or to all again.")  # fmt: skip
@click.option("--undo", is_flag=True, help="Undo the last edit of each photo; again for the one before.")
@click.option("--history", is_flag=True, help="Show what was changed.")
@click.option("--dry-run", is_flag=True, help="List the photos that would change, and change nothing.")
@yes_option
@click.pass_obj
def edit(
    context: Context,
    /,
    paths: tuple[Path, ...],
    query: str | None,
    near: bool,
    caption: str | None,
    tags: tuple[str, ...],
    untags: tuple[str, ...],
    clear: bool,
    lock: bool | None,
    rating: int | None,
    favourite: bool | None,
    hidden: bool | None,
    undo: bool,
    history: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Set your own captions, tags and stars, which no model overwrites.

    A correction is searchable at once, and ranks above a model's words. Nothing is written to the photos; see
    `photoindex export --sidecars`. With one FILE and nothing else, your editor ($EDITOR) opens.

    --where takes the photos in which every word of the query is written: in captions, tags, keywords, names, places or
    labels. Photos that only come near, by one of several words, by a model's other words or by words of like meaning,
    are counted and left out without --near.

    \b
      photoindex edit cat.jpg --caption "Minka on the old sofa" --tag Minka
      photoindex edit --where "folder:lisbon" --tag Lisbon
      photoindex edit cat.jpg --rating 5 --favourite
      photoindex edit cat.jpg --undo
    """
    from photoindex.library import Edit

    change = Edit(caption, tags, untags, clear, lock, rating, favourite, hidden)
    if near and query is None:
        raise click.UsageError("--near goes with --where")
    if (query is None) == (not paths):
        raise click.UsageError("name photos, or choose them with --where QUERY; one of the two")
    if sum((undo, history, not change.says_nothing)) > 1:
        raise click.UsageError("one thing at a time: an edit, --undo or --history")
    with context.open() as library:
        editor = library.editor()
        photo_ids = editor.photos_at(paths) if query is None else chosen_by(context, library, query, near)
        if history:
            show_history(library, editor, photo_ids)
            return
        if not undo and change.says_nothing:
            if len(photo_ids) != 1 or query is not None:
                raise click.UsageError("name the change, such as --caption, --tag, --rating, --hidden or --undo")
            before = editor.said(photo_ids)[photo_ids[0]]
            change = ask_editor(paths[0], before)
            if change.uncaption and editor.said(photo_ids)[photo_ids[0]].caption != before.caption:
                raise CorrectionError("the caption was changed meanwhile: nothing was changed; edit it again")
            if change.says_nothing:
                context.say("nothing changed")
                return
        if query is not None or dry_run:
            what = "undone for" if undo else "edited"
            if not choose(
                context, library, photo_ids, f"{counted(len(photo_ids), 'photo')} would be {what}", dry_run, yes
            ):
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


def chosen_by(context: Context, library: Library, query: str, near: bool) -> list[int]:
    """Return the photos in which all words of a query are written; with ``near`` all that a search finds."""
    matches = [match.photo_id for match in library.match(query)]
    if near:
        return matches
    exact = [match.photo_id for match in library.match(query, exact=True)]
    others = len(set(matches) - set(exact))
    if others:
        left_out = counted(others, "photo that only comes", "photos that only come")
        context.say(f"leaving out {left_out} near {query!r}; --near takes those too")
    return exact


def choose(context: Context, library: Library, photo_ids: Sequence[int], would: str, dry_run: bool, yes: bool) -> bool:
    """Show which photos are meant and ask whether to go on. Without a terminal, --yes must have been given."""
    if not photo_ids:
        context.say("no photo matches")
        return False
    if dry_run or not yes:
        context.say(would + ":")
        for photo in library.photos(photo_ids[:SHOWN]):
            context.say(f"  {_name(photo)}  {photo.caption.text if photo.caption else ''}")
        if len(photo_ids) > SHOWN:
            context.say(f"  … and {len(photo_ids) - SHOWN:,} more")
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
            print_line(_name(photo))
        for change in changes.get(photo.id, ()):
            print_line(history_line(change))


def _name(photo: Photo) -> str:
    """Return where a photo is, or was."""
    return str((*photo.paths, *photo.missing_paths, photo.content_hash)[0])


def history_line(change: Correction) -> str:
    """A change as one line: when, what, from what, to what, and whether it was undone."""
    undone = f" (undone {change.undone_at:%Y-%m-%d %H:%M})" if change.undone_at else ""
    return f"{change.made_at:%Y-%m-%d %H:%M}  {change.kind:<9} {_plain(change.old)} -> {_plain(change.new)}{undone}"


def _plain(value: str | tuple[str, ...] | None) -> str:
    if not value:
        return "nothing"
    return repr(value) if isinstance(value, str) else ", ".join(value)


def ask_editor(path: Path, said: UserMetadata) -> Edit:
    """Have the person change the caption and the tags in their editor; an edit that says nothing when they did not.

    Raises :class:`CorrectionError` for lines that cannot be understood.
    """
    from photoindex.library import Edit

    lines = [
        f"# {visible(str(path))}",
        "# One caption, a tag a line. Without a caption the model's is shown. Save and close to go on.",
        f"caption: {said.caption or ''}",
        *(f"tag: {tag}" for tag in said.tags or ("",)),
    ]
    answer = click.edit("\n".join(lines) + "\n", extension=".txt", require_save=True)
    return Edit() if answer is None else parse_answer(answer, said)


def parse_answer(answer: str, said: UserMetadata) -> Edit:
    """What the person changed of what was said before. Meanwhile others may have said more, which stays."""
    from photoindex.library import Edit

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
    changed = (caption or None) != said.caption
    return Edit(
        caption or None if changed else None,
        tuple(tag for tag in tags if tag not in said.tags),
        tuple(tag for tag in said.tags if tag not in tags),
        uncaption=changed and not caption,
    )
