"""From the bytes of an XMP packet to a tree of XML, as programs and cameras write them.

defusedxml parses, which refuses entities and document types, so that a crafted packet of a few lines cannot grow to
gigabytes or read other files. A packet that is no whole XML is tried once more without what programs leave around it
(the end of a longer packet that was overwritten, a prefix, padding) and in it (letters that XML does not know, a bare
ampersand, prefixes without a namespace). One that was cut off stays broken: half a caption is nobody's.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Any, Final

from photoindex.media.metadata import namespaces

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# XMP part 3 has packets begin with this in any of five encodings.
_BARE: Final = ((b"<\0\0\0", "utf-32-le"), (b"\0\0\0<", "utf-32-be"), (b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))
_NAMED: Final = re.compile(rb"""<\?xml[^>]{0,99}\bencoding\s*=\s*["']([\w.-]{1,40})["']""")
_MOST_BEFORE: Final = 256  # bytes before the packet among which its encoding is looked for

MOST_LEVELS: Final = 250  # of elements within each other; programs write some ten, and what is in each is looked for

_RDF: Final = f"{{{namespaces.RDF}}}"
_VALUE: Final = f"{_RDF}value"

_START: Final = re.compile(r"<(?P<name>(?:[\w.-]+:)?(?:xmpmeta|xapmeta|RDF))(?=[\s>])")
_DOCTYPE: Final = re.compile(r"<!(?:DOCTYPE|ENTITY)")
NOT_IN_XML: Final = re.compile(
    "[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]"
)  # XML 1.0, section 2.2
_NO_REFERENCE: Final = re.compile(r"&#(?:0*(?:[0-8]|1[124-9]|2\d|3[01])|[xX]0*(?:[0-8bcBCefEF]|1[0-9a-fA-F]));")
_AMPERSAND: Final = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});)")
_PREFIX: Final = re.compile(r"(?:</?|\s)([A-Za-z_][\w.-]*):[A-Za-z_][\w.-]*(?=[\s=/>])")
_DECLARED: Final = re.compile(r"""\sxmlns:([\w.-]+)\s*=""")


class XmpError(ValueError):
    """A packet that cannot be read; the message says why, in a few words."""


def parse_packet(packet: bytes) -> Element:
    """The root of a packet. Raises :class:`XmpError` when it is no XML, or claims a document type or entities."""
    if b"\0" not in packet[:4]:  # not UTF-16: its padding may be cut off
        packet = packet.strip(b"\0 \t\r\n")
    try:
        return _parsed(packet)
    except XmpError as error:
        mended = _mended(packet)
        if mended is None:
            raise
        try:
            return _parsed(mended)
        except XmpError:
            raise error from None


def refuse_deep(element: Element) -> None:
    """Raise :class:`XmpError` where elements are nested so deep that to look for what is in each would take hours."""
    level = [element]
    for _ in range(MOST_LEVELS):
        level = [child for each in level for child in each]
        if not level:
            return
    raise XmpError("it is nested too deep")


def text_of(element: Element) -> str:
    """The text of a property or of one of its items, without what some programs say about it (:func:`holder_of`)."""
    holder, attribute = holder_of(element)
    return holder.get(attribute, "") if attribute else "".join(holder.itertext())


def holder_of(element: Any) -> tuple[Any, str | None]:
    """The element that holds the text of ``element``, and the attribute of it that does; ``None``: it is its text.

    A value with qualifiers, such as how sure a program is of a keyword, is a structure, and the text is its rdf:value
    (XMP part 1, section 7.8). ``element`` is of ElementTree or of lxml.
    """
    if not len(element) and element.get(_VALUE) is None:
        return element, None
    inner = element.find(f"{_RDF}Description")
    for each in (element,) if inner is None else (element, inner):
        value = each.find(_VALUE)
        if value is not None:
            return value, None
        if each.get(_VALUE) is not None:
            return each, _VALUE
    return element, None


def _parsed(packet: str | bytes) -> Element:
    from defusedxml import DefusedXmlException, ElementTree

    try:
        root: Element = ElementTree.fromstring(packet, forbid_dtd=True)
    except DefusedXmlException:
        raise XmpError("it defines entities or a document type, which XMP never does") from None
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # of encodings: the latter two
        raise XmpError(f"it is no whole XML: {' '.join(str(error).split())}") from None
    return root


def _mended(packet: bytes) -> str | None:
    """The XML of a packet alone, without what XML forbids; None where there is no packet from its start to its end."""
    text = _decoded(packet)
    if text is None or _DOCTYPE.search(text):
        return None
    start = _START.search(text)
    if start is None:
        return None
    close = re.compile(rf"</{re.escape(start['name'])}\s*>").search(text, start.end())
    if close is None:
        return None
    text = NOT_IN_XML.sub(" ", text[start.start() : close.end()])
    text = _AMPERSAND.sub("&amp;", _NO_REFERENCE.sub(" ", text))
    missing = set(_PREFIX.findall(text)) - set(_DECLARED.findall(text)) - {"xml", "xmlns"}
    known = namespaces.BY_PREFIX
    names = "".join(f' xmlns:{prefix}="{known.get(prefix, f"urn:unknown:{prefix}")}"' for prefix in sorted(missing))
    head = len(start[0])
    return text[:head] + names + text[head:]


def _decoded(packet: bytes) -> str | None:
    """The text of a packet by its byte order mark, by its first ``<``, by what its XML says, else as UTF-8."""
    head = packet[:_MOST_BEFORE]
    for mark, name in _BOMS:
        if head.startswith(mark):
            return packet[len(mark) :].decode(name, "replace")
    marks = [(place, -len(mark), name) for mark, name in _BARE if (place := head.find(mark)) >= 0]
    if marks and packet.count(0) > len(packet) // 4:
        place, _, name = min(marks)
        return packet[place:].decode(name, "replace")
    named = _NAMED.search(head)
    try:
        return packet.decode(named[1].decode("ascii") if named else "utf-8")
    except UnicodeDecodeError:
        return packet.decode("cp1252", "replace") if named is None and _is_western(packet) else None
    except LookupError:
        return None


def _is_western(packet: bytes) -> bool:
    """Whether bytes that are no UTF-8 stand for letters: nothing is read where most of a packet is noise."""
    return sum(byte >= 0x80 for byte in packet) * 10 < len(packet)
