"""XMP: the XML that programs keep metadata in, embedded in photos and in sidecars beside them.

Properties are taken by their full names: Pillow's ``getxmp`` drops the namespaces, and with them the difference between
xmp:Rating (stars) and MicrosoftPhoto:Rating (percent). The form is RDF/XML as the XMP specification part 1 (ISO
16684-1), section 7, narrows it: simple values, and Bag, Seq and Alt of them. packet.py makes a tree of the bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from photoindex.media.metadata import dates, namespaces, positions
from photoindex.media.metadata.cleaning import LONGEST_CAPTION, each_once, meant, one_line
from photoindex.media.metadata.comments import comment_in
from photoindex.media.metadata.dates import Moment
from photoindex.media.metadata.exif import camera_name
from photoindex.media.metadata.fields import Fields
from photoindex.media.metadata.packet import NOT_IN_XML, XmpError, parse_packet, refuse_deep, text_of
from photoindex.types.hit import MACHINES

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["MOST_BYTES", "XmpError", "caption_as_read", "is_of_program", "keyword_as_read", "read_sidecar", "read_xmp"]

MOST_BYTES: Final = 10_000_000  # retouching steps can make a packet of megabytes; words are never as long

_RDF: Final = f"{{{namespaces.RDF}}}"
_LANGUAGE: Final = f"{{{namespaces.XML}}}lang"
_DC: Final = f"{{{namespaces.DC}}}"
_XMP: Final = f"{{{namespaces.XMP}}}"
_PHOTOSHOP: Final = f"{{{namespaces.PHOTOSHOP}}}"
_EXIF: Final = f"{{{namespaces.EXIF}}}"
_EXIF_EX: Final = f"{{{namespaces.EXIF_EX}}}"
_AUX: Final = f"{{{namespaces.AUX}}}"
_TIFF: Final = f"{{{namespaces.TIFF}}}"
_LIGHTROOM: Final = f"{{{namespaces.LIGHTROOM}}}"
_DIGIKAM: Final = f"{{{namespaces.DIGIKAM}}}"
_MICROSOFT: Final = f"{{{namespaces.MICROSOFT}}}"
_MP: Final = f"{{{namespaces.MP}}}"
_MP_REGION: Final = f"{{{namespaces.MP_REGION}}}"
_MWG_REGIONS: Final = f"{{{namespaces.MWG_REGIONS}}}"
_IPTC_CORE: Final = f"{{{namespaces.IPTC_CORE}}}"
_IPTC_EXT: Final = f"{{{namespaces.IPTC_EXT}}}"
_ACDSEE: Final = f"{{{namespaces.ACDSEE}}}"
_PHOTOINDEX: Final = f"{{{namespaces.PHOTOINDEX}}}"

_HIERARCHIES: Final = (
    (f"{_LIGHTROOM}hierarchicalSubject", "|"),
    (f"{_DIGIKAM}TagsList", "/"),
    (f"{_MICROSOFT}LastKeywordXMP", "/"),
)
_PROGRAMS: Final = frozenset({"darktable"})  # first levels of hierarchies that no person wrote

_LOCATION_PARTS: Final = ("Sublocation", "City", "ProvinceState", "CountryName")

_NOT_PEOPLE: Final = frozenset({"focus", "barcode"})  # types of regions, MWG guidelines 2.0, section 5.9


def read_xmp(packet: bytes) -> Fields:
    """What a packet (XML, in any encoding XML names) says.

    What stands before the packet and behind it is passed over (packet.py). Raises :class:`XmpError` when it is no XML,
    claims a document type or entities, or is longer than 10 MB.
    """
    if len(packet) > MOST_BYTES:
        raise XmpError(f"it has more than {MOST_BYTES // 1_000_000} MB")
    return _fields(_Properties(parse_packet(packet)))


def read_sidecar(packet: bytes) -> tuple[Fields, Fields | None]:
    """What a sidecar says, and what it says without the words that photoindex wrote into it for a user; ``None`` where
    it wrote none. Raises as :func:`read_xmp` does."""
    if len(packet) > MOST_BYTES:
        raise XmpError(f"it has more than {MOST_BYTES // 1_000_000} MB")
    root = parse_packet(packet)
    properties = _Properties(root)
    fields = _fields(properties)
    others = _fields(_Unexported(root)) if properties.has_any_of(_PHOTOINDEX) else fields
    return fields, None if fields == others else others


def caption_as_read(caption: str) -> str | None:
    """A caption as it is read from the sidecar into which it was written."""
    return one_line(NOT_IN_XML.sub("\ufffd", caption), LONGEST_CAPTION)


def keyword_as_read(tag: str) -> str | None:
    """A tag as it is read from the sidecar into which it was written."""
    return one_line(NOT_IN_XML.sub("\ufffd", tag))


class _Properties:
    """The properties of all descriptions of a packet, by their full names.

    Raises :class:`XmpError` where they are nested too deep.
    """

    def __init__(self, root: Element) -> None:
        self._simple: dict[str, str] = {}
        self._elements: dict[str, list[Element]] = {}
        for rdf in root.iter(f"{_RDF}RDF"):
            refuse_deep(rdf)
            for description in rdf:
                for name, value in description.attrib.items():
                    self._simple.setdefault(name, value)
                for child in description:
                    self._elements.setdefault(child.tag, []).append(child)

    def has_any_of(self, space: str) -> bool:
        """Whether there is a property of a namespace, given in braces."""
        return any(name.startswith(space) for name in (*self._simple, *self._elements))

    def texts(self, name: str) -> list[str]:
        """The values of a property; of one in several languages the default comes first."""
        result = [self._simple[name]] if name in self._simple else []
        for element in self._elements.get(name, ()):
            items = list(element.iter(f"{_RDF}li"))
            items.sort(key=lambda item: item.get(_LANGUAGE) != "x-default")
            result += [text_of(item) for item in items or [element]]
        return result

    def text(self, *names: str, limit: int | None = None) -> str | None:
        """The first value there is of the first property that has one."""
        values = (one_line(value, limit) if limit else one_line(value) for name in names for value in self.texts(name))
        return next((value for value in values if value), None)

    def parts(self, name: str, part: str) -> Iterator[str | None]:
        """The values of a part of the structures that a property holds: attributes, elements, or items of a list."""
        for element in self.within(name):
            yield one_line(element.get(part))
            for child in element.findall(part):
                items = list(child.iter(f"{_RDF}li"))
                items.sort(key=lambda item: item.get(_LANGUAGE) != "x-default")
                if items and items[0].get(_LANGUAGE):
                    items = items[:1]  # one name in several languages
                for item in items or [child]:
                    yield one_line(text_of(item))

    def within(self, name: str) -> Iterator[Element]:
        """All elements at and below the property."""
        for element in self._elements.get(name, ()):
            yield from element.iter()


class _Unexported(_Properties):
    """The properties without those values that photoindex notes as written by it, and that nobody has changed since.

    A word that stands in another property as well, such as a hierarchy of keywords, is another program's there.
    """

    def __init__(self, root: Element) -> None:
        super().__init__(root)
        captions = {_levelled(text) for text in super().texts(f"{_PHOTOINDEX}caption")}
        tags = {_levelled(text) for text in super().texts(f"{_PHOTOINDEX}tags")}
        self._ours = {f"{_DC}description": captions, f"{_DC}subject": tags}
        self._rated = stars_of(next(iter(super().texts(f"{_PHOTOINDEX}rating")), None))

    def texts(self, name: str) -> list[str]:
        found = super().texts(name)
        if name == f"{_XMP}Rating" and self._rated is not None and self._rated in map(stars_of, found):
            return super().texts(f"{_PHOTOINDEX}ratingBefore")
        return [text for text in found if _levelled(text) not in self._ours.get(name, ())]


def _levelled(text: str) -> str:
    return " ".join(text.split())


def _fields(properties: _Properties) -> Fields:
    make, model = properties.text(f"{_TIFF}Make"), properties.text(f"{_TIFF}Model")
    latitude, longitude = _position(properties)
    location, city, region, country = _place(properties)
    stars, rating = (stars_of(properties.text(name)) for name in (f"{_XMP}Rating", f"{_ACDSEE}rating"))
    return Fields(
        # When it was taken; programs that know no EXIF write the first.
        taken_dates=dates.doubtful_last(
            [*_moments(properties, f"{_PHOTOSHOP}DateCreated"), *_exif_moments(properties, "Original")]
        ),
        digitised_dates=dates.doubtful_last(
            [*_moments(properties, f"{_XMP}CreateDate"), *_exif_moments(properties, "Digitized")]
        ),
        camera=camera_name(make, model),
        lens=properties.text(f"{_EXIF_EX}LensModel", f"{_AUX}Lens"),
        latitude=latitude,
        longitude=longitude,
        altitude=_altitude(properties),
        rating=stars or rating or None,
        unrated=stars == 0 and not rating,
        title=meant(properties.text(f"{_DC}title", f"{_PHOTOSHOP}Headline"), make, model),
        caption=meant(_caption(properties), make, model)
        or meant(properties.text(f"{_ACDSEE}caption", limit=LONGEST_CAPTION), make, model)
        or meant(properties.text(f"{_TIFF}ImageDescription", limit=LONGEST_CAPTION), make, model),
        comment=comment_in(properties.text(f"{_EXIF}UserComment", limit=LONGEST_CAPTION), make, model)
        or comment_in(properties.text(f"{_IPTC_CORE}AltTextAccessibility", limit=LONGEST_CAPTION), make, model),
        keywords=each_once(_keywords(properties)),
        people=each_once(_people(properties)),
        location=location,
        city=city,
        region=region,
        country=country,
        suffix=properties.text(f"{_PHOTOSHOP}SidecarForExtension"),
    )


def _place(properties: _Properties) -> tuple[str | None, ...]:
    """Location, city, region and country: the plain properties, else of where the camera stood, else of what it saw."""
    plain = f"{_IPTC_CORE}Location", f"{_PHOTOSHOP}City", f"{_PHOTOSHOP}State", f"{_PHOTOSHOP}Country"
    names = tuple(properties.text(name) for name in plain)
    for structure in ("LocationCreated", "LocationShown"):
        if any(names):
            break
        parts = (properties.parts(f"{_IPTC_EXT}{structure}", f"{_IPTC_EXT}{part}") for part in _LOCATION_PARTS)
        names = tuple(next(filter(None, each), None) for each in parts)
    return names


def _caption(properties: _Properties) -> str | None:
    """The description, unless it is a machine's that photoindex wrote there: that is nobody's word."""
    text = properties.text(f"{_DC}description", limit=LONGEST_CAPTION)
    by_machine = properties.text(f"{_PHOTOINDEX}captionSource") in MACHINES
    return None if by_machine and text == properties.text(f"{_PHOTOINDEX}caption", limit=LONGEST_CAPTION) else text


def _moments(properties: _Properties, name: str, subseconds: str = "", offset: str = "") -> list[Moment | None]:
    """The dates of a property; what is known of their parts from properties of their own, as EXIF has them."""
    fraction, zone = (properties.text(part) if part else None for part in (subseconds, offset))
    return [dates.from_iso(text, fraction, zone) for text in properties.texts(name)]


def _exif_moments(properties: _Properties, which: str) -> list[Moment | None]:
    parts = f"{_EXIF}SubSecTime{which}", f"{_EXIF_EX}OffsetTime{which}"
    return _moments(properties, f"{_EXIF}DateTime{which}", *parts)


def _keywords(properties: _Properties) -> Iterator[str | None]:
    ignored = words_of_programs(properties.texts)
    for name in (f"{_DC}subject", f"{_ACDSEE}keywords"):
        for text in properties.texts(name):
            word = one_line(text)
            if word is not None and not is_of_program(word, ignored):
                yield word
    # Each level is a word to be found by, Places|Portugal|Lisbon.
    for path in _hierarchies(properties.texts):
        if not _is_of_program(path):
            yield from map(one_line, path)


def words_of_programs(texts: Callable[[str], Iterable[str]]) -> frozenset[str]:
    """The keywords, in folded case, that a program keeps its books in, such as ``darktable|format|jpg``.

    ``texts`` gives the values of a property, by its full name. darktable writes each level among the other keywords
    as well; one that stands in a hierarchy of people is theirs.
    """
    paths = list(_hierarchies(texts))
    of_programs = [path for path in paths if _is_of_program(path)]
    if not of_programs:
        return frozenset()
    of_people = {_folded(level) for path in paths if not _is_of_program(path) for level in path}
    return frozenset({_folded(level) for path in of_programs for level in path} - of_people)


def is_of_program(word: str, words: Container[str]) -> bool:
    """Whether a keyword is one of ``words``, those of programs, or stands for a whole hierarchy of theirs."""
    return _folded(word) in words or _is_of_program(word.split("|"))


def _hierarchies(texts: Callable[[str], Iterable[str]]) -> Iterator[list[str]]:
    return (text.split(joint) for name, joint in _HIERARCHIES for text in texts(name))


def _is_of_program(path: Sequence[str]) -> bool:
    return len(path) > 1 and _folded(path[0]) in _PROGRAMS


def _folded(word: str) -> str:
    return _levelled(word).casefold()


def _people(properties: _Properties) -> Iterator[str | None]:
    for text in properties.texts(f"{_IPTC_EXT}PersonInImage"):
        yield one_line(text)
    yield from properties.parts(f"{_IPTC_EXT}PersonInImageWDetails", f"{_IPTC_EXT}PersonName")
    for part in ("PersonInImage", "PersonName"):  # of IPTC's regions
        yield from properties.parts(f"{_IPTC_EXT}ImageRegion", f"{_IPTC_EXT}{part}")
    # A region's name and type stand as attributes or as elements, in the list's item or in a description within it.
    for element in properties.within(f"{_MWG_REGIONS}Regions"):
        name, kind = (_part(element, f"{_MWG_REGIONS}{part}") for part in ("Name", "Type"))
        if name and (kind or "").casefold() not in _NOT_PEOPLE:
            yield one_line(name)
    for element in properties.within(f"{_MP}RegionInfo"):
        yield one_line(_part(element, f"{_MP_REGION}PersonDisplayName"))


def _part(element: Element, name: str) -> str | None:
    child = element.find(name)
    return element.get(name) or (text_of(child) if child is not None else None)


def stars_of(text: str | None) -> int | None:
    """Return what an ``xmp:Rating`` says: -1 (rejected) to 5 stars; ``None`` for what is no number of stars."""
    try:
        stars = None if text is None else round(float(text))
    except (ValueError, OverflowError):
        return None
    return stars if stars is not None and -1 <= stars <= 5 else None


def _position(properties: _Properties) -> positions.Position:
    latitude = _degrees(properties, "GPSLatitude", "NS", 90)
    longitude = _degrees(properties, "GPSLongitude", "EW", 180)
    return positions.pair(latitude, longitude)


def _degrees(properties: _Properties, name: str, signs: str, limit: float) -> float | None:
    """XMP has the letter behind the number (part 2, GPSCoordinate); many writers have it apart, as EXIF does."""
    text, side = properties.text(f"{_EXIF}{name}"), properties.text(f"{_EXIF}{name}Ref")
    return positions.degrees_in(text, side, signs, limit)


def _altitude(properties: _Properties) -> float | None:
    return positions.metres_in(properties.text(f"{_EXIF}GPSAltitude"), properties.text(f"{_EXIF}GPSAltitudeRef"))
