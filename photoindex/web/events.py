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
from photoindex.web.access import Access
from photoindex.web.guard import session_in
from photoindex.web.problems import Problem

KEEP_ALIVE_SECONDS: Final = 15.0
MOST_STREAMS: Final = 30  # a browser's tabs share one
MOST_OF_SESSION: Final = 4  # a browser opens six connections to one host, and pages need some as well


class _Stream:
    """One stream that waits: whose it is, and what wakes it from any thread."""

    def __init__(self, session: str) -> None:
        self.session = session
        self.woken = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def wake(self) -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile
            self._loop.call_soon_threadsafe(self.woken.set)


class Events:
    """The streams of one server."""

    def __init__(self, gallery: Gallery, access: Access, cookie: str) -> None:
        self._gallery = gallery
        self._access = access
        self._cookie = cookie
        self._streams: set[_Stream] = set()
        self._closed = False

    def close(self) -> None:
        """End all streams; to be called in the server's event loop."""
        self._closed = True
        for stream in list(self._streams):
            stream.woken.set()

    def end(self, session: str) -> None:
        """Have the streams of a session end, which has ended."""
        for stream in list(self._streams):
            if stream.session == session:
                stream.wake()

    async def answer(self, request: Request) -> StreamingResponse:
        """Answer ``/api/v1/events``. Raises :class:`Problem`."""
        session = session_in(request.headers, self._cookie)
        of_session = sum(each.session == session for each in self._streams)
        if self._closed or len(self._streams) >= MOST_STREAMS or of_session >= MOST_OF_SESSION:
            raise Problem(503, "busy", "too many pages listen", "close some of them", {"Retry-After": "5"})
        return StreamingResponse(self._run(session), media_type="text/event-stream")

    async def _run(self, session: str) -> AsyncIterator[str]:
        stream = _Stream(session)
        forget = self._gallery.changes.listen(stream.wake)
        self._streams.add(stream)
        try:
            yield "retry: 2000\n\n" + await self._state("hello")
            while not self._closed:
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(stream.woken.wait(), KEEP_ALIVE_SECONDS)
                if not self._access.is_session(session):
                    yield "event: ended\ndata: {}\n\n"
                    break
                if not stream.woken.is_set():
                    yield ": still here\n\n"
                    continue
                stream.woken.clear()
                if not self._closed:
                    yield await self._state("changed")
        finally:
            self._streams.discard(stream)
            forget()

    async def _state(self, name: str) -> str:
        state = await asyncio.to_thread(self._read_state)
        return f"event: {name}\ndata: {json.dumps(state)}\n\n"

    def _read_state(self) -> dict[str, int]:
        _, catalogue, _ = self._gallery.version()
        snapshot = self._gallery.snapshot()
        return {"revision": snapshot.revision, "total": snapshot.count, "catalogue": catalogue}
