"""How much each kind of evidence counts: every number that search results are ranked by, in one place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from dataclasses import fields as dataclass_fields
from types import MappingProxyType
from typing import Final

# The text fields of the index, and what a word found there counts.
FIELD_WEIGHTS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "caption": 1.0,
        "beams": 0.4,
        "labels": 0.5,
        "kinds": 0.35,
        "names": 0.6,
        "camera": 0.3,
        # What people write counts in "person" once more: with it a word of theirs outweighs one of the model's in all
        # of the fields that it fills.
        "tags": 1.0,
        "person": 2.5,
        "title": 0.8,
        "people": 1.0,
        "place": 0.8,
        "lens": 0.2,
        "text": 0.8,  # read in the photo, where the reader is sure
        "unsure_text": 0.05,  # a photo that only this finds comes last
        "more": 0.15,  # the words of a long caption behind its first ones
    }
)

_SEARCHED_WITH: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "labels": ("kinds", "tags"),  # what a thing is, however general
        "camera": ("lens",),  # what it is known by; few know which of the two a number belongs to
        "text": ("unsure_text",),  # also what may have been misread
        "caption": ("more",),  # the rest of a long one
    }
)


@dataclass(frozen=True, slots=True)
class Ranking:
    """The weights of one way of ranking; matcher.py describes how they combine. A field of weight 0 is not searched.

    Raises ValueError for a weight that is no number from 0 on.
    """

    fields: Mapping[str, float] = field(default_factory=lambda: FIELD_WEIGHTS)
    saturation: float = 0.6  # BM25's k1: how soon more of the same word stops counting
    coordination: float = 0.9  # 0: photos with some of the words lose nothing; 1: they lose in proportion
    near_miss: float = 0.6  # what a word spelt nearly like the one asked for counts
    synonyms: float = 1.0  # times what the lexicon gives a word of like meaning; 0: only the words asked for
    terms: float = 5.0  # what a photo's score by learned terms counts beside its score by words; 0: not asked
    # An impact counts by this power of it: below 1, two terms that are likely outweigh one that is certain.
    terms_power: float = 0.6
    terms_pairs: float = 0.25  # what a term of two neighbouring words counts beside those of each of them
    # What a photo that has none of the words must reach in learned terms, per word asked, to be found at all: a term
    # that barely speaks for a photo is noise, and "xylophone" in a library without one shall find nothing.
    terms_floor: float = 0.6

    def __post_init__(self) -> None:
        for name in (each.name for each in dataclass_fields(self) if each.name != "fields"):
            check_weight(name, getattr(self, name))
        for name, weight in self.fields.items():
            check_weight(f"fields[{name!r}]", weight)

    def searched(self, field: str | None) -> list[str]:
        """Return the fields of the index that a field of the query stands for; all that have a weight without one."""
        if field is None:
            return [name for name, weight in self.fields.items() if weight > 0]
        also = _SEARCHED_WITH.get(field)
        return [field] if also is None else [name for name in (field, *also) if name in self.fields]


def check_weight(name: str, weight: float) -> None:
    """Raise ValueError for a weight that is no number from 0 on: with one, no photo would have a rank."""
    if not (isinstance(weight, (int, float)) and math.isfinite(weight) and weight >= 0):
        raise ValueError(f"the weight {name} of a ranking must be a number from 0 on, not {weight!r}")


DEFAULT_RANKING: Final = Ranking()
