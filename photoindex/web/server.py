"""Running the application: the socket, the addresses it answers to, and an end that loses nothing."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import uvicorn
from anyio.to_thread import current_default_thread_limiter
from uvicorn.protocols.http.h11_impl import H11Protocol

from photoindex.errors import ServiceError
from photoindex.library.gallery import Gallery
from photoindex.system.atomic import new_file
from photoindex.system.regular_files import read_regular
from photoindex.web.access import Access
from photoindex.web.app import Application, hosts_of, is_https
from photoindex.web.guard import MOST_HEADER_BYTES, Site

SESSIONS_FILE: Final = "web-sessions.json"
LINK_FILE: Final = "web-link"
HEADER_SECONDS: Final = 10.0  # for a request's first line and headers to arrive
KEEP_ALIVE_SECONDS: Final = 30
MOST_CONNECTIONS: Final = 200
TIDY_SECONDS: Final = 5.0
THREADS: Final = 8  # that answer; few processors do no more at once, and some wait for the catalogue
_LINK_BYTES: Final = 10_000
END_SECONDS: Final = 5  # that answers under way may take when the server ends


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """How to serve. ``password`` is needed by any other host than this machine's own. ``public_hosts``: further names
    that requests may name, as behind a proxy. ``root``: what every path begins with."""

    host: str = "127.0.0.1"
    port: int = 8420
    root: str = ""
    password: str | None = None
    public_hosts: tuple[str, ...] = ()
    read_only: bool = False


def _to_change(gallery: Gallery, options: ServeOptions) -> str:
    """Return what to do about a gallery that is read-only."""
    if gallery.is_read_only:
        return "the catalogue can only be read: its folder, its disk or its server takes no changes"
    if is_this_machine(options.host):
        return "start photoindex serve without --read-only"
    return "start photoindex serve with --allow-changes, and without --read-only"


class _PatientProtocol(H11Protocol):
    """uvicorn's, which ends a connection whose request's headers do not arrive: uvicorn itself waits for ever.

    It relies on two names of uvicorn's protocol, ``cycle`` and ``on_response_complete``; see :func:`_protocol`.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._cancel_deadline()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing():
            self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_deadline()
        super().connection_lost(exc)

    def _expect_headers(self) -> None:
        self._cancel_deadline()
        self._deadline = self.loop.call_later(HEADER_SECONDS + KEEP_ALIVE_SECONDS * (self.cycle is not None), self._end)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self) -> None:
        if not self.transport.is_closing() and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()


def _protocol() -> Any:
    """Return the protocol with the deadline, or uvicorn's own where a version does not have what it relies on."""
    attributes = set(H11Protocol.__init__.__code__.co_names)  # the source itself takes long to read
    known = {"cycle", "transport", "loop"} <= attributes and hasattr(H11Protocol, "on_response_complete")
    return _PatientProtocol if known else "h11"


class GalleryServer:
    """Serves a gallery in a thread of its own, from :meth:`start` to :meth:`stop`."""

    def __init__(self, gallery: Gallery, options: ServeOptions) -> None:
        """Raises :class:`ServiceError` when the address cannot be had, or may not be used without a password."""
        if not is_this_machine(options.host) and options.password is None:
            raise ServiceError(
                f"{options.host} can be reached from other machines: set a password with --password-file, or leave "
                "--host out"
            )
        self._socket = _bound(options.host, options.port)
        self.port = int(self._socket.getsockname()[1])
        read_only = options.read_only or gallery.is_read_only
        hosts = _own_hosts(options.host, self.port).union(*map(hosts_of, options.public_hosts))
        encrypted = frozenset[str]().union(*map(hosts_of, filter(is_https, options.public_hosts)))
        self.site = Site(frozenset(hosts), self.port, options.root, read_only, _to_change(gallery, options), encrypted,
                         by_address=not is_this_machine(options.host))  # fmt: skip
        folder = gallery.settings.data_dir
        sessions = Path(folder, SESSIONS_FILE) if os.access(folder, os.W_OK) else None
        self._host = options.host
        self._link_file = sessions and sessions.with_name(LINK_FILE)
        announce = self._write_link if self._link_file is not None else None
        self.access = Access(sessions, options.password, announce=announce)
        self._gallery = gallery
        self._app = Application(gallery, self.site, self.access)
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._app, http=_protocol(), ws="none", lifespan="off", log_config=None, access_log=False,
                proxy_headers=False, server_header=False, timeout_keep_alive=KEEP_ALIVE_SECONDS,
                limit_concurrency=MOST_CONNECTIONS, h11_max_incomplete_event_size=MOST_HEADER_BYTES,
                timeout_graceful_shutdown=END_SECONDS,
            )
        )  # fmt: skip
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._ended = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tidied = 0, time.monotonic()  # after how many answers, and when

    @property
    def address(self) -> str:
        """Where it is, without the link's token."""
        host = socket.gethostname() if _is_any(self._host) else self._host
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.port}{self.site.root}/"

    @property
    def network_address(self) -> str | None:
        """Where other machines of its network find it, which may not know its name; ``None`` where it listens on one
        address alone, which is the one, or where there is no network."""
        found = _network_address(self._host) if _is_any(self._host) else None
        return found and f"http://{found}:{self.port}{self.site.root}/"

    @property
    def link(self) -> str:
        """The address with the one-time link; without it when that was used."""
        token = self.access.link_token
        return self.address if token is None else f"{self.address}login?link={token}"

    def start(self) -> None:
        """Begin to answer. What connects before the thread runs waits in the socket."""
        if self.access.link_token is not None:
            self._write_link(self.access.link_token)
        self._thread.start()

    def prepare(self) -> None:
        """Import what the first page needs. To be called behind :meth:`start`, which does not wait for it."""
        self._app.prepare()

    def _write_link(self, token: str) -> None:
        """Write the address with a link for the next browser, for :func:`running_link` and this user alone."""
        if self._link_file is not None:
            with suppress(OSError), new_file(self._link_file) as file:
                file.write(f"{self.address}login?link={token}\n".encode())

    def _remove_link(self) -> None:
        """Remove the file with the link, unless another gallery of the library has written its own there since. Where
        the disk refuses, it stays: no gallery answers at the address in it any more."""
        if self._link_file is not None:
            with suppress(OSError):
                if read_regular(self._link_file, _LINK_BYTES).startswith(f"{self.address}login".encode()):
                    self._link_file.unlink()

    def wait(self, seconds: float) -> bool:
        """Wait for the server to end by itself; returns whether it has."""
        return self._ended.wait(seconds)

    def tidy(self) -> None:
        """Hand memory that answers left behind to the system, now and then. To be called often."""
        answered, now = self._server.server_state.total_requests, time.monotonic()
        if answered != self._tidied[0] and now - self._tidied[1] >= TIDY_SECONDS:
            self._gallery.hand_back()
            self._tidied = answered, now

    def stop(self) -> None:
        """Answer what is under way, and end."""
        self._server.should_exit = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._app.events.close)
        self._thread.join()
        self._remove_link()

    def _run(self) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            current_default_thread_limiter().total_tokens = THREADS
            await self._server.serve(sockets=[self._socket])

        try:
            asyncio.run(serve())
        finally:
            self._socket.close()
            self._ended.set()


def running_link(data_dir: Path) -> str:
    """Return the address of the server that shows a library, with a link that signs in one more browser.

    Raises :class:`ServiceError` when none runs, or another user's.
    """
    try:
        found = read_regular(data_dir / LINK_FILE, _LINK_BYTES).decode("utf-8").strip()
        address = urlsplit(found)
        socket.create_connection((address.hostname or "", address.port or 80), timeout=2).close()
    except (OSError, ValueError) as error:
        raise ServiceError("no gallery of this library runs: start one with `photoindex serve`") from error
    return found


def is_this_machine(host: str) -> bool:
    """Return whether a host is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _own_hosts(host: str, port: int) -> set[str]:
    names = {host.lower()} if not _is_any(host) else {socket.gethostname().lower()}
    if _is_any(host):
        names |= {f"{name.partition('.')[0]}.local" for name in names}  # as telephones find a name (RFC 6762)
    if is_this_machine(host) or _is_any(host):
        names |= {"127.0.0.1", "localhost", "::1"}
    found = {f"[{name}]" if ":" in name else name for name in names}
    return {f"{name}:{port}" for name in found} | (found if port == 80 else set())


def _is_any(host: str) -> bool:
    return host in ("0.0.0.0", "::")


def _network_address(host: str) -> str | None:
    """Return the address of this machine on the network by which it reaches others, as an address of the web has it."""
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))[: 1 + (host == "::")]:
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asked:
            asked.connect((elsewhere, 9))  # of UDP: nothing is sent
            found = str(asked.getsockname()[0])
            if not ipaddress.ip_address(found).is_loopback:
                return f"[{found}]" if ":" in found else found
    return None


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, kind, protocol)
        try:
            if os.name != "nt":
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(place)
            made.listen(128)
        except OSError:
            made.close()
            raise
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ServiceError(
                f"port {port} of {host} is in use, perhaps by another `photoindex serve`, whose link `photoindex "
                "serve --link` prints: name another with --port"
            ) from error
        raise ServiceError(f"cannot serve on {host}, port {port}: {error.strerror or error}") from error
    return made
