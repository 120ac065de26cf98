"""The stream of events: a line whenever the library has changed, so that pages keep up without asking."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from starlette.requests import Request
from starlette.responses import StreamingResponse

from photoindex.library.gallery import Gallery
from photoindex.web.problems import Problem

KEEP_ALIVE_SECONDS: Final = 15.0
MOST_STREAMS: Final = 30  # a browser's tabs share one
MOST_OF_SESSION: Final = 4  # a browser opens six connections to one host, and pages need some as well


class Events:
    """The streams of one server."""

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery
        self._waiting: dict[asyncio.Event, str] = {}  # the session of each stream
        self._closed = False

    def close(self) -> None:
        """End all streams; to be called in the server's event loop."""
        self._closed = True
        for event in list(self._waiting):
            event.set()

    async def answer(self, request: Request) -> StreamingResponse:
        """Answer ``/api/v1/events``. Raises :class:`Problem`."""
        session = request.headers.get("cookie", "")
        of_session = sum(each == session for each in self._waiting.values())
        if self._closed or len(self._waiting) >= MOST_STREAMS or of_session >= MOST_OF_SESSION:
            raise Problem(503, "busy", "too many pages listen", "close some of them", {"Retry-After": "5"})
        return StreamingResponse(self._stream(session), media_type="text/event-stream")

    async def _stream(self, session: str) -> AsyncIterator[str]:
        loop, changed = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(changed.set)

        forget = self._gallery.changes.listen(wake)
        self._waiting[changed] = session
        try:
            yield "retry: 2000\n\n" + await self._state("hello")
            while not self._closed:
                try:
                    await asyncio.wait_for(changed.wait(), KEEP_ALIVE_SECONDS)
                except asyncio.TimeoutError:
                    yield ": still here\n\n"
                    continue
                changed.clear()
                if not self._closed:
                    yield await self._state("changed")
        finally:
            self._waiting.pop(changed, None)
            forget()

    async def _state(self, name: str) -> str:
        snapshot = await asyncio.to_thread(self._gallery.snapshot)
        return f"event: {name}\ndata: {json.dumps({'revision': snapshot.revision, 'total': snapshot.count})}\n\n"
