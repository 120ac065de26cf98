"""The order of search results by what the catalogue knows of the photos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, literal_column, select

from photoindex.catalogue import files
from photoindex.catalogue.captions import shown_captions
from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.facts import SHOWN_RATING
from photoindex.catalogue.schema import photo
from photoindex.types import SortKey

COLUMNS: Final = {"taken": photo.c.taken_at, "rating": literal_column(SHOWN_RATING), "added": photo.c.added_at}
BEST_FIRST: Final = ("rating", "confidence")  # where more is better, more comes first


def in_order(connection: Connection, photo_ids: Sequence[int], key: SortKey, *, reverse: bool = False) -> list[int]:
    """``photo_ids``, which come best first, in the order of ``key``: by score, oldest first, by name, most stars first,
    first added first, or surest caption first; ``reverse`` turns it round. Those of which nothing is known come last
    either way, and what is equal stays as it was."""
    if key == "score":
        return list(reversed(photo_ids)) if reverse else list(photo_ids)
    if key == "name":
        known = _names(connection, photo_ids)
    elif key == "confidence":
        known = {number: shown.confidence for number, shown in shown_captions(connection, photo_ids).items()}
    else:
        known = _values(connection, photo_ids, COLUMNS[key])
    having = [number for number in photo_ids if known.get(number) is not None]
    having.sort(key=known.__getitem__, reverse=reverse != (key in BEST_FIRST))
    return having + [number for number in photo_ids if known.get(number) is None]


def _values(connection: Connection, photo_ids: Sequence[int], column: Any) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for chunk in chunks(photo_ids):
        rows = connection.execute(select(photo.c.id, column).where(photo.c.id.in_(chunk)))
        found.update((number, value) for number, value in rows)
    return found


def _names(connection: Connection, photo_ids: Sequence[int]) -> dict[int, Any]:
    """Of each photo the name of the first file that is there, and its path for those of the same name."""
    paths = files.paths_of(connection, photo_ids)
    return {number: (present[0].name.casefold(), str(present[0])) for number, (present, _) in paths.items() if present}
