"""What exiftool reads of photos, in the order in which photoindex believes it: a second opinion for the tests."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from photoindex.media.metadata.dates import offset_minutes
from photoindex.types import DecodedPhoto

EXIFTOOL = shutil.which("exiftool")
NEAR = 2e-6  # degrees: a fifth of a metre
LONGEST = 2000  # letters of a caption that photoindex keeps

Tags = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """The fields that two readers are to agree on."""

    taken: str | None = None  # to the second
    offset: int | None = None
    latitude: float | None = None
    longitude: float | None = None
    altitude: float | None = None
    camera: str | None = None
    lens: str | None = None
    orientation: int = 1
    rating: int | None = None
    title: str | None = None
    caption: str | None = None
    keywords: tuple[str, ...] = ()


def run(*arguments: str | Path) -> str:
    """Run exiftool, which must succeed."""
    assert EXIFTOOL is not None
    done = subprocess.run([EXIFTOOL, *map(str, arguments)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return done.stdout.decode("utf-8", "replace")


def tags_of(paths: Sequence[Path]) -> dict[Path, Tags]:
    """All tags that exiftool reads of files, by their groups and names: numbers as numbers, lists as lists."""
    found = json.loads(run("-json", "-n", "-G1", "-charset", "filename=utf8", "-api", "largefilesupport=1", *paths))
    return {Path(tags["SourceFile"]): tags for tags in found}


def seen_by_exiftool(tags: Tags) -> Seen:
    """The fields of a photo by exiftool's tags."""
    taken, offset = _taken(tags)
    position = _position(tags)
    latitude, longitude = position if position else (None, None)
    altitude = _first(tags, "Composite:GPSAltitude", "XMP-exif:GPSAltitude") if position else None
    return Seen(
        taken,
        offset,
        latitude,
        longitude,
        round(float(altitude), 2) if isinstance(altitude, int | float) else None,
        _text(_first(tags, "IFD0:Model", "XMP-tiff:Model") or _first(tags, "IFD0:Make", "XMP-tiff:Make")),
        _text(_first(tags, "ExifIFD:LensModel", "XMP-exifEX:LensModel", "XMP-aux:Lens")),
        _orientation(tags),
        _rating(tags),
        _text(_first(tags, "XMP-dc:Title", "XMP-photoshop:Headline", "IPTC:ObjectName", "IPTC:Headline",
                     "IFD0:XPTitle", "PNG:Title")),
        _text(_first(tags, "XMP-dc:Description", "IPTC:Caption-Abstract", "IFD0:ImageDescription", "IFD0:XPComment",
                     "IFD0:XPSubject", "PNG:Description")),
        tuple(sorted(set(_keywords(tags)))),
    )  # fmt: skip


def seen_by_photoindex(photo: DecodedPhoto, tags: Tags) -> Seen:
    """The same of photoindex. ``tags`` tell which part of the camera's name is the model."""
    facts, written = photo.facts, photo.written
    own_date = facts.taken_at is not None and facts.taken_source in ("exif", "xmp", "iptc")
    model = _text(_first(tags, "IFD0:Model", "XMP-tiff:Model"))
    camera = model if model and facts.camera and facts.camera.endswith(model) else facts.camera
    return Seen(
        facts.taken_at.isoformat(" ", "seconds") if own_date and facts.taken_at else None,
        facts.taken_offset if own_date else None,
        facts.latitude,
        facts.longitude,
        facts.altitude,
        camera,
        facts.lens,
        facts.orientation,
        facts.rating,
        written.title,
        written.caption,
        tuple(sorted({word.casefold() for word in written.keywords})),
    )


def comments_of(tags: Tags) -> list[str | None]:
    """The comments of a photo by exiftool's tags, which photoindex takes for captions where there are no others."""
    return [_text(tags.get(name)) for name in ("XMP-exif:UserComment", "ExifIFD:UserComment", "File:Comment")]


def differences(name: str, ours: Seen, theirs: Seen) -> Iterator[str]:
    """A line for each field that the two do not agree on."""
    for each in fields(Seen):
        mine, other = getattr(ours, each.name), getattr(theirs, each.name)
        near = isinstance(mine, float) and isinstance(other, float) and abs(mine - other) < NEAR
        if mine != other and not near:
            yield f"{name}: {each.name}: photoindex {mine!r}, exiftool {other!r}"


def without(seen: Seen, name: str) -> Seen:
    """What was seen, without one field."""
    nothing: dict[str, Any] = {name: None}
    return replace(seen, **nothing)


def _first(tags: Tags, *names: str) -> Any:
    return next((tags[name] for name in names if tags.get(name) not in (None, "", [])), None)


def _text(value: Any) -> str | None:
    value = value[0] if isinstance(value, list) else value
    if value is None:
        return None
    text = " ".join("".join(c if c.isprintable() else " " for c in str(value).split("\0")[0]).split())[:LONGEST]
    return text if any(c.isalnum() for c in text) else None


def _taken(tags: Tags) -> tuple[str | None, int | None]:
    iptc = " ".join(str(tags[name]) for name in ("IPTC:DateCreated", "IPTC:TimeCreated") if name in tags)
    candidates = (
        (_first(tags, "ExifIFD:DateTimeOriginal", "IFD0:DateTimeOriginal"), tags.get("ExifIFD:OffsetTimeOriginal")),
        (tags.get("XMP-photoshop:DateCreated"), None),
        (tags.get("XMP-exif:DateTimeOriginal"), tags.get("XMP-exifEX:OffsetTimeOriginal")),
        (iptc, None),
        (tags.get("ExifIFD:CreateDate"), tags.get("ExifIFD:OffsetTimeDigitized")),
        (tags.get("XMP-xmp:CreateDate"), None),
        (tags.get("IFD0:ModifyDate"), tags.get("ExifIFD:OffsetTime")),
    )
    for text, offset in candidates:
        found = re.match(
            r"(\d{4}):(\d\d):(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d))?(?:\.\d+)?(Z|[-+]\d\d:\d\d)?)?", str(text)
        )
        if found:
            try:
                year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
                moment = datetime(year, month, day, hour, minute, second)
            except ValueError:
                continue
            return moment.isoformat(" ", "seconds"), offset_minutes(found[7] or offset)
    return None, None


def _position(tags: Tags) -> tuple[float, float] | None:
    """Where both parts are numbers with a hemisphere."""
    found = []
    for name, letters in (("GPSLatitude", "SN"), ("GPSLongitude", "WE")):
        value, side = tags.get(f"GPS:{name}"), tags.get(f"GPS:{name}Ref")
        if isinstance(value, int | float) and str(side)[:1].upper() in letters:
            found.append(-value if str(side)[:1].upper() == letters[0] else value)
        elif isinstance(tags.get(f"XMP-exif:{name}"), int | float):
            value, side = tags[f"XMP-exif:{name}"], str(tags.get(f"XMP-exif:{name}Ref"))[:1].upper()
            found.append(-abs(value) if side == letters[0] else value)
    if len(found) < 2 or found == [0, 0]:
        return None
    return found[0], found[1]


def _orientation(tags: Tags) -> int:
    value = _first(tags, "IFD0:Orientation", "XMP-tiff:Orientation")
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _rating(tags: Tags) -> int | None:
    value = _first(tags, "XMP-xmp:Rating", "IFD0:Rating")
    return value if isinstance(value, int) and (value == -1 or 1 <= value <= 5) else None


def _keywords(tags: Tags) -> Iterator[str]:
    for name in ("XMP-dc:Subject", "IPTC:Keywords"):
        for word in _list(tags.get(name)):
            yield from filter(None, [(_text(word) or "").casefold()])
    for text in _list(tags.get("IFD0:XPKeywords")):
        yield from filter(None, [(_text(word) or "").casefold() for word in text.split(";")])
    for name, joint in (("XMP-lr:HierarchicalSubject", "|"), ("XMP-digiKam:TagsList", "/"),
                        ("XMP-microsoft:LastKeywordXMP", "/")):  # fmt: skip
        for text in _list(tags.get(name)):
            yield from filter(None, [(_text(word) or "").casefold() for word in text.split(joint)])


def _list(value: Any) -> Iterable[str]:
    return [str(each) for each in value] if isinstance(value, list) else [] if value is None else [str(value)]
