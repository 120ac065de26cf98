"""What one source of metadata says of a photo: its EXIF, a packet of XMP, its IPTC record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from photoindex.media.metadata.dates import Moment
from photoindex.media.metadata.positions import Position


@dataclass(frozen=True, slots=True)
class Fields:
    """Each is None or empty where the source says nothing, or nothing that can be understood.

    ``taken_dates``, ``digitised_dates`` and ``changed_dates`` are dates as they stand, believable or not, in the order
    in which they are believed.
    """

    taken_dates: tuple[Moment, ...] = ()
    digitised_dates: tuple[Moment, ...] = ()
    changed_dates: tuple[Moment, ...] = ()
    camera: str | None = None
    lens: str | None = None
    latitude: float | None = None  # degrees, north positive; never without a longitude
    longitude: float | None = None  # degrees, east positive
    altitude: float | None = None  # metres above the sea
    rating: int | None = None  # 1 to 5 stars; -1: rejected
    unrated: bool = False  # it says that there are none
    title: str | None = None
    caption: str | None = None
    comment: str | None = None  # a caption of last resort
    keywords: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    # Where it was taken, in words.
    location: str | None = None
    city: str | None = None
    region: str | None = None
    country: str | None = None
    suffix: str | None = None  # of the file that a sidecar says it is for

    @property
    def position(self) -> Position:
        """Degrees north and east; both or none."""
        return (None, None) if self.latitude is None or self.longitude is None else (self.latitude, self.longitude)


_PLACE: Final = ("latitude", "longitude", "altitude")


def first_of(sources: Sequence[Fields]) -> Fields:
    """What several blocks of one kind say together: of each field the first value, of lists all of them.

    A position stays whole: its parts come from one block.
    """
    if len(sources) < 2:
        return sources[0] if sources else Fields()
    values: dict[str, Any] = {}
    for each in fields(Fields):
        given = [getattr(source, each.name) for source in sources]
        if each.type.startswith("tuple"):
            values[each.name] = tuple(dict.fromkeys(item for items in given for item in items))
        elif each.name not in _PLACE:
            values[each.name] = next((value for value in given if value is not None), None)
    located = next((source for source in sources if source.latitude is not None), sources[0])
    return Fields(**values, **{name: getattr(located, name) for name in _PLACE})
