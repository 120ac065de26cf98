"""Have the text in photos read again, as a batch that a person asked for."""

from __future__ import annotations

from collections.abc import Sequence

from photoindex.catalogue import batches, text
from photoindex.catalogue.database import Database
from photoindex.catalogue.jobs import Priority
from photoindex.config import Settings
from photoindex.errors import TextReaderUnavailable
from photoindex.media.text.reader_version import INSTALL, is_installed
from photoindex.system.clock import utc_now


def check_can_read(settings: Settings) -> None:
    """Raise :class:`TextReaderUnavailable` where no text is read, with what to do."""
    if settings.read_text == "never":
        raise TextReaderUnavailable("the setting read_text is never: set it to auto or always to read text in photos")
    if not is_installed():
        raise TextReaderUnavailable(f"what reads text in photos is not installed: {INSTALL}")


def choose(database: Database, photo_ids: Sequence[int] | None) -> list[int]:
    """Return one file of each of these photos, or of all, the newest first, that is present."""
    with database.read() as connection:
        return text.files_of(connection, photo_ids)


def create(
    database: Database, photo_ids: Sequence[int] | None, priority: Priority, query: str | None
) -> tuple[int | None, int]:
    """Queue these photos, or all, to have their text read. Returns the batch's id, ``None`` for none, and how many."""
    chosen = choose(database, photo_ids)
    with database.write() as connection:
        return batches.create_of_text(connection, chosen, priority=priority, now=utc_now(), query=query)
