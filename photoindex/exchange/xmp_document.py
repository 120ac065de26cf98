"""An XMP sidecar as a document: its description, subjects and stars, and which of them photoindex wrote.

    dc:description   rdf:Alt of texts by language; "x-default" is the one to show
    dc:subject       rdf:Bag of keywords
    xmp:Rating       stars, 1 to 5; 0 for none, -1 for rejected
    photoindex:*     in an rdf:Description of its own: what photoindex wrote into these, who is the author of the
                     description, and whether the photo is a favourite, for which XMP has no property

The copy shows later whether another program changed the words, and keeps a model's caption from being taken for a
user's. Everything else in the document stays as it is: elements, attributes, prefixes, comments, processing
instructions, whitespace.

XMP (ISO 16684-1) is RDF in XML. The libraries for XMP itself cannot be used: exiv2's bindings are under the GPL,
python-xmp-toolkit needs the C library exempi and its own build of it, and those on top of rdflib write the whole graph
again, which loses comments, order and the form that other programs chose. lxml keeps a document as it is; the standard
library's ElementTree loses prefixes, and everything before and after the root.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal, get_args

from lxml import etree

from photoindex.errors import ExchangeError
from photoindex.media.metadata.cleaning import meant, one_line
from photoindex.media.metadata.namespaces import DC, PHOTOINDEX, PHOTOSHOP, RDF, TIFF, XML, XMP
from photoindex.media.metadata.packet import NOT_IN_XML, holder_of, text_of
from photoindex.media.metadata.xmp import caption_as_read, is_of_program, stars_of, words_of_programs
from photoindex.types.hit import MACHINES

MOST_BYTES = 64_000_000  # the largest sidecars hold an editor's masks

_DESCRIPTION, _SUBJECT, _RATING = f"{{{DC}}}description", f"{{{DC}}}subject", f"{{{XMP}}}Rating"
_NODE, _ABOUT, _LI = f"{{{RDF}}}Description", f"{{{RDF}}}about", f"{{{RDF}}}li"
_ALT, _BAG = f"{{{RDF}}}Alt", f"{{{RDF}}}Bag"
_MAKE, _MODEL = f"{{{TIFF}}}Make", f"{{{TIFF}}}Model"
_CONTAINERS = (_ALT, _BAG, f"{{{RDF}}}Seq")
_LANG = f"{{{XML}}}lang"
_EMPTY = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""


CaptionAuthor = Literal["user", "text", "model"]  # "text": made of what was read in the photo


@dataclass(frozen=True, slots=True)
class Mark:
    """What photoindex wrote into a sidecar: the caption with its author and time, the tags, the stars with those that
    stood there before, whether the photo is a favourite, and the time of writing."""

    caption: str | None = None
    source: CaptionAuthor | None = None
    model: str | None = None
    captioned_at: datetime | None = None
    tags: tuple[str, ...] = ()
    written_at: datetime | None = None
    rating: int | None = None
    rating_before: int | None = None
    favourite: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing in the sidecar is by photoindex."""
        return self.caption is None and not self.tags and self.rating is None and not self.favourite


def xml_text(text: str) -> str:
    """Return a text that XML can hold: U+FFFD stands for each character that it cannot."""
    return NOT_IN_XML.sub("\ufffd", text)


def level(text: str) -> str:
    """Return a text as sidecars are compared: editors and XML change whitespace, and XML lacks some characters."""
    return " ".join(xml_text(text).split())


class XmpDocument:
    """A sidecar in memory. :meth:`to_bytes` returns the changed document; this class writes no file."""

    def __init__(self, tree: Any, rdf: Any, declared: bool) -> None:
        self._tree, self._rdf, self._declared = tree, rdf, declared

    @classmethod
    def parse(cls, data: bytes, path: Path) -> XmpDocument:
        """Parse a sidecar; an empty file is an empty document. Raises :class:`ExchangeError` for anything but XMP."""
        if len(data) > MOST_BYTES:
            raise ExchangeError(f"{path} is too large for a sidecar ({len(data):,} bytes)")
        if not data.strip(b"\0 \t\r\n"):
            return cls.new()
        # Entities can expand to gigabytes or include other files.
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
        try:
            root = etree.fromstring(data, parser)
        except (etree.XMLSyntaxError, ValueError) as error:
            reason = next(iter(str(error).splitlines()), "not XML")
            raise ExchangeError(f"{path} is no XMP sidecar: {reason}") from error
        tree = root.getroottree()
        if tree.docinfo.internalDTD is not None:
            raise ExchangeError(f"{path} has a document type declaration, which sidecars may not have: it is not read")
        rdf = next(root.iter(f"{{{RDF}}}RDF"), None)
        if rdf is None:
            raise ExchangeError(f"{path} is no XMP sidecar: it holds no rdf:RDF")
        return cls(tree, rdf, b"<?xml" in data[:8])

    @classmethod
    def new(cls) -> XmpDocument:
        """Return a document without description and subjects."""
        root = etree.fromstring(_EMPTY.encode())
        return cls(root.getroottree(), root[0], False)

    def to_bytes(self) -> bytes:
        """Return the document in UTF-8."""
        written: bytes = etree.tostring(self._tree, encoding="UTF-8", xml_declaration=self._declared)
        return written if written.endswith(b"\n") else written + b"\n"

    # ---- reading ---------------------------------------------------------------------------------

    @property
    def caption(self) -> str | None:
        """The description in the language "x-default", else the first that is not empty."""
        texts = self._texts(_DESCRIPTION)
        texts.sort(key=lambda pair: pair[0] != "x-default")
        return next((text for _, text in texts if text.strip()), None)

    @property
    def suffix(self) -> str | None:
        """The suffix of the file that another program wrote this sidecar for; ``None``: it does not say."""
        texts = (text.strip() for _, text in self._texts(f"{{{PHOTOSHOP}}}SidecarForExtension"))
        return next(filter(None, texts), None)

    @property
    def meant_caption(self) -> str | None:
        """The description as it counts when a photo is read: cut off, and none where a camera filled it in."""
        make, model = (next((text for _, text in self._texts(name)), None) for name in (_MAKE, _MODEL))
        return None if self.caption is None else meant(caption_as_read(self.caption), one_line(make), one_line(model))

    @property
    def tags(self) -> list[str]:
        """The subjects, in document order."""
        return [level(text) for _, text in self._texts(_SUBJECT) if text.strip()]

    @property
    def tags_by_people(self) -> list[str]:
        """The subjects without those that a program keeps its books in."""
        ignored = words_of_programs(lambda name: [text for _, text in self._texts(name)])
        return [tag for tag in self.tags if not is_of_program(tag, ignored)]

    @property
    def rating(self) -> int | None:
        """The stars, -1 to 5; ``None`` where there are none, or something else than a number of stars."""
        return stars_of(next((text for _, text in self._texts(_RATING)), None))

    @property
    def mark(self) -> Mark:
        """What photoindex wrote into this sidecar the last time."""
        source = self._simple("captionSource")
        tags = tuple(level(text) for _, text in self._texts(f"{{{PHOTOINDEX}}}tags") if text.strip())
        return Mark(
            self._simple("caption"),
            source if source in get_args(CaptionAuthor) else None,  # type: ignore[arg-type]
            self._simple("captionModel"),
            _time(self._simple("captionedAt")),
            tags,
            _time(self._simple("writtenAt")),
            stars_of(self._simple("rating")),
            stars_of(self._simple("ratingBefore")),
            self._simple("favourite") == "true",
        )

    @property
    def caption_is_ours(self) -> bool:
        """Whether photoindex wrote the description and nothing has changed it since."""
        caption, mark = self.caption, self.mark
        return caption is not None and mark.caption is not None and level(caption) == level(mark.caption)

    @property
    def caption_is_machine_made(self) -> bool:
        """Whether the description is a caption that no person wrote, by a model or made of text, and by photoindex."""
        return self.caption_is_ours and self.mark.source in MACHINES

    def _nodes(self) -> list[Any]:
        return [child for child in self._rdf if isinstance(child.tag, str)]

    def _texts(self, name: str) -> list[tuple[str, str]]:
        """Return (language, text) of a property, in any of the forms that programs write."""
        texts: list[tuple[str, str]] = []
        for node in self._nodes():
            if name in node.attrib:
                texts.append(("x-default", node.attrib[name]))
            for value in node.iterchildren(name):
                items = list(value.iter(_LI))
                if items:
                    texts += [(item.get(_LANG, ""), text_of(item)) for item in items]
                else:
                    texts.append(("x-default", text_of(value)))
        return texts

    def _simple(self, name: str) -> str | None:
        return next((text for _, text in self._texts(f"{{{PHOTOINDEX}}}{name}") if text), None)

    # ---- writing ---------------------------------------------------------------------------------

    def set_caption(self, text: str | None) -> None:
        """Set the description in the language "x-default", or remove it; other languages stay."""
        for node in self._nodes():
            node.attrib.pop(_DESCRIPTION, None)
        value = self._property(_DESCRIPTION, {"dc": DC}, create=text is not None)
        if value is None:
            return
        items = list(value.iter(_LI))
        item = next((item for item in items if item.get(_LANG) == "x-default"), None)
        if item is None and len(items) == 1 and items[0].get(_LANG) is None:
            item = items[0]
        if text is None:
            if item is not None and len(items) > 1:
                _remove(item)
            elif len(items) <= 1:
                _remove(value)
            return
        if item is None:
            holder, _ = _container(value, _ALT)
            item = etree.Element(_LI)
            item.set(_LANG, "x-default")
            holder.insert(0, item)  # the specification wants "x-default" first
        _set_text(item, text)

    def change_tags(self, added: list[str], removed: list[str]) -> None:
        """Append subjects, and remove those equal to one of ``removed``."""
        value = self._property(_SUBJECT, {"dc": DC}, create=bool(added))
        if value is None:
            return
        for item in [item for item in value.iter(_LI) if level(text_of(item)) in removed]:
            _remove(item)
        if added:
            self._bag(value, added)
        elif not list(value.iter(_LI)):
            _remove(value)

    def set_rating(self, stars: int | None) -> None:
        """Set the stars in the form that they are in, or remove them."""
        for node in self._nodes():
            if _RATING not in node.attrib:
                continue
            if stars is None:
                del node.attrib[_RATING]
            else:
                node.set(_RATING, str(stars))
                return
        value = self._property(_RATING, {"xmp": XMP}, create=stars is not None)
        if value is None:
            return
        if stars is None:
            _remove(value)
            return
        _set_text(value, str(stars))

    def set_mark(self, mark: Mark) -> None:
        """Replace the record of what photoindex wrote."""
        for node in self._nodes():
            for name in [name for name in node.attrib if name.startswith(f"{{{PHOTOINDEX}}}")]:
                del node.attrib[name]
            for child in [
                child for child in node if isinstance(child.tag, str) and child.tag.startswith(f"{{{PHOTOINDEX}}}")
            ]:
                _remove(child)
            own = PHOTOINDEX in node.nsmap.values() and PHOTOINDEX not in self._rdf.nsmap.values()
            if own and not len(node) and set(node.attrib) <= {_ABOUT}:
                _remove(node)
        values = {
            "captionSource": mark.source,
            "captionModel": mark.model,
            "captionedAt": mark.captioned_at and mark.captioned_at.isoformat(),
            "caption": mark.caption,
            "writtenAt": mark.written_at and mark.written_at.isoformat(),
            "rating": None if mark.rating is None else str(mark.rating),
            "ratingBefore": None if mark.rating_before is None else str(mark.rating_before),
            "favourite": "true" if mark.favourite else None,
        }
        if mark.is_empty:
            return
        about = next((node.get(_ABOUT) for node in self._nodes() if node.get(_ABOUT)), "")
        node = _append(self._rdf, _NODE, {"photoindex": PHOTOINDEX})
        node.set(_ABOUT, about)
        for name, text in values.items():
            if text:
                node.set(f"{{{PHOTOINDEX}}}{name}", xml_text(text))
        if mark.tags:
            self._bag(_append(node, f"{{{PHOTOINDEX}}}tags", {}), list(mark.tags))

    def _property(self, name: str, prefix: dict[str, str], *, create: bool) -> Any | None:
        for node in self._nodes():
            value = next(node.iterchildren(name), None)
            if value is not None:
                return value
        if not create:
            return None
        nodes = [node for node in self._nodes() if node.tag == _NODE]
        node = nodes[0] if nodes else _append(self._rdf, _NODE, {})
        if not nodes:
            node.set(_ABOUT, "")
        return _append(node, name, prefix)

    def _bag(self, value: Any, items: list[str]) -> None:
        holder, before = _container(value, _BAG)
        for text in [before, *items] if before else items:
            _append(holder, _LI, {}).text = xml_text(text)


def _set_text(element: Any, text: str) -> None:
    """Replace the text of a property or an item; what another program says about it stays, as a part of it."""
    holder, attribute = holder_of(element)
    if attribute:
        holder.set(attribute, xml_text(text))
        return
    for child in list(holder):
        holder.remove(child)
    holder.text = xml_text(text)


def _container(value: Any, kind: str) -> tuple[Any, str]:
    """Return the list of a property, and the text that stood in its place, which goes when the list is made."""
    holder, attribute = holder_of(value)
    container = next(holder.iterchildren(*_CONTAINERS), None)
    if container is not None:
        return container, ""
    text = holder.attrib.pop(attribute) if attribute else holder.text or ""
    if attribute:
        holder = etree.SubElement(holder, attribute)
    holder.text = None
    return etree.SubElement(holder, kind), text.strip()


def _append(parent: Any, name: str, prefixes: dict[str, str]) -> Any:
    """Append a child, on a line of its own if the other children have one."""
    child = etree.SubElement(parent, name, nsmap=prefixes or None)
    before = child.getprevious()
    if before is not None and before.tail and not before.tail.strip():
        child.tail = before.tail
        before.tail = parent.text if parent.text and not parent.text.strip() else before.tail
    return child


def _remove(element: Any) -> None:
    """Remove an element and the whitespace after it; other text after it stays."""
    parent, before, last = element.getparent(), element.getprevious(), element.getnext() is None
    tail = element.tail or ""
    parent.remove(element)
    if tail.strip():
        if before is not None:
            before.tail = (before.tail or "") + tail
        else:
            parent.text = (parent.text or "") + tail
    elif before is not None and last and not (before.tail or "").strip():
        before.tail = tail


def _time(text: str | None) -> datetime | None:
    try:
        time = None if text is None else datetime.fromisoformat(text)
        # In UTC at once: a time near the years 1 and 9999 cannot be converted later.
        return time and (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
