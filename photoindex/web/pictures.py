"""Pictures: thumbnails by content, which never change at their address, and originals, which are downloads."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Generator, Iterator
from email.utils import formatdate
from typing import Final
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from photoindex.library.gallery import FULL_SIZE, THUMBNAIL_SIZES, Dropped, Gallery
from photoindex.web.calls import REVALIDATED, Call, is_known
from photoindex.web.problems import Problem, not_found

THUMBNAIL_SECONDS: Final = 45.0
IMMUTABLE: Final = "private, max-age=31536000, immutable"
SANDBOX: Final = "sandbox; default-src 'none'; frame-ancestors 'none'"

MOST_SHEETS: Final = 2  # contact sheets at once

_making: Final = threading.BoundedSemaphore(MOST_SHEETS)
_NAME: Final = re.compile(r"([0-9a-f]{64})-(\d{2,4})\.jpg")
_RANGE: Final = re.compile(r"bytes=([0-9]*)-([0-9]*)", re.IGNORECASE)
_MOST_DIGITS: Final = 18  # of a file's size: a longer number is beyond any end


async def thumbnail(gallery: Gallery, request: Request) -> Response:
    """Answer ``/api/v1/t/{sha}-{size}.jpg``. Raises :class:`Problem` and what decoding raises."""
    match = _NAME.fullmatch(request.path_params["name"])
    if match is None or int(match[2]) not in (*THUMBNAIL_SIZES, FULL_SIZE):
        raise not_found("there is no such thumbnail")
    content, size = match[1], int(match[2])
    tag = f'"{content[:16]}-{size}"'
    headers = {"Cache-Control": IMMUTABLE, "ETag": tag}
    if is_known(request.headers, tag):
        return Response(status_code=304, headers=headers)
    found = await asyncio.to_thread(gallery.thumbnail, content, size)
    if not isinstance(found, bytes):
        try:
            # Shielded: another request may wait for the same picture.
            found = await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(found)), THUMBNAIL_SECONDS)
        except (Dropped, asyncio.TimeoutError):
            raise Problem(503, "busy", "too many pictures are being made", "ask again", {"Retry-After": "1"}) from None
    return Response(found, media_type="image/jpeg", headers=headers)


def original(gallery: Gallery, call: Call) -> Response:
    """Answer ``/api/v1/photos/{id}/original``: the bytes of the file, as a download, whole or one range of it."""
    number = call.number("id")
    opened = gallery.original(number)
    tag, changed = f'"{number:x}-{opened.size:x}-{opened.mtime_ns:x}"', _date_of(opened.mtime_ns)
    kept = {"ETag": tag, "Last-Modified": changed, "Cache-Control": REVALIDATED}
    if _is_kept(call.headers, tag, changed):
        opened.close()
        return Response(status_code=304, headers=kept)
    headers = {
        **kept,
        "Content-Security-Policy": SANDBOX,
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(opened.path.name, safe='', errors='replace')}",
        "Accept-Ranges": "bytes",
    }
    # A part for who has parts of the same state alone (RFC 9110, section 13.1.5).
    goes_on = call.headers.get("if-range", tag).strip() in (tag, changed)
    try:
        span = _range(call.headers.get("range") if goes_on else None, opened.size)
    except Problem:
        opened.close()
        raise
    first, last = span or (0, opened.size - 1)
    headers["Content-Length"] = str(last - first + 1)
    if span is not None:
        headers["Content-Range"] = f"bytes {first}-{last}/{opened.size}"

    def blocks() -> Iterator[bytes]:
        with opened:
            yield from opened.blocks(first, last)

    return StreamingResponse(
        blocks(), 200 if span is None else 206, headers=headers, media_type="application/octet-stream"
    )


def _date_of(mtime_ns: int) -> str:
    """Return the time of a file as headers have it, and none that is still to come: clocks of cameras and servers are
    others."""
    return formatdate(max(0.0, min(mtime_ns / 1e9, time.time())), usegmt=True)


def _is_kept(headers: Headers, tag: str, changed: str) -> bool:
    """Return whether who asks has the file as it is. A date counts where no tag is given (RFC 9110, section 13.1.3);
    another one than the file's means another file, also when it is later."""
    if "if-none-match" in headers:
        return is_known(headers, tag)
    return headers.get("if-modified-since") == changed


def contact_sheet(gallery: Gallery, call: Call) -> Response:
    """Answer ``/api/v1/albums/{id}/sheet``: an album as one HTML file, as a download."""
    album, pieces = gallery.album_sheet(call.number("id"))
    pieces = _in_turn(pieces)
    name = quote(f"{album.name}.html", safe="", errors="replace")
    headers = {
        "Content-Security-Policy": SANDBOX,
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
        "Cache-Control": REVALIDATED,
    }
    # Names of files may hold what is no Unicode.
    return StreamingResponse((piece.encode("utf-8", "replace") for piece in pieces), headers=headers,
                             media_type="text/html")  # fmt: skip


def _in_turn(pieces: Iterator[str]) -> Generator[str, None, None]:
    """Return the pieces of a contact sheet, of which few are made at once: each takes one of the threads that answer
    and may wait long for its pictures. Raises :class:`Problem`."""
    if not _making.acquire(blocking=False):
        raise Problem(
            503, "busy", "other contact sheets are being made", "try again when they are done", {"Retry-After": "30"}
        )

    def made() -> Generator[str, None, None]:
        try:
            yield ""
            yield from pieces
        finally:
            _making.release()

    begun = made()
    next(begun)  # from here on it is released, also when nobody takes the rest
    return begun


def _range(asked: str | None, size: int) -> tuple[int, int] | None:
    """Return (first, last) byte of a single range (RFC 9110, section 14); ``None`` for the whole file."""
    match = _RANGE.fullmatch(asked.strip()) if asked else None
    if match is None or (not match[1] and not match[2]):
        return None  # several ranges, or another unit: the whole file is a right answer
    if match[1]:
        first, last = _byte(match[1]), min(_byte(match[2]) if match[2] else size - 1, size - 1)
    else:
        first, last = max(0, size - _byte(match[2])), size - 1
    if first > last or first >= size:
        raise Problem(416, "range", "the file does not have these bytes", headers={"Content-Range": f"bytes */{size}"})
    return first, last


def _byte(digits: str) -> int:
    return int(digits) if len(digits.lstrip("0")) <= _MOST_DIGITS else 10**_MOST_DIGITS
