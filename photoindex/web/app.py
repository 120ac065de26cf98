"""The application: which address is answered by what, behind the guard."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Match, Route

from photoindex import __version__
from photoindex.library.gallery import Gallery
from photoindex.web import calls, pictures
from photoindex.web.access import SESSION_SECONDS, Access
from photoindex.web.album_pages import AlbumPages
from photoindex.web.api import Api
from photoindex.web.calls import Call, Endpoint, tagged
from photoindex.web.events import Events
from photoindex.web.guard import METRICS, App, Guard, Scope, Site, session_in
from photoindex.web.operations import OPERATIONS, Operation, openapi
from photoindex.web.pages import Pages
from photoindex.web.problems import Problem, not_found, problem_of
from photoindex.web.static import StaticFiles
from photoindex.web.timeline_page import TimelinePage

if TYPE_CHECKING:
    from photoindex.library.metrics import Metrics

API: Final = "/api/v1"
USUAL_PORTS: Final = ("80", "443")
_OWN: Final = re.compile(r"/(?![/\\])[!-~]*")  # a path with its query: with two slashes it would name a host


class Application:
    """One gallery over HTTP. Called as ASGI asks."""

    def __init__(self, gallery: Gallery, site: Site, access: Access) -> None:
        self._gallery = gallery
        self._site = site
        self._access = access
        self._figures: Metrics | None = None
        self._files = StaticFiles(site.root)
        self._pages = Pages(gallery, site, access, self._files)
        self.events = Events(gallery, access, site.cookie)
        routes = [*self._api_routes(), *self._page_routes()]
        self._routes = routes
        inner: Any = Starlette(routes=routes, exception_handlers={404: self._missing, 405: self._missing})
        inner.router.redirect_slashes = False  # it knows nothing of what a proxy took off, nor of https
        self._guarded: App = Guard(inner, site, access, self._refuse_scope)

    def prepare(self) -> None:
        """Import what the first page needs. To be called when the server answers."""
        self._pages.prepare()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._guarded(scope, receive, send)

    # ---- routes --------------------------------------------------------------------------------------

    def _api_routes(self) -> list[Route]:
        api = Api(self._gallery, self._site)
        made: dict[str, Endpoint] = {
            "/t/{name}": self._picture,
            "/events": self._awaited(self.events.answer),
            "/photos/{id}/original": calls.endpoint(
                lambda call: pictures.original(self._gallery, call), _json, self._refuse
            ),
            "/albums/{id}/sheet": calls.endpoint(
                lambda call: pictures.contact_sheet(self._gallery, call), _json, self._refuse
            ),
            "/login": calls.endpoint(
                lambda call: self._login(call, _json({"status": "signed in"})), _json, self._refuse
            ),
            "/logout": calls.endpoint(self._logout, _json, self._refuse),
        }
        routes = [
            Route(API + operation.path, made.get(operation.path) or self._operation(api, operation),
                  methods=[operation.method])
            for operation in OPERATIONS
        ]  # fmt: skip
        document = calls.endpoint(lambda _: openapi(self._site.root, self._site.cookie), _tagged_json, self._refuse)
        return [*routes, Route(f"{API}/openapi.json", document, methods=["GET"])]

    def _operation(self, api: Api, operation: Operation) -> Endpoint:
        assert operation.handler is not None
        if operation.by_revision:
            return calls.endpoint(operation.handler(api), _json, self._refuse, self._revision_tag)
        return calls.endpoint(operation.handler(api), _tagged_json, self._refuse, fields=operation.fields)

    def _revision_tag(self) -> str:
        """An ETag of the library's state, and of what else an answer depends on."""
        parts = __version__, self._site.root, *self._gallery.version()
        return f'"{hashlib.sha256(repr(parts).encode()).hexdigest()[:24]}"'

    def _page_routes(self) -> list[Route]:
        pages, albums = self._pages, AlbumPages(self._gallery, self._pages, self._files)
        handlers = {
            "/albums": albums.albums,
            "/album/{id}": albums.album,
            "/map": albums.map,
            "/": TimelinePage(self._gallery).timeline,
            "/search": pages.search,
            "/photo/{id}": pages.photo,
            "/photo/{id}/similar": pages.similar,
            "/review": pages.review,
            "/failures": pages.failures,
            "/duplicates": pages.duplicates,
            "/jobs": pages.jobs,
            "/stats": pages.stats,
            "/about": pages.about,
            "/settings": pages.settings,
        }
        routes = [
            Route(path, calls.endpoint(handler, self._html, self._refuse), methods=["GET"])
            for path, handler in handlers.items()
        ]
        return [
            *routes,
            Route(METRICS, calls.endpoint(self._metrics, _json, self._refuse), methods=["GET"]),
            Route("/login", calls.endpoint(self._login_page, _json, self._refuse), methods=["GET"]),
            Route("/login", calls.endpoint(self._login_form, _json, self._refuse), methods=["POST"]),
            Route(
                "/static/{version}/{name}",
                calls.endpoint(lambda call: self._files.answer(call.path["version"], call.path["name"]), _json,
                               self._refuse),
                methods=["GET"],
            ),
        ]  # fmt: skip

    def _html(self, found: tuple[str, dict[str, Any]]) -> Response:
        # Names of files may hold what is no Unicode.
        return tagged(HTMLResponse(self._pages.render(*found).encode("utf-8", "replace")))

    def _awaited(self, answer: Callable[[Request], Awaitable[Response]]) -> Endpoint:
        async def run(request: Request) -> Response:
            try:
                return await answer(request)
            except Exception as error:
                return self._refuse(request, problem_of(error))

        return run

    async def _picture(self, request: Request) -> Response:
        return await self._awaited(lambda asked: pictures.thumbnail(self._gallery, asked))(request)

    def _metrics(self, _call: Call) -> Response:
        """The figures of the queue for Prometheus."""
        if self._figures is None:
            from photoindex.library.metrics import Metrics

            self._figures = Metrics(self._gallery.library.database)
        body, kind = self._figures.text()
        return Response(body, headers={"Content-Type": kind})

    # ---- signing in ----------------------------------------------------------------------------------

    def _login_page(self, call: Call) -> Response:
        """The one-time link, and the page with the form for the password."""
        token = call.query.get("link")
        session = session_in(call.headers, self._site.cookie)
        if token is None or self._access.is_session(session):
            if self._access.is_session(session):
                return self._home()
            problem = Problem(401, "login", "", "")
            return self._login_answer(problem)
        return self._signed_in(call, self._access.by_link(token), self._home())

    def _login_form(self, call: Call) -> Response:
        wanted = calls.text(call.body, "to") or ""
        try:
            return self._login(call, self._home(wanted))
        except Problem as problem:
            return self._login_answer(problem, wanted)

    def _login(self, call: Call, answer: Response) -> Response:
        password = calls.text(call.body, "password") or ""
        return self._signed_in(call, self._access.by_password(password), answer)

    def _signed_in(self, call: Call, session: str, answer: Response) -> Response:
        answer.set_cookie(
            self._site.cookie, session, max_age=SESSION_SECONDS, path=self._site.root or "/", httponly=True,
            samesite="strict", secure=self._site.is_encrypted(call.headers),
        )  # fmt: skip
        return answer

    def _logout(self, call: Call) -> Response:
        session = session_in(call.headers, self._site.cookie)
        self._access.end(session)
        self.events.end(session)
        answer = _json({"status": "signed out"})
        answer.delete_cookie(
            self._site.cookie, path=self._site.root or "/", httponly=True, samesite="strict",
            secure=self._site.is_encrypted(call.headers),
        )  # fmt: skip
        return answer

    def _home(self, wanted: str = "/") -> Response:
        """Lead to an address of the gallery; to the timeline, if it may be another site's."""
        address = wanted if _OWN.fullmatch(wanted) else "/"
        return RedirectResponse(f"{self._site.root}{address}", status_code=303)

    # ---- refusing ------------------------------------------------------------------------------------

    def _login_answer(self, problem: Problem, wanted: str = "") -> Response:
        """The page to sign in on. It leads to the address that was ``wanted``."""
        template, values = self._pages.problem(problem)
        page = self._pages.render(template, {**values, "wanted": wanted})
        # Its form must send its Origin, which browsers leave out under no-referrer.
        headers = {**problem.headers, "Referrer-Policy": "same-origin"}
        return HTMLResponse(page, problem.status if problem.message else 200, headers=headers)

    def _refuse(self, request: Request, problem: Problem) -> Response:
        return self._refuse_scope(request.scope, problem)

    def _refuse_scope(self, scope: Scope, problem: Problem) -> Response:
        if scope["path"].startswith("/api/"):
            return _json(problem.as_dict(), problem.status, problem.headers)
        if problem.status == 401 or scope["path"] == "/login":
            return self._login_answer(problem, _address_of(scope))
        page = self._pages.render(*self._pages.problem(problem))
        return HTMLResponse(page, problem.status, headers=problem.headers)

    async def _missing(self, request: Request, error: Exception) -> Response:
        if getattr(error, "status_code", 404) == 405:
            return self._refuse(request, Problem(405, "method", "this address does not take that method"))
        return self._without_slash(request.scope) or self._refuse(request, not_found())

    def _without_slash(self, scope: Scope) -> Response | None:
        """Lead from an address with a slash at its end to the one without, if there is something."""
        path = scope["path"]
        meant = {**scope, "path": path.rstrip("/")}
        if not path.endswith("/") or all(route.matches(meant)[0] is Match.NONE for route in self._routes):
            return None
        asked = f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
        return RedirectResponse(f"{self._site.root}{quote(meant['path'])}{asked}", status_code=307)


def _address_of(scope: Scope) -> str:
    """Return the address of a page that was asked for, below the root, with its query."""
    if scope["method"] != "GET" or scope["path"] == "/login":
        return ""
    query = scope["query_string"].decode("latin-1")
    return quote(scope["path"]) + (f"?{query}" if query else "")


def _json(found: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    if isinstance(found, bytes):
        return Response(found, media_type="application/octet-stream")
    # Names of files may hold what is no Unicode; as escapes everything can be sent.
    body = json.dumps(found, separators=(",", ":"))
    return Response(body, status, headers=headers, media_type="application/json")


def _tagged_json(found: Any) -> Response:
    return tagged(_json(found))


def hosts_of(address: str) -> set[str]:
    """Return what requests to an address such as ``https://photos.example:8443`` name as their host. Browsers leave out
    the port that a scheme has anyway."""
    named = (urlsplit(address).netloc if "//" in address else address).lower()
    host, _, port = named.rpartition(":")
    return {named, host} if port in USUAL_PORTS else {named}


def is_https(address: str) -> bool:
    """Return whether an address such as ``https://photos.example`` or ``photos.example:443`` is one over TLS."""
    parts = urlsplit(address if "//" in address else f"//{address}")
    return parts.scheme == "https" or (not parts.scheme and parts.netloc.endswith(":443"))
