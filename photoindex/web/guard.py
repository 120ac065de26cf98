"""What stands before every page: which requests are let through, and what every answer carries.

A page of another site can make a browser send requests to this machine. So a request must name this server's own host
(DNS rebinding), must not come from another site (fetch metadata), must carry a session, and, where it changes
something, must come from a page of ours (Origin) as JSON, which no form of another site can send without being asked
first. Nothing here trusts a proxy's headers.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

from photoindex.web.access import Access
from photoindex.web.problems import Problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Refusal = Callable[[Scope, Problem], Response]

METHODS: Final = ("GET", "HEAD", "POST", "PATCH")
SAFE: Final = ("GET", "HEAD")
MOST_BODY: Final = 4_000_000  # bytes: an edit of a hundred thousand photos by id
BODY_SECONDS: Final = 10.0
LONGEST_TARGET: Final = 24_576  # bytes of path and query: the longest query that is searched has up to 12,000
OPEN_PATHS: Final = ("/login", "/api/v1/login", "/api/v1/health")
MOST_HEADER_BYTES: Final = 32_768
_ADDRESS: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::[0-9]{1,5})?")
STATIC: Final = "/static/"
METRICS: Final = "/metrics"  # what asks there has no browser to sign in with: the password may come along

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Site:
    """Where the server is. ``hosts`` are the values of Host that it answers to, ``encrypted`` those that are asked over
    TLS. ``root`` is what every path begins with (empty, or like ``/photos``). ``to_change``: what to do where it is
    read-only and something is to be changed. ``by_address``: whether any IP address is answered to, as a telephone
    names this machine. A page that reached this server by DNS rebinding has a name."""

    hosts: frozenset[str]
    port: int
    root: str = ""
    read_only: bool = False
    to_change: str = ""
    encrypted: frozenset[str] = frozenset()
    by_address: bool = False

    @property
    def cookie(self) -> str:
        """The name of the session's cookie; cookies do not tell ports apart, so the name does."""
        return f"photoindex-{self.port}"

    def answers_to(self, host: str) -> bool:
        """Return whether a request may name ``host``."""
        return host.lower() in self.hosts or (self.by_address and is_address(host))

    def takes_changes_from(self, origin: str, host: str) -> bool:
        """Return whether a request to ``host`` may change something when a page of ``origin`` sent it."""
        scheme, _, place = origin.lower().partition("://")
        return scheme in ("http", "https") and (place in self.hosts or (self.by_address and place == host.lower()))

    def is_encrypted(self, headers: Headers) -> bool:
        """Return whether a browser asks over TLS, which ends before the server: the page that it asks from says so, and
        without one the host's name does."""
        origin = headers.get("origin")
        return headers["host"].lower() in self.encrypted if origin is None else origin.lower().startswith("https:")


class Guard:
    """Lets requests through to ``app`` that may pass, and answers the others by ``refuse``."""

    def __init__(self, app: App, site: Site, access: Access, refuse: Refusal) -> None:
        self._app = app
        self._site = site
        self._access = access
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no WebSockets here
            await send({"type": "websocket.close", "code": 1008})
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            scope = self._below_root(scope)
            self._check(scope)
        except Problem as problem:
            await self._refuse(scope, problem)(scope, receive, send_guarded)
            return
        limited = receive if scope["method"] in SAFE else _LimitedBody(scope, receive)
        await self._app(scope, limited, send_guarded)

    def _below_root(self, scope: Scope) -> Scope:
        """Take the root off the path, if a proxy left it there."""
        root, path = self._site.root, scope["path"]
        if root and (path == root or path.startswith(root + "/")):
            path = path[len(root) :] or "/"
        return {**scope, "path": path, "raw_path": path.encode("utf-8", "surrogateescape"), "root_path": ""}

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        if headers.getlist("host") != [headers.get("host")] or not self._site.answers_to(headers["host"]):
            raise Problem(
                421, "host", "this server does not answer to that name",
                "use the address that `photoindex serve` printed, or name another with --public-host",
            )  # fmt: skip
        if scope["method"] not in METHODS:
            raise Problem(405, "method", f"{scope['method']} is not used here", headers={"Allow": ", ".join(METHODS)})
        if len(scope["path"]) + len(scope["query_string"]) > LONGEST_TARGET:
            raise Problem(414, "too_long", "the address is too long", "search for fewer words")
        if sum(len(name) + len(value) for name, value in scope["headers"]) > MOST_HEADER_BYTES:
            raise Problem(431, "too_long", "the request's headers are too long")
        site = headers.get("sec-fetch-site", "none")
        if site not in ("none", "same-origin"):
            raise Problem(403, "cross_site", "requests from other sites are refused", "open the address by itself")
        path = scope["path"]
        is_open = path in OPEN_PATHS or path.startswith(STATIC) or (path == METRICS and self._has_password(headers))
        if not is_open and not self._access.is_session(self.session_of(headers)):
            raise Problem(
                401, "login", "you are not signed in",
                "open the link that `photoindex serve` printed" + " or give the password" * self._access.has_password,
            )  # fmt: skip
        if scope["method"] not in SAFE:
            self._check_change(path, headers)

    def _check_change(self, path: str, headers: Headers) -> None:
        if not self._site.takes_changes_from(headers.get("origin", ""), headers["host"]):
            raise Problem(403, "origin", "changes are taken from the gallery's own pages alone", "send its Origin")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        wanted = "application/x-www-form-urlencoded" if path == "/login" else "application/json"
        if kind != wanted:
            raise Problem(415, "content_type", f"the body must be {wanted}")
        if self._site.read_only and path not in ("/login", "/logout", "/api/v1/login", "/api/v1/logout"):
            raise Problem(403, "read_only", "this gallery is read-only", self._site.to_change)

    def _has_password(self, headers: Headers) -> bool:
        """Return whether a request carries the password, as RFC 6750 has it: Authorization: Bearer PASSWORD.

        The bytes are compared, as a header has no encoding: Starlette reads it as Latin-1."""
        kind, _, password = headers.get("authorization", "").partition(" ")
        return kind.lower() == "bearer" and self._access.is_password(password.strip().encode("latin-1"))

    def session_of(self, headers: Headers) -> str:
        """Return the session that a request carries; empty when it has none."""
        return session_in(headers, self._site.cookie)


def is_address(host: str) -> bool:
    """Return whether a host is an IP address as browsers write it, with or without a port."""
    found = _ADDRESS.fullmatch(host)
    try:
        return found is not None and bool(ipaddress.ip_address(found[1] or found[2]))
    except ValueError:
        return False


def session_in(headers: Headers, name: str) -> str:
    """Return the value of a cookie; empty when there is none."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found is not None else ""


class _LimitedBody:
    """A request's body, not too large and not too slow; else reading it raises :class:`Problem`."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._left = MOST_BODY
        self._ends_at: float | None = None
        self._is_whole = False
        length = Headers(scope=scope).get("content-length", "")
        self._announced = int(length) if length.isdecimal() else 0

    async def __call__(self) -> Message:
        if self._is_whole:
            return await self._receive()
        if self._announced > MOST_BODY:
            raise _too_large()
        clock = asyncio.get_running_loop().time
        self._ends_at = self._ends_at or clock() + BODY_SECONDS
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, self._ends_at - clock()))
        except asyncio.TimeoutError:
            raise Problem(
                408, "timeout", "the request took too long to arrive", headers={"Connection": "close"}
            ) from None
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise _too_large()
        self._is_whole = not message.get("more_body", False)
        return message


def _too_large() -> Problem:
    return Problem(413, "too_large", f"a request may have {MOST_BODY:,} bytes", headers={"Connection": "close"})
