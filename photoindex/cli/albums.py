"""``photoindex albums``: photos that a person keeps together, and saved searches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from photoindex.cli.context import Context, json_option, write_json
from photoindex.cli.edit import chosen_by, near_option
from photoindex.cli.terminal import print_line, print_path
from photoindex.library.json_forms import album_json
from photoindex.system.units import counted

if TYPE_CHECKING:
    from photoindex.catalogue.albums import Album
    from photoindex.library import Library

where_option = click.option("--where", "query", metavar="QUERY", help="Also all photos that match this query.")
name_argument = click.argument("name", metavar="NAME")
files_argument = click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE…]")


@click.group()
def albums() -> None:
    """Keep photos together under a name, or save a search, which keeps up by itself.

    No photo is copied, moved or changed; a photo may be in many albums. `photoindex serve` shows them.

    \b
      photoindex albums add Lisbon --where "folder:lisbon rating:>=4"
      photoindex albums save "Best of 2023" "taken:2023 rating:5"
      photoindex albums show Lisbon --html lisbon.html
    """


@albums.command("list")
@json_option
@click.pass_obj
def list_albums(context: Context, /, as_json: bool) -> None:
    """List the albums: how many photos, or what is searched for."""
    with context.open() as library:
        found = library.albums.all()
    if as_json:
        write_json([album_json(each) for each in found])
        return
    for each in found:
        print_line(f"{each.name}: {_holds(each)}")
    if not found:
        context.say("no albums; `photoindex albums add NAME FILE…` makes one")


def _holds(album: Album) -> str:
    return f"search {album.query!r}" if album.query is not None else counted(album.photos, "photo")


@albums.command("show")
@name_argument
@click.option("-0", "--print0", is_flag=True, help="Print paths only, each ended by NUL, for xargs -0.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write a page with the photos: one file that holds the pictures.")  # fmt: skip
@click.pass_obj
def show_album(context: Context, /, name: str, print0: bool, html: Path | None) -> None:
    """List the photos of an album, first added first, or what its search finds."""
    if print0 and html is not None:
        raise click.UsageError("--html writes a page, and --print0 paths: leave one of them out")
    with context.open() as library:
        album = library.albums.named(name)
        hits = library.search(album.query, None) if album.query is not None else library.album_hits(album.id)
        if html is not None:
            from photoindex.cli.contactsheet import write_contact_sheet

            about = "best first" if album.query is not None else "first added first"
            write_contact_sheet(html, album.name, hits, list(library.thumbnails(hits)), about)
            context.say(f"wrote {html}")
            return
    for hit in hits:
        if print0:
            if hit.present:
                print_path(hit.path, end="\0")
        else:
            print_line(f"{hit.path}\t{hit.caption}")
    context.say(counted(len(hits), "photo"))


@albums.command("add")
@name_argument
@files_argument
@where_option
@near_option
@click.pass_obj
def add(context: Context, /, name: str, paths: tuple[Path, ...], query: str | None, near: bool) -> None:
    """Add photos to an album, which is made if there is none of that name."""
    with context.open() as library:
        chosen = _chosen(context, library, paths, query, near)
        album, added = library.albums.put(name, chosen)
    context.say(f"{added} added to {album.name}" + (f", {len(chosen) - added} in it before" * (added < len(chosen))))


@albums.command("remove")
@name_argument
@files_argument
@where_option
@near_option
@click.pass_obj
def remove(context: Context, /, name: str, paths: tuple[Path, ...], query: str | None, near: bool) -> None:
    """Take photos out of an album."""
    with context.open() as library:
        album = library.albums.named(name)
        removed = library.albums.remove(album.id, _chosen(context, library, paths, query, near))
    context.say(f"{removed} taken out of {album.name}")


@albums.command("save")
@name_argument
@click.argument("query", metavar="QUERY")
@click.pass_obj
def save(context: Context, /, name: str, query: str) -> None:
    """Save a search as an album."""
    with context.open() as library:
        found = len(library.match(query))
        album = library.albums.add(name, query)
    context.say(f"saved {album.name}: {query!r} finds {counted(found, 'photo')} now")


@albums.command("rename")
@name_argument
@click.argument("new_name", metavar="NEW")
@click.pass_obj
def rename(context: Context, /, name: str, new_name: str) -> None:
    """Give an album another name."""
    with context.open() as library:
        library.albums.rename(library.albums.named(name).id, new_name)
    context.say(f"renamed to {new_name}")


@albums.command("delete")
@name_argument
@click.pass_obj
def delete(context: Context, /, name: str) -> None:
    """Delete an album; its photos stay."""
    with context.open() as library:
        album, ids = library.albums.delete(library.albums.named(name).id)
    context.say(f"deleted {album.name}; " + ("its photos stay" if ids else "no photo was in it"))


def _chosen(context: Context, library: Library, paths: tuple[Path, ...], query: str | None, near: bool) -> list[int]:
    if not paths and query is None:
        raise click.UsageError("name photos, or choose them with --where QUERY")
    found = library.editor().photos_at(paths)
    return found if query is None else list(dict.fromkeys([*found, *chosen_by(context, library, query, near)]))
