"""``photoindex serve``."""

from __future__ import annotations

import os
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from photoindex.cli.context import Context, stop_on_signals
from photoindex.cli.terminal import print_line
from photoindex.errors import ConfigError, PhotoindexError
from photoindex.system import memory
from photoindex.system.error_lines import reason_of
from photoindex.system.lazy_imports import importing
from photoindex.system.paths import shown

if TYPE_CHECKING:
    from photoindex.library.gallery import Gallery

PASSWORD_VARIABLE = "PHOTOINDEX_WEB_PASSWORD"
LOOK_SECONDS = 0.5
SHORTEST_PASSWORD = 8
ARENAS = 2  # heaps of the process, whose threads mostly wait for each other


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH…]")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS",
              help="Where to listen. Another address than this machine's own needs a password, and is read-only unless "
                   "--allow-changes is given.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=8420, show_default=True, help="0 takes any free port.")
@click.option("--no-browser", is_flag=True, help="Do not open the browser.")
@click.option("--link", "only_link", is_flag=True,
              help="Print the address of the running gallery of this library, for one more browser.")  # fmt: skip
@click.option("--read-only", is_flag=True, help="Show everything, change nothing.")
@click.option("--allow-changes", is_flag=True, help="Allow changes from other machines, too.")
@click.option("--root-path", default="", metavar="/PATH", help="What every address begins with, as behind a proxy.")
@click.option("--public-host", "public_hosts", multiple=True, metavar="ADDRESS",
              help="Another address that this server answers to, such as that of a proxy: https://photos.example; may "
                   "be repeated.")  # fmt: skip
@click.option("--password-file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help=f"A file whose first line is the password to sign in with. [{PASSWORD_VARIABLE}]")  # fmt: skip
@click.pass_obj
def serve(
    context: Context, /, paths: tuple[Path, ...], host: str, port: int, no_browser: bool, only_link: bool,
    read_only: bool,
    allow_changes: bool, root_path: str, public_hosts: tuple[str, ...], password_file: Path | None,
) -> None:  # fmt: skip
    """Show the photos in a browser: timeline, search with its reasons, corrections, review.

    Prints one address, with a link that signs in the first browser that opens it. Only this machine can reach it.
    With PATHs, these folders are watched as well, as `photoindex watch` does. Stop it with Ctrl-C.

    \b
      photoindex serve                          look at the library
      photoindex serve ~/Pictures               and keep up with this folder
      photoindex serve --no-browser --port 0    on any free port
    """
    with importing():
        try:
            if find_spec("jinja2") is None:  # which is imported with the first page
                raise ModuleNotFoundError(name="jinja2")
            from photoindex.web.server import GalleryServer, ServeOptions, is_this_machine, running_link
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"the gallery needs {error.name}, which is not installed: pip install 'photoindex[web]'"
            ) from error
        from photoindex.library.gallery import Gallery
    if only_link:
        print_line(running_link(context.settings().data_dir))
        return
    host = host.removeprefix("[").removesuffix("]").lower()  # as addresses have it
    options = ServeOptions(
        host=host,
        port=port,
        root=_root(root_path),
        password=_password(password_file),
        public_hosts=public_hosts,
        read_only=read_only or not (allow_changes or is_this_machine(host)),
    )
    memory.share_arenas(ARENAS)
    with context.open_or_create() as library, stop_on_signals() as stop:
        gallery = Gallery(library)
        try:
            server = GalleryServer(gallery, options)
            server.start()
            print_line(f"photoindex: {server.link}")
            if server.network_address is not None:
                context.say(f"for a telephone, or another machine of your network: {server.network_address}")
            gallery.prepare(server.prepare)
            if not no_browser:
                import webbrowser  # here, as it takes longer to import than the address to print

                threading.Thread(target=webbrowser.open, args=(server.link,), daemon=True).start()
            watch = _start_watch(context, gallery, paths, stop) if paths else None
            while not stop.wait(LOOK_SECONDS) and not server.wait(0):
                server.tidy()
            gallery.stop_waiting()
            server.stop()
            if watch is not None:
                watch.join()
        finally:
            stop.set()
            gallery.close()
    context.say("stopped")


def _start_watch(
    context: Context, gallery: Gallery, paths: tuple[Path, ...], stop: threading.Event
) -> threading.Thread:
    """Watch folders in a thread, by a library of its own; what goes wrong there is said, and the gallery goes on."""

    def watch() -> None:
        try:
            with context.open_or_create() as library:
                library.watch(
                    *paths, stop=stop, notice=context.say,
                    ready=lambda report: context.say(f"watching {', '.join(map(shown, paths))}: {report.seen} photos"),
                    worked=lambda _: gallery.changes.notify(),
                )  # fmt: skip
        except PhotoindexError as error:
            context.say(f"not watching: {error}")

    thread = threading.Thread(target=watch, name="watch")
    thread.start()
    return thread


def _root(text: str) -> str:
    parts = [part for part in text.split("/") if part]
    if any(
        part in (".", "..") or not (part.isascii() and part.isprintable()) or set(part) & set("?#%\\ \"'<>;")
        for part in parts
    ):
        raise click.BadParameter(f"{text!r} is no path of an address", param_hint="--root-path")
    return "".join(f"/{part}" for part in parts)


def _password(file: Path | None) -> str | None:
    if file is not None:
        try:
            password = file.read_text("utf-8").partition("\n")[0].strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read the password in {file}: {reason_of(error)}") from error
    else:
        password = os.environ.get(PASSWORD_VARIABLE, "")
        if not password:
            return None
    if len(password) < SHORTEST_PASSWORD:
        raise ConfigError(f"the password has {len(password)} characters: take {SHORTEST_PASSWORD} or more")
    return password
