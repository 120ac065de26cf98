"""What one source of metadata says of a photo: its EXIF, a packet of XMP, its IPTC record."""

from __future__ import annotations

from dataclasses import dataclass

from photoindex.media.metadata.dates import Moment


@dataclass(frozen=True, slots=True)
class Fields:
    """Each is None or empty where the source says nothing, or nothing that can be understood.

    ``original`` (taken), ``digitised`` and ``changed`` are dates as they stand, believable or not.
    """

    original: Moment | None = None
    digitised: Moment | None = None
    changed: Moment | None = None
    camera: str | None = None
    lens: str | None = None
    latitude: float | None = None  # degrees, north positive; never without a longitude
    longitude: float | None = None  # degrees, east positive
    altitude: float | None = None  # metres above the sea
    rating: int | None = None  # 1 to 5 stars; -1: rejected
    title: str | None = None
    caption: str | None = None
    keywords: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    # Where it was taken, in words.
    location: str | None = None
    city: str | None = None
    region: str | None = None
    country: str | None = None
