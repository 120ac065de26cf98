"""What of a photo can be searched: the words the full-text index gets for it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from photoindex.types import Document, Photo

# Names are written in CamelCase, snake_case and with numbers stuck to words: "BeachTrip2019" -> "Beach Trip 2019".
_BOUNDARIES = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])|[\W_]+")


def document_of(photo: Photo, roots: Sequence[Path]) -> Document:
    """The document of a photo that has a caption. ``roots`` bound which folder names count: those outside the folders
    the user named (``/home/anna``) say nothing of a photo."""
    assert photo.caption is not None
    facts = photo.facts
    corrected = photo.caption.source == "user"
    said = photo.tags if photo.caption.source == "model" else (photo.caption.text, *photo.tags)
    return Document(
        photo_id=photo.id,
        caption=photo.caption.text,
        # What the model almost said is no help where a person had to say better.
        beams="" if corrected else " . ".join(candidate.text for candidate in photo.candidates),
        labels=" . ".join(term.text for term in photo.terms if term.source == "label"),
        kinds=" . ".join(term.text for term in photo.terms if term.source == "kind"),
        names=" . ".join(_name_words(path, roots) for path in photo.paths),
        camera=" ".join(text for text in (facts.camera, facts.lens) if text) if facts else "",
        taken_at=facts.taken_at if facts else None,
        tags=" . ".join(photo.tags),
        person=" . ".join(said),
        gps=facts is not None and facts.latitude is not None and facts.longitude is not None,
    )


def _name_words(path: Path, roots: Sequence[Path]) -> str:
    above = [root for root in roots if root in path.parents]
    deepest = max(above, key=lambda root: len(root.parts), default=path.parent)
    parts = [deepest.name, *path.relative_to(deepest).parent.parts, path.stem]
    text = " ".join(parts).encode("utf-8", "replace").decode("utf-8")
    return " ".join(word for word in _BOUNDARIES.split(text) if word)
