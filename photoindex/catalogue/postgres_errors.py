"""PostgreSQL's errors in words: what failed, which catalogue, and what to do about it.

An error is known by its SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html), never by a word in
its message, which comes in the server's language.
"""

from __future__ import annotations

from typing import Final

from photoindex.errors import CatalogueDamaged, CatalogueError, CatalogueReadOnly, CatalogueUnavailable

# 55P03: a lock was waited for too long; 40P01, 40001: two transactions were in each other's way; 25P03, 57P05: the
# server ended a session that did nothing, in the middle of a transaction or between two; 57014, 25P04: a statement or a
# transaction took longer than it allows.
_BUSY: Final = ("55P03", "40P01", "40001", "25P03", "57P05", "57014", "25P04")
_AWAY: Final = ("08", "57P", "58")  # classes: the connection, the server is stopping or starting, its system
_FULL: Final = ("53100", "53200")
_REFUSED: Final = ("28", "42501")
_NO_TABLES: Final = ("42P01", "42703")
_NO_SCHEMA: Final = "3F000"
_UNSAYABLE: Final = "22P05"  # a letter that the database's encoding has not
_READ_ONLY: Final = "25006"
_DAMAGED: Final = ("XX001", "XX002")


def explained(place: str, error: BaseException) -> CatalogueError:
    """Return a database error as the :class:`CatalogueError` in one line that it is for the catalogue at ``place``.

    :class:`CatalogueUnavailable` is what may pass by itself.
    """
    original = getattr(error, "orig", None) or error
    state = getattr(original, "sqlstate", None)
    reason = _reason(original)
    if state is None or state.startswith(_AWAY):
        if state is None and _is_program_error(original):
            return CatalogueError(f"photoindex asked the catalogue {place} wrongly ({reason}): please report this bug")
        return CatalogueUnavailable(f"the catalogue {place} cannot be reached ({reason}): check the server and the URL")
    if state in _BUSY:
        return CatalogueUnavailable(f"the catalogue {place} was busy for too long ({reason})")
    if state in _FULL:
        return CatalogueUnavailable(f"the server of the catalogue {place} has no room left ({reason}): make room there")
    if state.startswith("53"):
        return CatalogueUnavailable(f"the catalogue {place} takes no more connections ({reason}): allow more there")
    if state.startswith(_REFUSED):
        return CatalogueError(f"the catalogue {place} refuses this user ({reason}): check the URL and the rights")
    if state == "3D000":
        return CatalogueError(f"there is no database {place} ({reason}): make it with createdb, or correct the URL")
    if state in _NO_TABLES:
        return CatalogueError(f"{place} has not the tables of a catalogue ({reason}): run photoindex catalogue upgrade")
    if state == _NO_SCHEMA:
        return CatalogueError(f"{place} has no schema for a catalogue's tables ({reason}): correct its search_path")
    if state == _UNSAYABLE:
        return CatalogueError(
            f"the catalogue {place} cannot hold every name and caption ({reason}): make another one with createdb "
            "--encoding UTF8 --template template0, and photoindex catalogue copy"
        )
    if state == _READ_ONLY:
        return CatalogueReadOnly(f"the catalogue {place} can only be read: its server is a standby or read-only")
    if state in _DAMAGED:
        return CatalogueDamaged(f"the catalogue {place} is damaged ({reason}): restore it from the server's backups")
    return CatalogueError(f"photoindex asked the catalogue {place} wrongly ({reason}): please report this as a bug")


def _reason(error: BaseException) -> str:
    """Return the server's own words in one line."""
    diagnosis = getattr(error, "diag", None)
    primary = getattr(diagnosis, "message_primary", None)
    lines = [line.strip() for line in str(primary or error).splitlines() if line.strip()]
    return lines[0] if lines else "no reason given"


def _is_program_error(error: BaseException) -> bool:
    """Return whether the driver refused something before it came to the server."""
    return type(error).__name__ in ("ProgrammingError", "DataError", "NotSupportedError", "InterfaceError")
