"""Up to which change of a catalogue an index is: a file beside the index. Of a shared catalogue it counts all changes,
of one that a machine has to itself only removals of photos, as other changes have marks there.

The index may hold later words than the file says, after a process died between the two; writing them again is no harm.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from photoindex.catalogue.change_feed import Version, last_removal, removed_after, version
from photoindex.errors import FullTextError
from photoindex.system.atomic import replace_file
from photoindex.system.json_files import read_json

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from photoindex.catalogue.raw_sql import Asker

_NAME: Final = "followed.json"


class Removals(NamedTuple):
    """Photos that were removed from the catalogue, by id, and the version that an index without them is at."""

    photos: list[int]
    version: Version


def unseen_removals(transaction: Asker | Connection, folder: Path) -> Removals | None:
    """Return what was removed since the index in ``folder`` was last brought up to date with removals; ``None``:
    nothing. Not for a shared catalogue, whose cursor counts all changes."""
    last = last_removal(transaction)
    if not last:
        return None
    reached, known = Version(version(transaction).identity, last), read_cursor(folder)
    if known == reached:
        return None
    same = known is not None and known.identity == reached.identity
    return Removals(removed_after(transaction, known.revision if known is not None and same else 0), reached)


def read_cursor(folder: Path) -> Version | None:
    """Return the version that the index in ``folder`` is at; ``None`` when that is not known."""
    try:
        known = read_json(folder / _NAME)
        return Version(str(known["identity"]), int(known["revision"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_cursor(folder: Path, version: Version) -> None:
    """Store the version that the index has come to. Raises :class:`FullTextError`."""
    try:
        replace_file(folder / _NAME, json.dumps(version._asdict()), own=True)
    except OSError as error:
        reason = error.strerror or error
        raise FullTextError(f"cannot write {folder / _NAME}: {reason}; make room on its disk") from error
