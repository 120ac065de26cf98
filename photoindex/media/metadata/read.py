"""All that is known of one photo besides its pixels, from every source, each where it is most trusted.

    when        sidecar where it says otherwise than EXIF, EXIF taken, XMP created, IPTC created, EXIF digitised,
                XMP digitised, Takeout, file's name, EXIF changed, folders' names, file changed
    camera, lens                    EXIF, sidecar, XMP
    place, height                   sidecar where it says otherwise than the photo, EXIF, XMP, Takeout
    title, caption, rating          sidecar, XMP, IPTC, EXIF, Takeout: a sidecar is where people's programs write last,
                                    and Takeout's JSON is what was said in Google Photos once
    caption, where none says one    a comment in XMP, EXIF, JPEG, PNG or GIF
    keywords, people, places        all of them together

``sidecar`` means XMP.

The photo's name comes before EXIF's date of the last change, which editing programs set; the names of its folders say
less than any date of its own. Of two sidecars the one that names the whole file comes first. Of several blocks of one
kind in the photo the first that says something counts; blocks.py finds them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from PIL import Image

from photoindex.media.metadata import dates, positions, sidecars, takeout
from photoindex.media.metadata.blocks import Blocks, find_blocks
from photoindex.media.metadata.cleaning import LONGEST_CAPTION, each_once, meant, one_line
from photoindex.media.metadata.comments import comment_in
from photoindex.media.metadata.dates import Moment
from photoindex.media.metadata.exif import orientation_in, read_exif, read_orientation
from photoindex.media.metadata.fields import Fields, first_of
from photoindex.media.metadata.iptc import read_iptc
from photoindex.media.metadata.sidecars import Sidecar
from photoindex.media.metadata.takeout import TakeoutError, read_takeout
from photoindex.media.metadata.takeoutnames import title_decides
from photoindex.media.metadata.xmp import MOST_BYTES, XmpError, read_sidecar, read_xmp
from photoindex.system import storage
from photoindex.system.paths import shown
from photoindex.system.regular_files import read_up_to
from photoindex.types import PhotoFacts, Place, TakenSource, Unexported, Written

# A JPEG with a second picture or a gain map behind it is still what its owner calls a JPEG.
_FORMAT_NAMES = {"MPO": "JPEG"}
# Whose orientation is not Pillow's business: it stands in blocks that Pillow does not look into.
_OWN_BLOCKS = frozenset({"PNG", "PSD", "GIF", "JPEG2000"})

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Description:
    """What was read of a photo. ``sidecars`` is the state of those that were read; ``problems`` are one line each."""

    facts: PhotoFacts
    written: Written
    sidecars: str = ""
    problems: tuple[str, ...] = ()
    unexported: Unexported | None = None  # without what photoindex wrote into sidecars; None: nothing of it


def describe(
    image: Image.Image,
    format_name: str,
    upright_size: tuple[int, int],
    path: Path,
    *,
    blocks: Blocks | None = None,
    now: datetime | None = None,
) -> Description:
    """What ``image``, the opened file ``path``, and the sidecars beside it say. What is missing or broken is ``None``.

    ``format_name`` is Pillow's name of the file format; ``upright_size`` is (width, height) in pixels after the
    orientation was applied; ``blocks`` are those found in the file, by default what Pillow found; ``now`` is the local
    time.
    """
    blocks = find_blocks(image) if blocks is None else blocks
    problems: list[str] = []
    beside = sidecars.beside(path)
    both = [found for each in beside if each.is_xmp and (found := _read_sidecar(each, path, problems)) is not None]
    packets = [fields for fields, _ in both]
    takeouts = [fields for each in beside if not each.is_xmp and (fields := _read_json(each, path, problems))]
    exif = first_of([read_exif(each) for each in blocks.exif])
    iptc = first_of([read_iptc(each) for each in blocks.iptc])
    embedded = first_of(list(_packets(blocks, path, problems)))
    xmp = [*packets, embedded]
    plain = Fields(
        title=meant(one_line(blocks.title)),
        caption=meant(one_line(blocks.caption, LONGEST_CAPTION)),
        comment=comment_in(blocks.comment),
    )
    taken, source = _taken(exif, packets, embedded, iptc, takeouts, path, now or datetime.now())
    located = _located(packets, [exif, embedded, *takeouts]) or exif
    facts = PhotoFacts(
        format=_FORMAT_NAMES.get(format_name, format_name),
        width=upright_size[0],
        height=upright_size[1],
        orientation=orientation_of(image, blocks),
        taken_at=taken.time if taken else None,
        camera=_first(each.camera for each in (exif, *xmp)),
        lens=_first(each.lens for each in (exif, *xmp)),
        latitude=located.latitude,
        longitude=located.longitude,
        altitude=located.altitude if located.latitude is not None else None,
        taken_source=source,
        taken_offset=taken.offset if taken else None,
        rating=_stars(packets, embedded, exif),
        place=_place([*xmp, iptc]),
    )
    unexported = None
    if any(others is not None for _, others in both):
        by_others = [fields if others is None else others for fields, others in both]
        unexported = Unexported(
            _written([*by_others, embedded, iptc, exif, plain, *takeouts]), _stars(by_others, embedded, exif)
        )
    written = _written([*xmp, iptc, exif, plain, *takeouts])
    return Description(facts, written, sidecars.state(beside), tuple(problems), unexported)


def _read_sidecar(sidecar: Sidecar, photo: Path, problems: list[str]) -> tuple[Fields, Fields | None] | None:
    try:
        fields, others = read_sidecar(_bytes(sidecar, MOST_BYTES))
        if not sidecars.is_for(photo, sidecar.path, fields.suffix):
            return None
        if not sidecars.names_all_of(sidecar.path, photo):  # what has no stars may be the raw file of this name
            fields = replace(fields, unrated=False)
        return fields, others
    except (XmpError, OSError) as error:
        problems.append(f"{_unreadable(sidecar, error)}; write it again with its program")
        return None


def _read_json(sidecar: Sidecar, path: Path, problems: list[str]) -> Fields | None:
    try:
        data = _bytes(sidecar, takeout.MOST_BYTES)
        fields, wrong = read_takeout(data, path.name, by_title=title_decides(sidecar.path.name))
    except (TakeoutError, OSError) as error:
        problems.append(f"{_unreadable(sidecar, error)}; unpack it again from Google Takeout")
        return None
    if wrong:
        names = ", ".join(wrong)
        problems.append(f"{shown(sidecar.path)} has something else than Google Takeout writes as {names}; "
                        "the rest of it is used")  # fmt: skip
    return fields


def _bytes(sidecar: Sidecar, most: int) -> bytes:
    """What a sidecar holds; of more than ``most`` bytes one byte more, by which its reader knows."""
    with storage.open_file(sidecar.path) as file:
        return read_up_to(file, most + 1)


def _unreadable(sidecar: Sidecar, error: Exception) -> str:
    return f"cannot read the sidecar {shown(sidecar.path)}: {getattr(error, 'strerror', None) or error}"


def orientation_of(image: Image.Image, blocks: Blocks) -> int:
    """How the pixels of an opened image lie, 1 to 8 as EXIF numbers it; 1 where nothing sensible is said."""
    if image.format not in _OWN_BLOCKS:
        return read_orientation(image)
    return next((value for each in blocks.exif if (value := orientation_in(each)) is not None), 1)


def _packets(blocks: Blocks, path: Path, problems: list[str]) -> Iterator[Fields]:
    for packet in blocks.xmp:
        try:
            yield read_xmp(packet)
        except XmpError as error:
            problems.append(f"cannot read the XMP in {shown(path)}: {error}; its other metadata is used")


def _written(sources: Sequence[Fields]) -> Written:
    return Written(
        title=_first(each.title for each in sources),
        caption=_first([*(each.caption for each in sources), *(each.comment for each in sources)]),
        keywords=each_once(word for each in sources for word in each.keywords),
        people=each_once(name for each in sources for name in each.people),
        places=each_once(name for each in sources for name in (each.location, each.city, each.region, each.country)),
    )


def _located(packets: Sequence[Fields], others: Sequence[Fields]) -> Fields | None:
    """What says where a photo was taken: a sidecar, where people's programs correct that, unless it only repeats what
    the photo says, perhaps in fewer digits."""
    beside = next((each for each in packets if each.latitude is not None), None)
    own = next((each for each in others if each.latitude is not None), None)
    if beside is None or own is None:
        return beside or own
    return own if positions.are_near(beside.position, own.position) else beside


def _taken(
    exif: Fields,
    packets: Sequence[Fields],
    embedded: Fields,
    iptc: Fields,
    takeouts: Sequence[Fields],
    path: Path,
    now: datetime,
) -> tuple[Moment | None, TakenSource | None]:
    named = dates.from_name(path.name)
    xmp = [*packets, embedded]
    beside = [
        dates.believable(each, now, clock=True)
        for each in next((packet.taken_dates for packet in packets if packet.taken_dates), ())
        if not any(map(each.agrees, exif.taken_dates))
    ]
    of_the_picture: list[tuple[Moment | None, TakenSource]] = [
        # A clock that was wrong is corrected there; a date that only repeats the camera's may have lost its zone.
        *((each, "xmp") for each in beside),
        *((each, "exif") for each in exif.taken_dates),
        *((each, "xmp") for packet in xmp for each in packet.taken_dates),
        *((each, "iptc") for each in iptc.taken_dates),
        *((each, "exif") for each in exif.digitised_dates),
        *((each, "xmp") for packet in xmp for each in packet.digitised_dates),
        *((dates.in_zone_of(each, named), "takeout") for packet in takeouts for each in packet.taken_dates),
        (named, "name"),
    ]
    of_the_file: list[tuple[Moment | None, TakenSource]] = [
        *((each, "exif") for each in exif.changed_dates),
        (dates.from_folders(path.parent), "folder"),
        (dates.from_mtime(_mtime(path)), "mtime"),
    ]
    found: tuple[Moment, TakenSource] | None = None
    for moment, source in of_the_picture:
        believed = dates.believable(moment, now, clock=source in ("exif", "takeout"))
        # A year alone, or a day without its hour, hides no more precise date within it.
        if believed is not None and (found is None or believed.refines(found[0])):
            found = believed, source
    if found is not None:
        return found
    for moment, source in of_the_file:
        believed = dates.believable(moment, now, clock=source in ("exif", "mtime"))
        if believed is not None:
            return believed, source
    return None, None


def _stars(packets: Sequence[Fields], *of_the_photo: Fields) -> int | None:
    """Those of a sidecar, else those in the photo; none where a sidecar says so, as people took them off there."""
    stars = _first(each.rating for each in packets)
    if stars is not None or any(each.unrated for each in packets):
        return stars
    return _first(each.rating for each in of_the_photo)


def _place(sources: Sequence[Fields]) -> Place | None:
    """The place of the first source that names one in words."""
    for each in sources:
        if each.city or each.region or each.country:
            return Place(city=each.city or "", region=each.region or "", country=each.country or "")
    return None


def _first(values: Iterable[Value | None]) -> Value | None:
    return next((value for value in values if value is not None), None)


def _mtime(path: Path) -> int:
    try:
        return storage.stat(path).st_mtime_ns
    except OSError:
        return 0
