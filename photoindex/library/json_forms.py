"""How hits, photos and reports become JSON: the fields that docs/output.md promises, for every interface."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from photoindex.system.url_paths import url_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from photoindex.catalogue.albums import Album
    from photoindex.catalogue.batches import Batch
    from photoindex.catalogue.status import Status
    from photoindex.errors import PhotoError
    from photoindex.indexing.recaption import Plan
    from photoindex.media.decode.readers import Reader
    from photoindex.types import (
        Caption,
        Correction,
        Duplicate,
        Failure,
        Finding,
        ForgetPlan,
        Hit,
        IndexReport,
        Photo,
        PhotoFacts,
        Prediction,
        TextLine,
    )


def plain(value: Any) -> Any:
    """Turn what JSON has no form for into text; the ``default`` of :func:`json.dumps`.

    A byte of a path that is no text becomes a lone surrogate, which :func:`os.fsencode` turns back.
    """
    if isinstance(value, Path):
        return url_text(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def hit_json(hit: Hit) -> dict[str, Any]:
    """Return a hit of a search."""
    return {
        "path": hit.path,
        "score": round(hit.score, 4),
        "caption": hit.caption,
        "caption_source": hit.caption_source,
        "matched": [{"layer": m.layer, "word": m.word, "weight": round(m.weight, 4)} for m in hit.matched],
        "terms": [{"text": term.text, "weight": round(term.weight, 4), "source": term.source} for term in hit.terms],
        "taken_at": hit.taken_at,
        "camera": hit.camera,
        "width": hit.width,
        "height": hit.height,
        "other_paths": list(hit.other_paths),
        "lens": hit.facts.lens if hit.facts else None,
        "keywords": list(hit.keywords),
        "people": list(hit.people),
        **_facts_json(hit.facts),
        "present": hit.present,
        "is": list(hit.is_),
        "confidence": _rounded(hit.confidence),
        "sureness": _rounded(hit.sureness),
        "favourite": hit.favourite,
        "text": [_line_json(line) for line in hit.text],
    }


def photo_json(photo: Photo) -> dict[str, Any]:
    """Return everything known about a photo."""
    facts = photo.facts
    return {
        "paths": list(photo.paths),
        "missing_paths": list(photo.missing_paths),
        "companions": [{"path": companion.path, "kind": companion.kind} for companion in photo.companions],
        "sha256": photo.content_hash,
        "bytes": photo.size,
        "caption": None if photo.caption is None else _caption_json(photo.caption),
        "candidates": [_caption_json(caption) for caption in photo.candidates],
        "overruled": [_caption_json(caption) for caption in photo.overruled],
        "history": [_caption_json(caption) for caption in photo.history],
        "tags": list(photo.tags),
        "terms": [{"text": t.text, "weight": round(t.weight, 4), "source": t.source} for t in photo.terms],
        "format": facts.format if facts else None,
        "width": facts.width if facts else None,
        "height": facts.height if facts else None,
        "taken_at": facts.taken_at if facts else None,
        "camera": facts.camera if facts else None,
        "lens": facts.lens if facts else None,
        "latitude": facts.latitude if facts else None,
        "longitude": facts.longitude if facts else None,
        **_facts_json(facts),
        "is": list(photo.is_),
        "favourite": photo.favourite,
        "hidden": photo.hidden,
        "review": photo.review,
        "text": [_line_json(line) for line in photo.text],
        "text_read": photo.text_read,
    }


def _line_json(line: TextLine) -> dict[str, Any]:
    """Return a line of text that was read in a photo."""
    return {"text": line.text, "confidence": round(line.confidence, 4), "box": list(line.box), "block": line.block}


def album_json(album: Album) -> dict[str, Any]:
    """Return an album of a list."""
    return {
        "name": album.name,
        "query": album.query,
        "photos": album.photos if album.query is None else None,
        "created_at": album.created_at,
    }


def _rounded(confidence: float | None) -> float | None:
    return None if confidence is None else round(confidence, 4)


def _facts_json(facts: PhotoFacts | None) -> dict[str, Any]:
    """Return the facts that hits and photos have in the same form: where, when and how good."""
    if facts is None:
        return {"taken_source": None, "taken_offset": None, "gps": None, "place": None, "rating": None}
    gps = None
    if facts.latitude is not None:
        gps = {"latitude": facts.latitude, "longitude": facts.longitude, "altitude": facts.altitude}
    offset = None
    if facts.taken_offset is not None:
        from photoindex.media.metadata.dates import offset_text

        offset = offset_text(facts.taken_offset)
    return {
        "taken_source": facts.taken_source,
        "taken_offset": offset,
        "gps": gps,
        "place": None if facts.place is None else dataclasses.asdict(facts.place),
        "rating": facts.rating,
    }


def _caption_json(caption: Caption) -> dict[str, Any]:
    return {
        "text": caption.text,
        "source": caption.source,
        "model": caption.model,
        "log_probability": caption.log_probability,
        "settings": caption.settings,
        "created_at": caption.created_at,
        "locked": caption.locked,
        "confidence": _rounded(caption.confidence),
    }


def show_json(
    path: Path, photo: Photo | None, failure: Failure | None, corrections: Sequence[Correction] | None = None
) -> dict[str, Any]:
    """Return what is known about the file at a path; with its corrections if they are given."""
    value: dict[str, Any] = {"path": path, "photo": None if photo is None else photo_json(photo)}
    if corrections is not None:
        value["corrections"] = [dataclasses.asdict(change) for change in corrections]
    value["failure"] = None if failure is None else {"kind": failure.kind, "message": failure.message}
    return value


def prediction_json(path: Path, prediction: Prediction) -> dict[str, Any]:
    """Return a model's answer for a photo."""
    return {
        "path": path,
        "caption": prediction.caption,
        "candidates": [
            {
                "text": c.text,
                "log_probability": round(c.log_probability, 4),
                "score": round(c.score, 4),
                "confidence": _rounded(c.confidence),
            }
            for c in prediction.candidates
        ],
        "labels": [{"name": label.name, "probability": round(label.probability, 4)} for label in prediction.labels],
        "kinds": [{"name": kind.name, "probability": round(kind.probability, 4)} for kind in prediction.kinds],
    }


def photo_error_json(path: Path, error: PhotoError) -> dict[str, Any]:
    """Return why a photo has no caption, in the place of :func:`prediction_json`."""
    return {"path": path, "error": error.kind, "message": str(error)}


def index_json(report: IndexReport) -> dict[str, Any]:
    """Return what one run of indexing did."""
    return {
        "seen": report.seen,
        "captioned": report.captioned,
        "recognised": report.recognised,
        "moved": report.moved,
        "unchanged": report.unchanged,
        "missing": report.missing,
        "refreshed": report.refreshed,
        "failed": report.failed,
        "seconds": round(report.seconds, 3),
        "failures": [{"path": each.path, "kind": each.kind, "message": each.message} for each in report.failures],
        "unreadable": list(report.unreadable),
    }


def forget_json(plan: ForgetPlan, *, forgotten: bool) -> dict[str, Any]:
    """Return what forgetting a path removed, or would remove."""
    return {
        "path": plan.path,
        "roots": list(plan.roots),
        "present": plan.present,
        "missing": plan.missing,
        "photos": plan.photos,
        "by_people": plan.by_people,
        "forgotten": forgotten,
    }


def failure_json(failure: Failure) -> dict[str, Any]:
    """Return an entry of the failure ledger."""
    return {
        "path": failure.path,
        "kind": failure.kind,
        "message": failure.message,
        "attempts": failure.attempts,
        "state": failure.state,
        "next_try_at": failure.next_try_at,
        "work": failure.work,
    }


def duplicate_json(file: Duplicate) -> dict[str, Any]:
    """Return one file of a group of duplicates."""
    return {
        "path": file.path,
        "sha256": file.content_hash,
        "bytes": file.bytes,
        "width": file.width,
        "height": file.height,
        "format": file.format,
        "distance": file.distance,
        "also_at": list(file.also_at),
    }


def batch_json(batch: Batch) -> dict[str, Any]:
    """Return a batch of photos to be captioned again."""
    return {**dataclasses.asdict(batch), "seconds_left": batch.seconds_left}


def plan_json(plan: Plan) -> dict[str, Any]:
    """Return what captioning again would do."""
    return {**dataclasses.asdict(plan), "seconds": plan.seconds}


def findings_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return what the doctor found."""
    healthy = all(finding.level != "problem" for finding in findings)
    return {"healthy": healthy, "findings": [dataclasses.asdict(each) for each in findings]}


def format_json(reader: Reader) -> dict[str, Any]:
    """Return whether a photo format can be read, and by what."""
    return {
        "format": reader.format.name,
        "reads": reader.works,
        "library": reader.format.package,
        "version": reader.version,
        "suffixes": sorted(reader.format.suffixes),
        "install": None if reader.works else reader.install,
    }


def status_json(state: Status) -> dict[str, Any]:
    """Return the state of the library."""
    return {
        "data_dir": state.data_dir,
        "photos": state.photos,
        "captioned": state.captioned,
        "searchable": state.searchable,
        "waiting_for_index": state.waiting_for_index,
        "jobs": state.jobs,
        "roots": [
            {
                "path": root.path,
                "mode": root.mode,
                "mode_reason": root.mode_reason,
                "watcher": None if root.watcher is None else dataclasses.asdict(root.watcher),
                "watches": root.watches,
                "settling": root.settling,
                "last_event_at": root.last_event_at,
                "last_reconcile_at": root.last_reconcile_at,
                "present": root.present,
                "missing": root.missing,
                "jobs": root.jobs,
                "suspended_at": root.suspended_at,
                "suspended_photos": root.suspended_photos,
            }
            for root in state.roots
        ],
        "watches_allowed": state.watches_allowed,
        "catalogue_bytes": state.catalogue_bytes,
        "index_bytes": state.index_bytes,
        "text": {"is_read": state.text_is_read, **dataclasses.asdict(state.text)},
    }
