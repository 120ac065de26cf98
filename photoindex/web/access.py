"""Who may use the gallery: a one-time link, a password, and the sessions that they begin."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from photoindex.system.atomic import replace_file
from photoindex.system.json_files import read_json
from photoindex.web.problems import Problem

TRIES_A_MINUTE: Final = 5
SESSION_SECONDS: Final = 30 * 86_400
MOST_SESSIONS: Final = 50


class Access:
    """One server's sessions. They are kept by their hashes in ``file``, so that a restart ends none of them."""

    def __init__(
        self,
        file: Path | None,
        password: str | None = None,
        clock: Callable[[], float] = time.time,
        announce: Callable[[str], None] | None = None,
    ) -> None:
        """``announce`` is called with a new link's token when the one before was used; without it there is one only."""
        self._file = file
        self._announce = announce
        self._password = password
        self._clock = clock
        self._lock = threading.Lock()
        self._link: str | None = secrets.token_urlsafe(24)
        self._tries: deque[float] = deque()
        self._sessions = self._load()

    @property
    def link_token(self) -> str | None:
        """What the one-time link carries; ``None`` when it was used."""
        return self._link

    @property
    def has_password(self) -> bool:
        """Whether a person can sign in with a password."""
        return self._password is not None

    def by_link(self, token: str) -> str:
        """Begin a session by the one-time link, which is worth nothing afterwards. Raises :class:`Problem`."""
        with self._lock:
            self._count_try()
            if self._link is None or not hmac.compare_digest(self._link.encode(), _bytes(token)):
                raise Problem(
                    403, "link", "this link was used already, or is not of this server",
                    "use the address that `photoindex serve` printed last",
                )  # fmt: skip
            self._link = None if self._announce is None else secrets.token_urlsafe(24)
            if self._announce is not None and self._link is not None:
                self._announce(self._link)
            self._tries.clear()
            return self._begin()

    def by_password(self, password: str) -> str:
        """Begin a session by the password. Raises :class:`Problem`, also after five tries within a minute."""
        with self._lock:
            self._count_try()
            if self._password is None or not hmac.compare_digest(_bytes(self._password), _bytes(password)):
                raise Problem(403, "password", "this is not the password", "")
            self._tries.clear()
            return self._begin()

    def is_password(self, password: bytes) -> bool:
        """Return whether this is the password, of a request that carries it and begins no session.

        Raises :class:`Problem` when there were five wrong ones within a minute.
        """
        with self._lock:
            if self._password is None:
                return False
            self._count_try()
            if not hmac.compare_digest(_bytes(self._password), password):
                return False
            self._tries.pop()
            return True

    def is_session(self, session: str) -> bool:
        """Return whether somebody signed in with this session, not too long ago."""
        with self._lock:
            began = self._sessions.get(_hash(session))
            return began is not None and self._clock() - began < SESSION_SECONDS

    def end(self, session: str) -> None:
        """End a session."""
        with self._lock:
            if self._sessions.pop(_hash(session), None) is not None:
                self._save()

    def _begin(self) -> str:
        session = secrets.token_urlsafe(32)
        self._sessions[_hash(session)] = self._clock()
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.pop(min(self._sessions, key=self._sessions.__getitem__))
        self._save()
        return session

    def _count_try(self) -> None:
        now = self._clock()
        while self._tries and now - self._tries[0] >= 60:
            self._tries.popleft()
        if len(self._tries) >= TRIES_A_MINUTE:
            wait = max(1, round(60 - (now - self._tries[0])))
            raise Problem(429, "too_many_tries", "too many tries", f"wait {wait} seconds", {"Retry-After": str(wait)})
        self._tries.append(now)

    def _load(self) -> dict[str, float]:
        try:
            found = read_json(self._file) if self._file else {}
            kept = {str(key): float(began) for key, began in found.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}
        return {key: began for key, began in kept.items() if self._clock() - began < SESSION_SECONDS}

    def _save(self) -> None:
        if self._file is None:
            return
        with suppress(OSError):  # a data folder that may not be written: sessions end with the server
            replace_file(self._file, json.dumps(self._sessions), own=True)


def _bytes(text: str) -> bytes:
    """Return what can be compared: JSON can hold halves of characters, which UTF-8 has no bytes for."""
    return text.encode("utf-8", "surrogatepass")


def _hash(session: str) -> str:
    return hashlib.sha256(session.encode()).hexdigest()
