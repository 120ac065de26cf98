"""``photoindex search``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import click

from photoindex.cli import output
from photoindex.cli.command import DashWords
from photoindex.cli.context import Context, write_json
from photoindex.cli.parameters import flag_of
from photoindex.cli.terminal import print_path, stderr_is_terminal, stdout_is_terminal
from photoindex.library.json_forms import hit_json
from photoindex.library.quoting import quoted
from photoindex.system.units import counted
from photoindex.system.url_paths import is_url, url_text
from photoindex.types.hit import SortKey

if TYPE_CHECKING:
    from photoindex.library import Library
    from photoindex.types import Hit

EXIT_NOTHING_FOUND = 1
Protocol = Literal["auto", "kitty", "iterm2"]


@click.command(cls=DashWords)
@click.argument("query", nargs=-1, metavar="QUERY…")
@click.option("--like", type=click.Path(path_type=Path), metavar="FILE",
              help="Find photos like this one, in the library or not; with a QUERY, among those that "
                   "answer it.")  # fmt: skip
@click.option("-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="Show at most this many.")
@click.option("--offset", type=click.IntRange(0), default=0, help="Leave out this many, as for the next page.")
@click.option("--sort", type=click.Choice(get_args(SortKey)), default="score", show_default=True,
              help="Best first, oldest first, by name, most stars first, first added first, or surest caption "
                   "first.")  # fmt: skip
@click.option("--reverse", is_flag=True, help="Reverse the order.")
@click.option("--all", "everything", is_flag=True, help="Show every match.")
@click.option("--explain", is_flag=True, help="Show which words matched where, and what each adds to the score.")
@flag_of("style", "--json", value="json", help="Print one JSON list.")
@flag_of("style", "--jsonl", value="jsonl", help="Print a JSON object a line.")
@flag_of("style", "--csv", value="csv", help="Print CSV with a header.")
@click.option("--columns", metavar="NAME,NAME…", callback=lambda _context, _option, text: _columns(text),
              help=f"The columns of --csv, in this order: {', '.join(output.ALL_COLUMNS)}.")  # fmt: skip
@flag_of("style", "-0", "--print0", value="print0", help="Print paths only, each ended by NUL, for xargs -0.")
@click.option("--format", "template", metavar="TEMPLATE",
              help="Print each hit as in '{path}: {caption}'; the names are those of --columns.")  # fmt: skip
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write a page with the photos found: one file that holds the pictures.")  # fmt: skip
@click.option("--pictures", type=click.Choice(["auto", "kitty", "iterm2"]),
              help="Show the photos on the terminal, by this protocol or by the terminal's own.")  # fmt: skip
@click.option("--open", "open_first", is_flag=True, help="Open the best match (with --html: the page) in its program.")
@click.pass_obj
def search(
    context: Context,
    /,
    query: tuple[str, ...],
    like: Path | None,
    limit: int,
    offset: int,
    sort: SortKey,
    reverse: bool,
    everything: bool,
    explain: bool,
    style: str | None,
    columns: tuple[str, ...] | None,
    template: str | None,
    html: Path | None,
    pictures: Literal["auto", "kitty", "iterm2"] | None,
    open_first: bool,
) -> None:
    """Find photos by what they show.

    Plain words are enough: photos that match more of them come first. Also "an exact phrase", -word (without this
    word), AND, OR, NOT, begin*, fuzzy~, fields such as tag: person: place: folder: name: camera:, days (taken:2023-06,
    taken:last-week), numbers (rating:>=4, confidence:<0.4) and facts (has:gps, is:screenshot). docs/queries.md has them
    all.

    Options may stand before or after the query. A word with one dash leaves photos out; behind -- everything is part of
    the query.

    \b
      photoindex search giraffes in grass
      photoindex search dog beach -people taken:2023
      photoindex search '"birthday cake"' -0 | xargs -0 cp -t cakes/
      photoindex search 'beach place:portugal rating:4..' --sort taken
      photoindex search --like beach.jpg -n 5

    Exit status: 0 when something was found, 1 when nothing was.
    """
    text = " ".join(_requoted(query))
    if not query and like is None:
        raise click.UsageError("name something to search for: a QUERY, or a photo with --like")
    if like is not None and (sort != "score" or reverse):
        raise click.UsageError("--like puts the most alike first: leave --sort and --reverse out")
    if columns is not None and style != "csv":
        raise click.UsageError("--columns names the columns of --csv: add --csv, or use --format")
    if template is not None and style is not None:
        raise click.UsageError(f"--format prints lines of its own, and --{style} others: leave one of them out")
    if pictures is not None and (template is not None or style is not None):
        raise click.UsageError(f"--pictures goes with the list for people, not with --{style or 'format'}")
    if template is not None:
        output.check_template(template)
    most = None if everything else offset + limit
    with context.open() as library:
        library.prepare_search()
        hits = (
            library.search(text, most, sort=sort, reverse=reverse) if like is None else library.like(like, most, text)
        )
        shown_query = text if like is None else f"{text} like {like}".strip()
        found, hits = len(hits), hits[offset:]
        if found and not hits:
            matching = counted(found, "photo matches", "photos match")
            advice: str | None = f"{matching} {shown_query!r}: --offset {offset} leaves them out"
        else:
            advice = _advice(library, text, shown_query, hits, like is not None)
        thumbnails = list(library.thumbnails(hits)) if html is not None or pictures is not None else []
    if html is not None:
        from photoindex.cli.contactsheet import write_contact_sheet

        write_contact_sheet(html, shown_query, hits, thumbnails)
        context.say(f"wrote {html}")
    if style is not None or template is not None:
        _write_for_programs(context, hits, style, columns or output.COLUMNS, template)
    else:
        shown = [] if pictures is None else _shown(context, pictures, thumbnails)
        output.write_list(hits, explain=explain, terminal=stdout_is_terminal(), pictures=shown)
    if advice:
        context.say(advice)
    if not hits:
        raise SystemExit(EXIT_NOTHING_FOUND)
    if open_first:
        _open(context, html, hits)


def _write_for_programs(
    context: Context, hits: list[Hit], style: str | None, columns: tuple[str, ...], template: str | None
) -> None:
    """Write hits as JSON, CSV, paths or by a template. A list of paths has only those where a file is now."""
    if style == "json":
        write_json([hit_json(hit) for hit in hits])
    elif style == "jsonl":
        for hit in hits:
            write_json(hit_json(hit), indent=None)
    elif style == "csv":
        output.write_csv(hits, columns, terminal=stdout_is_terminal())
    elif template is not None:
        output.write_template(template, hits, terminal=stdout_is_terminal())
    else:
        there = [hit for hit in hits if hit.present]
        for hit in there:
            print_path(hit.path, end="\0")
        if len(there) < len(hits):
            context.say(f"{counted(len(hits) - len(there), 'match', 'matches')} left out: the file is not there now; "
                        "photoindex index on the folder brings the library up to date")  # fmt: skip


def _columns(text: str | None) -> tuple[str, ...] | None:
    """The names in a list with commas. Raises for one that is no column."""
    if text is None:
        return None
    names = tuple(name for part in text.split(",") if (name := part.strip()))
    unknown = [name for name in names if name not in output.ALL_COLUMNS]
    if unknown or not names:
        wrong = f"{unknown[0]!r} is no column" if unknown else "name a column"
        raise click.BadParameter(f"{wrong}; there are {', '.join(output.ALL_COLUMNS)}")
    return names


def _shown(context: Context, wanted: Protocol, thumbnails: list[bytes | None]) -> list[bytes | None]:
    """Return the bytes that make the terminal show each photo; nothing when its protocol is not known."""
    from photoindex.cli.pictures import protocol_of, sequence

    protocol = wanted if wanted != "auto" else protocol_of(os.environ) if stdout_is_terminal() else None
    if protocol is None:
        context.say("this is no terminal that is known to show pictures: name its protocol, or use --html FILE")
        return []
    return [None if picture is None else sequence(picture, protocol) for picture in thumbnails]


def _open(context: Context, page: Path | None, hits: list[Hit]) -> None:
    """Open the page, or the best photo whose file is there, in the program that the desktop has for it."""
    path = page if page is not None else next((hit.path for hit in hits if hit.present), None)
    if path is None:
        context.say(f"cannot open {hits[0].path}: it is not there now")
    elif not launch(path if is_url(path) else path.absolute()):
        context.say(f"cannot open {path}: no program is set for it")


def launch(path: Path) -> bool:
    """Open a file in the program that the desktop has for it; return whether there is one."""
    try:
        return click.launch(url_text(path)) == 0
    except OSError:  # no xdg-open, or none that can be started
        return False


def _advice(library: Library, query: str, shown_query: str, hits: list[Hit], by_photo: bool) -> str | None:
    """Return what to say about a search that found nothing, or not all of its words."""
    if not hits:
        return _nothing_to_search(library) or f"no photo matches {shown_query!r}" + (
            "" if by_photo else _other_spellings(library, query)
        )
    if by_photo or not stderr_is_terminal():
        return None
    nearest = {word: near[0] for word, near in library.corrections(query).items()}
    if not nearest:
        return None if _shows(hits) else f"these come near {query!r}; none of them surely shows all of it"
    from photoindex.library import respell

    instead = next(iter(nearest.values())) if len(nearest) == 1 else respell(query, nearest)
    return f"no photo has {' or '.join(map(repr, nearest))}; did you mean {instead!r}?"


def _shows(hits: list[Hit]) -> bool:
    """Return whether any of the hits is not merely near to what was asked."""
    from photoindex.library import NEAR

    return any(hit.sureness is None or hit.sureness >= NEAR for hit in hits)


def _other_spellings(library: Library, query: str) -> str:
    suggestions = ", ".join(library.suggest(query))
    return f". Did you mean: {suggestions}?" if suggestions else ""


def _nothing_to_search(library: Library) -> str | None:
    """Return what to do about a library that has no photos yet, or none with a caption."""
    state = library.status()
    if state.captioned:
        return None
    if not state.photos and not any(state.jobs.values()):
        return "the library is empty: photoindex index FOLDER adds the photos of a folder"
    waiting = counted(state.jobs["queued"] + state.jobs["retrying"], "photo")
    return f"no photo is captioned yet, {waiting} waiting: photoindex index FOLDER goes on"


def _requoted(query: tuple[str, ...]) -> list[str]:
    """Put the quotes back that the shell took away: an argument of several words among others is a phrase."""
    if len(query) == 1:
        return list(query)
    return [_phrase(part) if " " in part and '"' not in part and ":" not in part else part for part in query]


def _phrase(words: str) -> str:
    return f"-{quoted(words[1:])}" if words.startswith("-") else quoted(words)
