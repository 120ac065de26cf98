"""From a request to a call of one function, and from what it returns to an answer."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from photoindex.system.json_files import parse_json
from photoindex.web.problems import Problem, bad_value, problem_of

_log = logging.getLogger(__name__)

REVALIDATED: Final = "private, no-cache"

Handler = Callable[["Call"], Any]
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Call:
    """What a request asks: the parts of its path, its query, its headers and its JSON body."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Headers
    body: Mapping[str, Any] = field(default_factory=dict)

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """Return a whole number of the query. Raises :class:`Problem`."""
        return whole(name, self.query.get(name, default), low, high)

    def first_of_page(self, size: int, total: int) -> int:
        """Return where the page of a list begins that the query asks for; where it has gone with what was on it, the
        list's last one. Raises :class:`Problem`."""
        return min(self.whole("from", 0, 0, 2**31), max(0, total - 1) // size * size)

    def number(self, name: str) -> int:
        """Return a whole number of the path. Raises :class:`Problem`."""
        return whole(name, self.path[name], 0, 2**62)

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        """Return a word of the query. Raises :class:`Problem`."""
        found = self.query.get(name, default)
        if found not in choices:
            raise bad_value(name, f"one of {', '.join(choices)}")
        return found


def whole(name: str, value: Any, low: int, high: int) -> int:
    """Return a value as a whole number within limits. Raises :class:`Problem`."""
    try:
        found = value if isinstance(value, int) and not isinstance(value, bool) else int(str(value), 10)
    except ValueError:
        raise bad_value(name, "a whole number") from None
    if not low <= found <= high:
        raise bad_value(name, f"from {low} to {high}")
    return found


def text(body: Mapping[str, Any], name: str) -> str | None:
    """Return a text of a JSON body, or ``None``. Raises :class:`Problem`."""
    found = body.get(name)
    if found is not None and not isinstance(found, str):
        raise bad_value(name, "a text")
    return found


def number_or_none(body: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    """Return a whole number of a JSON body within limits, or ``None``. Raises :class:`Problem`."""
    found = body.get(name)
    return None if found is None else whole(name, found if type(found) is int else "", low, high)


def texts(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return a list of texts of a JSON body. Raises :class:`Problem`."""
    found = body.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise bad_value(name, "a list of texts")
    return tuple(found)


def numbers(body: Mapping[str, Any], name: str) -> list[int]:
    """Return a list of whole numbers of a JSON body. Raises :class:`Problem`."""
    found = body.get(name, [])
    if not isinstance(found, list) or not all(type(one) is int and 0 <= one < 2**62 for one in found):
        raise bad_value(name, "a list of whole numbers")
    return found


def moment(body: Mapping[str, Any], name: str) -> datetime | None:
    """Return a time of a JSON body, or ``None``. Raises :class:`Problem`."""
    found = text(body, name)
    try:
        time = None if found is None else datetime.fromisoformat(found)
    except ValueError:
        time = datetime.min
    if time is not None and time.tzinfo is None:
        raise bad_value(name, "a time with its zone (ISO 8601)")
    return time


def switch(body: Mapping[str, Any], name: str) -> bool | None:
    """Return true, false or ``None`` of a JSON body. Raises :class:`Problem`."""
    found = body.get(name)
    if found is not None and not isinstance(found, bool):
        raise bad_value(name, "true or false")
    return found


def box(text: str) -> tuple[float, float, float, float]:
    """Return (west, south, east, north) in degrees of a text "w,s,e,n". Raises :class:`Problem`."""
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise bad_value("box", "west,south,east,north in degrees") from None
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise bad_value("box", "west,south,east,north in degrees")
    return west, south, east, north


def tagged(response: Response, tag: str | None = None) -> Response:
    """Return an answer with an ETag, by default one of its body: a browser keeps it, and asks each time whether it
    still holds."""
    response.headers["ETag"] = tag or f'"{hashlib.sha256(response.body).hexdigest()[:24]}"'
    response.headers["Cache-Control"] = REVALIDATED
    return response


def is_known(headers: Headers, tag: str | None) -> bool:
    """Return whether who asks has what a tag stands for (RFC 9110, section 13.1.2; by the weak comparison)."""
    known = headers.get("if-none-match", "").split(",")
    return tag is not None and any(each.strip().removeprefix("W/") == tag for each in known)


def endpoint(
    handler: Handler,
    respond: Callable[[Any], Response],
    refuse: Callable[[Request, Problem], Response],
    make_tag: Callable[[], str] | None = None,
    fields: Collection[str] | None = None,
) -> Endpoint:
    """Return what Starlette calls. The handler runs in a thread, as the catalogue and the disk make it wait.

    ``make_tag`` returns an ETag that is another one whenever the handler may find something else; with it, what the
    client has already is not worked out again. ``fields`` are all that a body may have: one that is misspelt would
    leave out what was asked for.
    """

    def run(call: Call) -> Response:
        tag = None if make_tag is None else make_tag()  # before the handler looks: what it finds may only be newer
        if is_known(call.headers, tag):
            return _unchanged(tag)
        found = handler(call)
        if make_tag is not None:
            return tagged(respond(found), tag)
        return found if isinstance(found, Response) else respond(found)

    async def answer(request: Request) -> Response:
        try:
            body = await _body(request)
            if fields is not None and (unknown := sorted(body.keys() - fields)):
                raise bad_value(unknown[0], "left out: it is no field of this request")
            call = Call(request.path_params, request.query_params, request.headers, body)
            response = await run_in_threadpool(run, call)
            tag = response.headers.get("etag")
            if request.method in ("GET", "HEAD") and response.status_code == 200 and is_known(request.headers, tag):
                return _unchanged(tag)
            return response
        except Exception as error:
            problem = problem_of(error)
            if problem.status >= 500:
                _log.error("%s: %s", request.url.path, problem.message, exc_info=problem.code == "internal")
            return refuse(request, problem)

    return answer


def _unchanged(tag: str | None) -> Response:
    return Response(status_code=304, headers={"ETag": tag or "", "Cache-Control": REVALIDATED})


async def _body(request: Request) -> dict[str, Any]:
    if request.method in ("GET", "HEAD"):
        return {}
    raw = await request.body()
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        from urllib.parse import parse_qs

        return {name: values[0] for name, values in parse_qs(raw.decode("utf-8", "replace")).items()}
    try:
        found = parse_json(raw or b"{}")
    except ValueError:
        raise Problem(400, "bad_request", "the body is no JSON") from None
    if not isinstance(found, dict):
        raise bad_value("the body", "a JSON object")
    return found
