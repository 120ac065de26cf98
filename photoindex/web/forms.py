"""How photos and what belongs to them are written as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from photoindex.system.paths import printable

if TYPE_CHECKING:
    from photoindex.library.gallery import Album, Cluster, Gallery, ShownPhoto
    from photoindex.types import Caption, Correction, Duplicate, Photo
    from photoindex.types.hit import Matched

LIST_SIZE = 480  # of the thumbnails in lists
SMALL_SIZE = 240


def thumbnail_url(root: str, content_hash: str, size: int = LIST_SIZE) -> str:
    """Return the address of a thumbnail."""
    return f"{root}/api/v1/t/{content_hash}-{size}.jpg"


def shown_photo(root: str, photo: ShownPhoto, gallery: Gallery, query: str | None = None) -> dict[str, Any]:
    """Return a photo of a list; with ``query``, as a search found it."""
    found: dict[str, Any] = {
        "id": photo.id,
        "sha": photo.content_hash,
        "w": photo.width,
        "h": photo.height,
        "taken": photo.taken,
        "thumb": thumbnail_url(root, photo.content_hash),
        "alt": photo.caption,
        "source": photo.source,
        "rating": photo.rating,
        "favourite": photo.favourite,
        "hidden": photo.hidden,
    }
    if query is not None:
        found |= {
            "score": round(photo.score or 0.0, 4),
            "said": bool(photo.said),
            "sureness": rounded(photo.sureness),
            "why": reasons(gallery, photo.matched, query, photo.caption),
        }
    return found


def rounded(share: float | None) -> float | None:
    """Return a share from 0 to 1 as answers have it."""
    return None if share is None else round(share, 4)


def reasons(gallery: Gallery, matched: Sequence[Matched], query: str, caption: str) -> list[dict[str, Any]]:
    """Return what a photo was found by, weightiest first; ``share`` is of the weights together."""
    words = gallery.readable.of(matched, caption, query)
    total = sum(reason.weight for reason in matched) or 1.0
    return [
        {
            "layer": reason.layer,
            "word": words[reason.word],
            "weight": round(reason.weight, 4),
            "share": round(reason.weight / total, 4),
        }
        for reason in matched
    ]


def whole_photo(root: str, photo: Photo) -> dict[str, Any]:
    """Return everything known of a photo."""
    facts = photo.facts
    return {
        "id": photo.id,
        "sha": photo.content_hash,
        "bytes": photo.size,
        "w": facts.width if facts else None,
        "h": facts.height if facts else None,
        "thumb": thumbnail_url(root, photo.content_hash),
        "picture": thumbnail_url(root, photo.content_hash, 1600),
        "original": f"{root}/api/v1/photos/{photo.id}/original",
        "alt": photo.caption.text if photo.caption else "",
        "caption": _caption(photo.caption),
        "candidates": [_caption(caption) for caption in photo.candidates],
        "tags": list(photo.tags),
        "terms": [{"text": t.text, "weight": round(t.weight, 4), "source": t.source} for t in photo.terms],
        "taken": facts.taken_at.isoformat() if facts and facts.taken_at else None,
        "taken_source": facts.taken_source if facts else None,
        "format": facts.format if facts else None,
        "camera": facts.camera if facts else None,
        "lens": facts.lens if facts else None,
        "latitude": facts.latitude if facts else None,
        "longitude": facts.longitude if facts else None,
        "place": str(facts.place) if facts and facts.place else None,
        "rating": facts.rating if facts else None,
        "favourite": photo.favourite,
        "hidden": photo.hidden,
        "review": photo.review,
        "files": [printable(path) for path in photo.paths],
        "missing_files": [printable(path) for path in photo.missing_paths],
        "companions": [{"path": printable(one.path), "kind": one.kind} for one in photo.companions],
    }


def _caption(caption: Caption | None) -> dict[str, Any] | None:
    if caption is None:
        return None
    return {
        "text": caption.text,
        "source": caption.source,
        "model": caption.model,
        "log_probability": caption.log_probability,
        "confidence": rounded(caption.confidence),
        "created_at": caption.created_at.isoformat(),
        "locked": caption.locked,
    }


def correction(change: Correction) -> dict[str, Any]:
    """Return one change by a person."""
    return {
        "edit": change.edit,
        "kind": change.kind,
        "old": list(change.old) if isinstance(change.old, tuple) else change.old,
        "new": list(change.new) if isinstance(change.new, tuple) else change.new,
        "made_at": change.made_at.isoformat(),
        "undone_at": change.undone_at.isoformat() if change.undone_at else None,
    }


def duplicate(root: str, file: Duplicate) -> dict[str, Any]:
    """Return one file of a group."""
    return {
        "id": file.photo_id,
        "sha": file.content_hash,
        "thumb": thumbnail_url(root, file.content_hash),
        "path": printable(file.path),
        "bytes": file.bytes,
        "w": file.width,
        "h": file.height,
        "format": file.format,
        "distance": file.distance,
    }


def album(root: str, found: Album) -> dict[str, Any]:
    """Return an album of a list."""
    return {
        "id": found.id,
        "name": found.name,
        "query": found.query,
        "photos": None if found.query is not None else found.photos,
        "thumb": None if found.cover is None else thumbnail_url(root, found.cover),
        "created_at": found.created_at.isoformat(),
    }


def outward(box: Sequence[float]) -> list[float]:
    """Return a box of degrees (west, south, east, north) to five decimals, so that nothing within it is left out:
    degrees of the timeline are numbers of 32 bits, and near the date line as much as 0.8 hundred-thousandths off."""
    west, south, east, north = box
    low, high = ([max(-180.0, west - 1e-5), max(-90.0, south - 1e-5)],
                 [min(180.0, east + 1e-5), min(90.0, north + 1e-5)])  # fmt: skip
    return [*(math.floor(each * 1e5) / 1e5 for each in low), *(math.ceil(each * 1e5) / 1e5 for each in high)]


def box_text(box: Sequence[float]) -> str:
    """Return a box as addresses have it."""
    return ",".join(f"{each:.5f}" for each in outward(box))


def cluster(root: str, found: Cluster) -> dict[str, Any]:
    """Return photos that lie near each other."""
    return {
        "latitude": round(found.latitude, 6),
        "longitude": round(found.longitude, 6),
        "box": outward(found.box),
        "photos": found.photos,
        "id": found.photo_id,
        "thumb": thumbnail_url(root, found.content_hash, SMALL_SIZE),
    }


def counted(pairs: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    """Return counts as objects."""
    return [{"value": value, "photos": count} for value, count in pairs]


def listed(items: Sequence[Any], total: int | None = None, following: str | None = None) -> Mapping[str, Any]:
    """Return a list as every list here is written; ``following`` is the cursor of the next page."""
    return {"items": list(items), "next": following, "total": len(items) if total is None else total}
