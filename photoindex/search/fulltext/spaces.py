"""How the words of different fields share one vocabulary: a letter before each says where it is searched.

Stems of all text fields are in one space: a photo's entry for a stem says how often it stands in each of them. Fields
that are compared as written, and those that hold keywords, have a space each.
"""

from __future__ import annotations

from typing import Final

from photoindex.search.fulltext.reader import (
    FILES_FIELD,
    HAS_FIELD,
    PATHS_FIELD,
    TAKEN_FIELD,
    WRITTEN_FIELDS,
)
from photoindex.search.query import numbers
from photoindex.search.ranking.weights import FIELD_WEIGHTS

TEXT_FIELDS: Final = tuple(FIELD_WEIGHTS)
WRITTEN: Final = tuple(WRITTEN_FIELDS.values())
KEYWORDS: Final = (HAS_FIELD, PATHS_FIELD, FILES_FIELD)
NUMBERS: Final = (TAKEN_FIELD, *numbers.FIELDS)

STEMS: Final = "s"
SPACES: Final = {
    **dict.fromkeys(TEXT_FIELDS, STEMS),
    **dict(zip(WRITTEN, "ABCDEFGHIJ", strict=False)),
    **dict(zip(KEYWORDS, "hpn", strict=True)),
}
# In an entry the text fields have a count each, and the field of any other space has the one behind them.
SLOTS: Final = len(TEXT_FIELDS) + 1
OWN_SLOT: Final = SLOTS - 1
SLOT_OF: Final = {**{name: slot for slot, name in enumerate(TEXT_FIELDS)}, **dict.fromkeys(WRITTEN, OWN_SLOT)}
TEXT_BITS: Final = 4  # a word counts at most 15 times in a text field
MOST_TEXT: Final = (1 << TEXT_BITS) - 1
MOST_OWN: Final = (1 << 64 - TEXT_BITS * OWN_SLOT) - 1
