"""What a request is answered with when it cannot be done: a status, a stable code, a message, and what to do."""

from __future__ import annotations

from typing import Final

from photoindex.errors import (
    AlbumError,
    BatchError,
    CatalogueReadOnly,
    CatalogueUnavailable,
    CorrectionError,
    DecoderUnavailable,
    FolderError,
    FullTextError,
    PhotoError,
    PhotoindexError,
    QueryError,
    ResultSetGone,
)


class Problem(Exception):
    """A request that is refused or cannot be done."""

    def __init__(
        self, status: int, code: str, message: str, advice: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.advice = advice
        self.headers = headers or {}

    def as_dict(self) -> dict[str, dict[str, str]]:
        """Return the body of the answer."""
        return {"error": {"code": self.code, "message": self.message, "advice": self.advice}}


# The first class that an error is of decides.
_STATUS: Final[tuple[tuple[type[PhotoindexError], int, str], ...]] = (
    (QueryError, 400, "query"),
    (CorrectionError, 400, "edit"),
    (AlbumError, 409, "album"),
    (BatchError, 409, "batch"),
    (ResultSetGone, 410, "gone"),
    (FolderError, 404, "not_found"),
    (PhotoError, 404, "unreadable"),
    (CatalogueReadOnly, 403, "read_only"),
    (CatalogueUnavailable, 503, "unavailable"),
    (FullTextError, 503, "unavailable"),
    (DecoderUnavailable, 503, "unavailable"),
)


def problem_of(error: Exception) -> Problem:
    """Return what an error of the library means to a client. Its line has the remedy behind the last colon."""
    if isinstance(error, Problem):
        return error
    for kind, status, code in _STATUS:
        if isinstance(error, kind):
            return Problem(status, code, str(error))
    if isinstance(error, PhotoindexError):
        return Problem(500, "error", str(error))
    return Problem(500, "internal", "something went wrong here", "see what photoindex serve printed")


def not_found(what: str = "there is nothing at this address") -> Problem:
    """Return the problem of something that is not there."""
    return Problem(404, "not_found", what)


def bad_value(name: str, wanted: str) -> Problem:
    """Return the problem of a parameter or a field that makes no sense."""
    return Problem(400, "bad_request", f"{name} must be {wanted}")
