"""``photoindex export`` and ``import``: for other programs, and for another library."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, get_args

import click

from photoindex.cli.context import EXIT_SOME_FAILED, Context
from photoindex.cli.edit import chosen_by, near_option, where_option
from photoindex.cli.output_files import check_replaceable
from photoindex.cli.progress import ProgressDisplay
from photoindex.cli.terminal import OutputError, print_error, print_line
from photoindex.errors import ExchangeError
from photoindex.system.atomic import replacing
from photoindex.system.regular_files import open_regular
from photoindex.system.terminal import shell_quoted
from photoindex.system.units import counted
from photoindex.types import SidecarStyle

if TYPE_CHECKING:
    from photoindex.library import SidecarChange


def is_folder_here(root: str) -> bool:
    """Whether the folder of an export, which may come from anywhere, is one of this machine."""
    try:
        return Path(root).is_absolute() and Path(root).is_dir()
    except (OSError, ValueError):  # no path at all
        return False


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH…]")
@where_option
@near_option
@click.option("--jsonl", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), metavar="FILE",
              help="Write everything known, a JSON object a line; - is the standard output.")  # fmt: skip
@click.option(
    "--sidecars",
    is_flag=True,
    help="Write your captions, those that you locked, tags, stars and favourites into XMP sidecars beside the photos.",
)
@click.option("--style", type=click.Choice(get_args(SidecarStyle)),
              help="How sidecars are named. [default: as the one that is there, else a.jpg.xmp]")  # fmt: skip
@click.option(
    "--machine", is_flag=True, help="Also write the captions of models and of text in photos, marked as such."
)
@click.option("--dry-run", is_flag=True, help="List what would be written into sidecars, and write nothing.")
@click.pass_obj
def export(
    context: Context,
    /,
    paths: tuple[Path, ...],
    query: str | None,
    near: bool,
    jsonl: Path | None,
    sidecars: bool,
    style: SidecarStyle | None,
    machine: bool,
    dry_run: bool,
) -> None:
    """Export what is known about photos: those at the PATHs, those that match a query, or all.

    --sidecars is for other programs: captions, tags and stars as XMP. What others wrote there stays, and where a
    description of theirs differs from yours, theirs stays. --jsonl is for photoindex: everything, so that
    `photoindex import` can make the library again. Photos are never written to.

    \b
      photoindex export --jsonl backup.jsonl
      photoindex export ~/Pictures/2023 --sidecars --dry-run

    Exit status: 0 done; 1 an error; 2 wrong usage; 4 some sidecars could not be written.
    """
    if sidecars == (jsonl is not None):
        raise click.UsageError("name what to write: --sidecars or --jsonl FILE; one of the two")
    if jsonl is not None and (style or machine or dry_run):
        raise click.UsageError("--style, --machine and --dry-run are about sidecars")
    if near and query is None:
        raise click.UsageError("--near goes with --where")
    if paths and query is not None:
        raise click.UsageError("name PATHs, or choose photos with --where QUERY; one of the two")
    with context.open() as library, ProgressDisplay(context.quiet) as display:
        exchange = library.exchange()
        photo_ids = exchange.photos_below(paths) if query is None else chosen_by(context, library, query, near)
        if jsonl is not None:
            with written_to(jsonl) as out:
                count = exchange.write_lines(out, photo_ids, display)
            context.say(f"{counted(count, 'photo')} exported")
            return
        report = exchange.write_sidecars(
            photo_ids, below=paths, style=style, machine=machine, dry_run=dry_run, problem=warn, progress=display,
            on_change=lambda change: print_change(context, change, dry_run),
        )  # fmt: skip
    would = "would be " if dry_run else ""
    parts = [f"{counted(report.written, 'sidecar')} {would}written", f"{report.unchanged:,} unchanged"]
    if report.kept:
        parts.append(f"{report.kept} keep a description that is not yours")
    if report.failed:
        parts.append(f"{report.failed} failed")
    if report.missing:
        parts.append(f"{report.missing} skipped, as their photos are not there now")
    context.say(", ".join(parts))
    if report.failed:
        raise SystemExit(EXIT_SOME_FAILED)


def print_change(context: Context, change: SidecarChange, dry_run: bool) -> None:
    """Print the change of a sidecar in one line, in a dry run on stdout."""
    parts = []
    if change.caption is not None:
        parts.append(f"caption {change.caption!r}" if change.caption else "no caption")
    parts += [f"+{tag}" for tag in change.added] + [f"-{tag}" for tag in change.removed]
    if change.rating is not None:
        parts.append(f"{change.rating} stars" if change.rating >= 0 else "rejected")
    if change.favourite is not None:
        parts.append("favourite" if change.favourite else "no favourite")
    if change.kept is not None:
        parts.append(f"keeps {change.kept!r}")
    line = f"{change.sidecar}: {'new, ' if change.created else ''}{', '.join(parts)}"
    if dry_run:
        print_line(line)
    elif change.kept is not None:
        context.say(line)


@contextmanager
def written_to(path: Path) -> Iterator[BinaryIO]:
    """A file that is there once all of it is; ``-`` is the standard output."""
    if str(path) == "-":
        if sys.stdout is None:
            raise ExchangeError("cannot write to the standard output: it is closed")
        try:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except OSError as error:
            raise OutputError(error) from error
        return
    check_replaceable(path, b'{"photoindex_export"', "an export of JSON lines")
    try:
        with replacing(path) as file:
            yield file
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ExchangeError(f"cannot write {path}: {error.strerror or error}") from error


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True), metavar="PATH…")
@click.option("--sidecars", is_flag=True, help="Read the sidecars beside the library's photos at these paths.")
@click.option("--replace", is_flag=True, help="Let the export's captions and tags win, also over newer ones here.")
@click.option("--match-paths", is_flag=True,
              help="Words about a file that changed since go to what is at its path now.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Count what would change, and change nothing.")
@click.pass_obj
def import_(
    context: Context, /, paths: tuple[Path, ...], sidecars: bool, replace: bool, match_paths: bool, dry_run: bool
) -> None:
    """Read an export back: files of JSON lines (- is the standard input), or sidecars.

    Photos are known by their content, wherever they lie now. What is newer counts, and nothing is lost: what an import
    replaces can be brought back with `photoindex edit --undo`. Import before you index, and photos that the export
    has captions of are not captioned again.

    \b
      photoindex import backup.jsonl
      photoindex index ~/Pictures

    Exit status: 0 done; 1 an error; 2 wrong usage; 4 some lines or sidecars could not be read.
    """
    from photoindex.library import ImportReport, lines_of

    if sidecars and match_paths:
        raise click.UsageError("--match-paths is about JSON lines: a sidecar lies beside its photo")
    report = ImportReport()
    with context.open_or_create() as library, ProgressDisplay(context.quiet) as display:
        exchange = library.exchange()
        if sidecars:
            report = exchange.read_sidecars(paths, replace=replace, dry_run=dry_run, problem=warn, progress=display)
        else:
            for path in paths:
                with opened(path) as file:
                    read = exchange.read_lines(
                        lines_of(file), replace=replace, match_paths=match_paths, dry_run=dry_run, progress=display,
                        problem=lambda what, path=path: warn(f"{path}, {what}"),  # type: ignore[misc]
                    )  # fmt: skip
                report = report.plus(read)
    if report.not_indexed:
        context.say(f"saved; searches know of it after the next `photoindex index`: {report.not_indexed}")
    would = "would be " if dry_run else ""
    context.say(
        f"{counted(report.read, 'photo')} read: {report.added:,} {would}added, {report.changed:,} {would}changed, "
        f"{report.unchanged:,} unchanged" + (f"; {report.bad:,} could not be read" if report.bad else "")
    )
    if report.waiting and not dry_run:
        folders = " ".join(shell_quoted(each) for each in report.roots if is_folder_here(each)) or "FOLDER"
        waiting = counted(report.waiting, "photo is", "photos are")
        context.say(f"{waiting} searchable once indexed: photoindex index {folders}")
    if report.changed_files:
        context.say(
            f"at {counted(report.changed_files, 'path')} is other content now: if these are the same photos, edited "
            "since, import with --match-paths"
        )
    if report.bad:
        raise SystemExit(EXIT_SOME_FAILED)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file, or ``-`` for the standard input. Raises :class:`ExchangeError`."""
    if str(path) == "-":
        if sys.stdin is None:
            raise ExchangeError("cannot read the standard input: it is closed")
        yield sys.stdin.buffer
        return
    try:
        # The shell's <(command) is a pipe that is open already; any other pipe may block forever.
        file = path.open("rb") if path.parent == Path("/dev/fd") else open_regular(path)
    except OSError as error:
        raise ExchangeError(f"cannot read {path}: {error.strerror or error}") from error
    with file:
        yield file


def warn(line: str) -> None:
    """Report a problem with one file or line while the rest goes on."""
    print_error(f"photoindex: {line}")
