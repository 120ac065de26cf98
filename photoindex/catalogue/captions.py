"""Which caption of a photo is shown.

A person may lock a caption: that one is shown, whoever's it is and whatever comes later. Otherwise a person's own
caption goes before what the file itself says, that before what words that fill the photo make it (a page, a sign), and
that before the model's best one. Every question of the catalogue
uses the rule as it is written here, in SQL that any database understands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.raw_sql import Asker, ask, each, listed
from photoindex.types.hit import CaptionSource

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Whose words count: a person's, then what the file itself says, then what was read in the photo, then the model's.
SOURCE_ORDER: Final[tuple[CaptionSource, ...]] = ("user", "sidecar", "text", "model")

# That a row of ``caption`` may be shown: it is locked, or the present one of its source.
MAY_SHOW: Final = '(caption.locked or (caption."current" and caption."rank" = 0))'
# The order of the rows that may: the first is shown.
PRECEDENCE: Final = (
    "caption.locked desc, case caption.source "
    + " ".join(f"when '{source}' then {place}" for place, source in enumerate(SOURCE_ORDER))
    + " end, caption.id"
)
# That a photo shows a caption at all.
IS_CAPTIONED: Final = f"exists (select 1 from caption where caption.photo_id = photo.id and {MAY_SHOW})"


class ShownCaption(NamedTuple):
    """The caption that a photo shows; ``id`` is its row's."""

    id: int
    text: str
    source: CaptionSource
    locked: bool
    confidence: float | None = None


def shown_captions(transaction: Asker | Connection, photo_ids: Iterable[int] | None = None) -> dict[int, ShownCaption]:
    """Return the caption that each of these photos shows, of those that show one; of all photos without ``photo_ids``.

    By photo id.
    """
    if photo_ids is None:
        return _shown(transaction, "")
    shown: dict[int, ShownCaption] = {}
    for chunk in chunks(photo_ids):
        shown |= _shown(transaction, f" and caption.photo_id in ({listed(chunk)})")
    return shown


def shown_texts(transaction: Asker | Connection) -> Iterator[tuple[str, CaptionSource, int]]:
    """Yield the captions that photos with a file show: a text, its source, and of how many photos it is."""
    there = "exists (select 1 from file where file.photo_id = ranked.photo_id and file.missing_since is null)"
    return each(
        transaction,
        f"select text, source, count(*) from {_ranked('')} where place = 1 and {there} group by text, source",
    )


def _shown(transaction: Asker | Connection, condition: str) -> dict[int, ShownCaption]:
    rows = ask(
        transaction,
        f"select photo_id, id, text, source, locked, confidence from {_ranked(condition)} where place = 1",
    )
    return {
        photo_id: ShownCaption(number, text, source, bool(locked), confidence)
        for photo_id, number, text, source, locked, confidence in rows
    }


def _ranked(condition: str) -> str:
    """Captions that may be shown, each with its place among those of its photo."""
    return (
        f"(select caption.*, row_number() over (partition by caption.photo_id order by {PRECEDENCE}) as place"
        f" from caption where {MAY_SHOW}{condition}) as ranked"
    )
