"""How the words of different fields share one vocabulary: a letter before each says where it is searched.

Stems of all text fields are in one space: a photo's entry for a stem says how often it stands in each of them. Fields
that are compared as written, and those that hold keywords, have a space each.
"""

from __future__ import annotations

from typing import Final

from photoindex.search.fulltext.fields import FILES_FIELD, HAS_FIELD, PATHS_FIELD, TAKEN_FIELD, WRITTEN_FIELDS
from photoindex.search.query import numbers, positions
from photoindex.search.ranking.weights import FIELD_WEIGHTS

TEXT_FIELDS: Final = tuple(FIELD_WEIGHTS)
WRITTEN: Final = tuple(WRITTEN_FIELDS.values())
KEYWORDS: Final = (HAS_FIELD, PATHS_FIELD, FILES_FIELD)
NUMBERS: Final = (TAKEN_FIELD, *numbers.FIELDS, *positions.FIELDS)

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
# The counts of an entry lie in one number of 64 bits. A word counts at most 15 times in a text field, and less where it
# hardly stands twice; what is left is for the other spaces, as a photo of many people has many tags with one word.
TEXT_BITS: Final = 4
FEW_BITS: Final = {"labels": 3, "kinds": 3, "camera": 2, "lens": 2}
_BITS: Final = [FEW_BITS.get(name, TEXT_BITS) for name in TEXT_FIELDS]
BITS: Final = (*_BITS, 64 - sum(_BITS))  # by slot
SHIFTS: Final = tuple(sum(BITS[:slot]) for slot in range(SLOTS))
MOST: Final = tuple((1 << bits) - 1 for bits in BITS)
