"""A photo's facts as columns of ``photo``, and back."""

from __future__ import annotations

from typing import Any

from photoindex.found import PhotoFacts, Place

# The columns of ``photo`` that :func:`facts_of` reads.
COLUMNS = (
    "format", "width", "height", "orientation", "taken_at", "taken_source", "taken_offset", "camera", "lens",
    "latitude", "longitude", "altitude", "rating", "city", "district", "region", "country", "country_code",
    "metropolis",
)  # fmt: skip


def values_of(facts: PhotoFacts) -> dict[str, Any]:
    """The columns of ``photo`` that hold these facts."""
    place = facts.place
    return {
        "format": facts.format,
        "width": facts.width,
        "height": facts.height,
        "orientation": facts.orientation,
        "taken_at": facts.taken_at,
        "taken_source": facts.taken_source,
        "taken_offset": facts.taken_offset,
        "camera": facts.camera,
        "lens": facts.lens,
        "latitude": facts.latitude,
        "longitude": facts.longitude,
        "altitude": facts.altitude,
        "rating": facts.rating,
        "city": place and place.city,
        "district": place and place.district,
        "region": place and place.region,
        "country": place and place.country,
        "country_code": place and place.country_code,
        "metropolis": place and place.metropolis,
    }


def facts_of(row: Any) -> PhotoFacts | None:
    """The facts in a row of ``photo``; None for one that was never read."""
    if row.format is None:
        return None
    place = None
    if row.country is not None:
        names = (row.city, row.district, row.region, row.country, row.country_code, row.metropolis)
        place = Place(*(name or "" for name in names))
    return PhotoFacts(
        format=row.format,
        width=row.width,
        height=row.height,
        orientation=row.orientation,
        taken_at=row.taken_at,
        camera=row.camera,
        lens=row.lens,
        latitude=row.latitude,
        longitude=row.longitude,
        altitude=row.altitude,
        taken_source=row.taken_source,
        taken_offset=row.taken_offset,
        rating=row.rating,
        place=place,
    )
