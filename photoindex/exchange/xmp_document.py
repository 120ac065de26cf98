"""The words in an XMP sidecar: the description and the subjects, and which of them photoindex wrote.

    dc:description   rdf:Alt of texts by language; "x-default" is the one to show
    dc:subject       rdf:Bag of keywords
    photoindex:*     in an rdf:Description of its own: what photoindex wrote into the two, and whose words they were

With a copy of what was written beside it, words that somebody else changed later can be told from our own; and a
caption that a machine made never passes for a person's. Everything that is not ours stays as it is: elements,
attributes, prefixes, comments, processing instructions, whitespace.

XMP (ISO 16684-1) is RDF in XML. The libraries for XMP itself cannot be used: exiv2's bindings are under the GPL,
python-xmp-toolkit needs the C library exempi and its own build of it, and those on top of rdflib write the graph anew,
which loses comments, order and the way others wrote things. lxml keeps a document as it is; the standard library's
ElementTree loses prefixes, and what stands before and behind the root.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

from lxml import etree

from photoindex.errors import ExchangeError

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC = "http://purl.org/dc/elements/1.1/"
XML = "http://www.w3.org/XML/1998/namespace"
OURS = "urn:photoindex:xmp:1.0/"
MOST_BYTES = 64_000_000  # the largest sidecars hold an editor's masks

_DESCRIPTION, _SUBJECT = f"{{{DC}}}description", f"{{{DC}}}subject"
_NODE, _ABOUT, _LI = f"{{{RDF}}}Description", f"{{{RDF}}}about", f"{{{RDF}}}li"
_ALT, _BAG = f"{{{RDF}}}Alt", f"{{{RDF}}}Bag"
_CONTAINERS = (_ALT, _BAG, f"{{{RDF}}}Seq")
_LANG = f"{{{XML}}}lang"
_EMPTY = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""


@dataclass(frozen=True, slots=True)
class Mark:
    """What photoindex wrote into a sidecar: the caption, whose it was, by which model, when it was made; the tags."""

    caption: str | None = None
    source: Literal["user", "model"] | None = None
    model: str | None = None
    captioned_at: datetime | None = None
    tags: tuple[str, ...] = ()
    written_at: datetime | None = None


def level(text: str) -> str:
    """``text`` as it is compared: whitespace is what editors and XML change by themselves."""
    return " ".join(text.split())


class Sidecar:
    """A sidecar in memory. Nothing is written before :meth:`to_bytes`, and never by this module."""

    def __init__(self, tree: Any, rdf: Any, declared: bool) -> None:
        self._tree, self._rdf, self._declared = tree, rdf, declared

    @classmethod
    def parse(cls, data: bytes, path: Path) -> Sidecar:
        """Read a sidecar; an empty file is a new one. Raises :class:`ExchangeError` for what is no XMP."""
        if len(data) > MOST_BYTES:
            raise ExchangeError(f"{path} is too large for a sidecar ({len(data):,} bytes)")
        if not data.strip(b"\0 \t\r\n"):
            return cls.new()
        # Entities are the way in for files that unfold to gigabytes, or hold others of the disk.
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
        try:
            root = etree.fromstring(data, parser)
        except (etree.XMLSyntaxError, ValueError) as error:
            raise ExchangeError(f"{path} is no XMP sidecar: {str(error).splitlines()[0]}") from error
        tree = root.getroottree()
        if tree.docinfo.internalDTD is not None:
            raise ExchangeError(f"{path} has a document type, which no sidecar needs: it is not read")
        rdf = next(root.iter(f"{{{RDF}}}RDF"), None)
        if rdf is None:
            raise ExchangeError(f"{path} is no XMP sidecar: it holds no rdf:RDF")
        return cls(tree, rdf, b"<?xml" in data[:8])

    @classmethod
    def new(cls) -> Sidecar:
        root = etree.fromstring(_EMPTY.encode())
        return cls(root.getroottree(), root[0], False)

    def to_bytes(self) -> bytes:
        """The document in UTF-8."""
        written: bytes = etree.tostring(self._tree, encoding="UTF-8", xml_declaration=self._declared)
        return written if written.endswith(b"\n") else written + b"\n"

    # ---- reading ---------------------------------------------------------------------------------

    @property
    def caption(self) -> str | None:
        """The description to show: that of "x-default", or else the first that says something."""
        texts = self._texts(_DESCRIPTION)
        texts.sort(key=lambda pair: pair[0] != "x-default")
        return next((text for _, text in texts if text.strip()), None)

    @property
    def tags(self) -> list[str]:
        """The subjects, in their order."""
        return [level(text) for _, text in self._texts(_SUBJECT) if text.strip()]

    @property
    def mark(self) -> Mark:
        """What photoindex wrote when it last wrote into this sidecar."""
        source = self._simple("captionSource")
        tags = tuple(level(text) for _, text in self._texts(f"{{{OURS}}}tags") if text.strip())
        return Mark(
            self._simple("caption"),
            source if source in ("user", "model") else None,  # type: ignore[arg-type]
            self._simple("captionModel"),
            _time(self._simple("captionedAt")),
            tags,
            _time(self._simple("writtenAt")),
        )

    @property
    def caption_is_ours(self) -> bool:
        """Whether the description is what photoindex wrote, unchanged."""
        caption, mark = self.caption, self.mark
        return caption is not None and mark.caption is not None and level(caption) == level(mark.caption)

    @property
    def caption_is_machine_made(self) -> bool:
        """Whether the description is a model's, which photoindex wrote there: nobody said it."""
        return self.caption_is_ours and self.mark.source == "model"

    def _nodes(self) -> list[Any]:
        return [child for child in self._rdf if isinstance(child.tag, str)]

    def _texts(self, name: str) -> list[tuple[str, str]]:
        """(language, text) of a property in any of the forms that programs write it in."""
        found = []
        for node in self._nodes():
            if name in node.attrib:
                found.append(("x-default", node.attrib[name]))
            for value in node.iterchildren(name):
                items = list(value.iter(_LI))
                if items:
                    found += [(item.get(_LANG, ""), "".join(item.itertext())) for item in items]
                else:
                    found.append(("x-default", "".join(value.itertext())))
        return found

    def _simple(self, name: str) -> str | None:
        return next((text for _, text in self._texts(f"{{{OURS}}}{name}") if text), None)

    # ---- writing ---------------------------------------------------------------------------------

    def set_caption(self, text: str | None) -> None:
        """Let the description say ``text``, or nothing, in the language "x-default"; others stay."""
        for node in self._nodes():
            node.attrib.pop(_DESCRIPTION, None)
        value = self._property(_DESCRIPTION, create=text is not None)
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
            holder = next(value.iterchildren(*_CONTAINERS), None)
            if holder is None:
                value.text = None
                holder = etree.SubElement(value, _ALT)
            item = etree.Element(_LI)
            item.set(_LANG, "x-default")
            holder.insert(0, item)  # where the specification wants it
        for child in list(item):
            item.remove(child)
        item.text = text

    def change_tags(self, added: list[str], removed: list[str]) -> None:
        """Add subjects behind those that are there; take away those that say exactly what ``removed`` does."""
        value = self._property(_SUBJECT, create=bool(added))
        if value is None:
            return
        for item in [item for item in value.iter(_LI) if level("".join(item.itertext())) in removed]:
            _remove(item)
        if added:
            self._bag(value, added)
        elif not list(value.iter(_LI)):
            _remove(value)

    def set_mark(self, mark: Mark) -> None:
        """Replace what is noted of what photoindex wrote."""
        for node in self._nodes():
            for name in [name for name in node.attrib if name.startswith(f"{{{OURS}}}")]:
                del node.attrib[name]
            for child in [
                child for child in node if isinstance(child.tag, str) and child.tag.startswith(f"{{{OURS}}}")
            ]:
                _remove(child)
            own = OURS in node.nsmap.values() and OURS not in self._rdf.nsmap.values()
            if own and not len(node) and set(node.attrib) <= {_ABOUT}:
                _remove(node)
        values = {
            "captionSource": mark.source,
            "captionModel": mark.model,
            "captionedAt": mark.captioned_at and mark.captioned_at.isoformat(),
            "caption": mark.caption,
            "writtenAt": mark.written_at and mark.written_at.isoformat(),
        }
        if mark.caption is None and not mark.tags:
            return
        about = next((node.get(_ABOUT) for node in self._nodes() if node.get(_ABOUT)), "")
        node = _append(self._rdf, _NODE, {"photoindex": OURS})
        node.set(_ABOUT, about)
        for name, text in values.items():
            if text:
                node.set(f"{{{OURS}}}{name}", text)
        if mark.tags:
            self._bag(_append(node, f"{{{OURS}}}tags", {}), list(mark.tags))

    def _property(self, name: str, *, create: bool) -> Any | None:
        for node in self._nodes():
            found = next(node.iterchildren(name), None)
            if found is not None:
                return found
        if not create:
            return None
        nodes = [node for node in self._nodes() if node.tag == _NODE]
        node = nodes[0] if nodes else _append(self._rdf, _NODE, {})
        if not nodes:
            node.set(_ABOUT, "")
        return _append(node, name, {"dc": DC})

    def _bag(self, value: Any, items: list[str]) -> None:
        holder = next(value.iterchildren(*_CONTAINERS), None)
        if holder is None:
            before, value.text = (value.text or "").strip(), None
            holder = etree.SubElement(value, _BAG)
            items = [before, *items] if before else items
        for text in items:
            _append(holder, _LI, {}).text = text


def _append(parent: Any, name: str, prefixes: dict[str, str]) -> Any:
    """A new last child, on a line of its own where the others are."""
    child = etree.SubElement(parent, name, nsmap=prefixes or None)
    before = child.getprevious()
    if before is not None and before.tail and not before.tail.strip():
        child.tail = before.tail
        before.tail = parent.text if parent.text and not parent.text.strip() else before.tail
    return child


def _remove(element: Any) -> None:
    """Take an element out, with the whitespace behind it; text behind it, which RDF has none of, stays."""
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
        found = None if text is None else datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=timezone.utc) if found is not None and found.tzinfo is None else found
