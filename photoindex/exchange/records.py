"""The lines of an export: the fields of each kind, writing them, and reading lines from an untrusted source.

Every line is a JSON object with ``"photoindex_export": 1`` and a ``"kind"``: ``library`` (the roots), ``model`` (what
captions and term vectors are by), ``photo``, ``album`` or ``distinct`` (photos that are no duplicates).
docs/corrections.md describes every field. Times are ISO 8601 with an offset,
 but for ``facts.taken_at``, which is the camera's. Paths are text; bytes that are no UTF-8 are lone surrogates,
as Python's "surrogateescape" has it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast, get_args

from photoindex.catalogue.corrections import KINDS, is_value
from photoindex.catalogue.user_metadata import Review
from photoindex.errors import ExchangeError
from photoindex.exchange.record_fields import RecordFields, short
from photoindex.types import CaptionSource
from photoindex.types.text import BOX_UNITS

VERSION = 1
KEY = "photoindex_export"
_SHA256 = re.compile(r"[0-9a-f]{64}")
MOST_LINES = 10_000  # of text in one photo; more than any reader gives
# Characters that the catalogue keeps of each. A text that is cut could become equal to another one.
_LONGEST_IDENTITY, _LONGEST_EDIT, _LONGEST_SOURCE = 1_000, 32, 16


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A path that holds a photo, or held it until ``missing_since``."""

    root: str
    path: str
    bytes: int
    mtime_ns: int
    missing_since: datetime | None


@dataclass(frozen=True, slots=True)
class CaptionRecord:
    """A caption, current or earlier. ``model`` is the identity of the model that made it."""

    text: str
    source: CaptionSource
    rank: int
    current: bool
    locked: bool
    model: str | None
    log_probability: float | None
    settings: str | None
    created_at: datetime
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class TermRecord:
    """A weighted word from any source but the user's tags."""

    text: str
    weight: float
    source: str


@dataclass(frozen=True, slots=True)
class CorrectionRecord:
    """A change that a user made, as the catalogue stores it."""

    edit: str
    kind: str
    old: str | None
    new: str | None
    made_at: datetime
    undone_at: datetime | None


@dataclass(frozen=True, slots=True)
class VectorRecord:
    """The learned terms of a photo: packed ids and impacts over the vocabulary of ``model``."""

    model: str
    entries: bytes


@dataclass(frozen=True, slots=True)
class TextLineRecord:
    """A line of text that was read in the photo. ``box`` has the corners, as :class:`photoindex.types.TextLine` has
    them."""

    text: str
    confidence: float
    box: tuple[int, ...]
    block: int


@dataclass(frozen=True, slots=True)
class TextRecord:
    """What a version of the reader of text found in a photo; ``closely`` is false where it only glanced at it."""

    reader: int
    closely: bool
    lines: tuple[TextLineRecord, ...]


@dataclass(frozen=True, slots=True)
class LibraryRecord:
    """The folders of the exported library, and the number of photo lines that follow."""

    roots: tuple[str, ...]
    photos: int


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model that made captions or vectors. ``terms`` are the words of its vectors."""

    identity: str
    name: str
    encoder: str
    first_used_at: datetime
    terms: tuple[str, ...] | None
    term_scale: float | None


@dataclass(frozen=True, slots=True)
class PhotoRecord:
    """Everything the catalogue knows about one photo. ``facts`` holds columns of the table ``photo``, by name."""

    sha256: str
    bytes: int
    added_at: datetime
    facts: Mapping[str, Any]
    files: tuple[FileRecord, ...]
    captions: tuple[CaptionRecord, ...]
    tags: tuple[str, ...]
    terms: tuple[TermRecord, ...]
    vector: VectorRecord | None
    corrections: tuple[CorrectionRecord, ...]
    own_rating: int | None = None
    favourite: bool = False
    hidden: bool = False
    review: Review | None = None
    text: TextRecord | None = None


@dataclass(frozen=True, slots=True)
class AlbumRecord:
    """An album, or a part of a large one: its name, the query of a saved search, and the contents of picked photos."""

    name: str
    query: str | None
    created_at: datetime
    photos: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DistinctRecord:
    """Two contents that a user said are no duplicates; twice the same: its copies are wanted."""

    photos: tuple[str, str]
    made_at: datetime


Record = LibraryRecord | ModelRecord | PhotoRecord | AlbumRecord | DistinctRecord


_KINDS: Final[dict[type[Record], str]] = {
    LibraryRecord: "library", ModelRecord: "model", PhotoRecord: "photo", AlbumRecord: "album",
    DistinctRecord: "distinct",
}  # fmt: skip


def to_line(record: Record) -> bytes:
    """Return a record as one line of ASCII with a line break. Equal records give equal lines."""
    value = {KEY: VERSION, "kind": _KINDS[type(record)], **_plain(record)}
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def _plain(value: Any) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return value


def from_line(line: bytes) -> Record:
    """Return the record of a line. Raises :class:`ExchangeError`, which names the field that is wrong."""
    try:
        value = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ExchangeError(f"not JSON ({error})") from error
    if not isinstance(value, dict) or KEY not in value:
        raise ExchangeError(f'not a line of an export (no "{KEY}")')
    if value[KEY] != VERSION or isinstance(value[KEY], bool):
        raise ExchangeError(f"written as version {short(value[KEY])}, this photoindex reads {VERSION}: upgrade it")
    fields, kind = RecordFields(value, ""), value.get("kind")
    if kind == "library":
        return _library(fields)
    if kind == "model":
        return _model(fields)
    if kind == "photo":
        return _photo(fields)
    if kind == "album":
        name, query = fields.text("name"), fields.optional_text("query")
        return AlbumRecord(name, query, fields.time("created_at"), _hashes(fields))
    if kind == "distinct":
        pair = _hashes(fields)
        if len(pair) != 2:
            raise ExchangeError("photos must be two hashes")
        return DistinctRecord((pair[0], pair[1]), fields.time("made_at"))
    raise ExchangeError(f"of the unknown kind {short(kind)}")


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _hashes(fields: RecordFields) -> tuple[str, ...]:
    found = fields.texts("photos")
    if not all(map(_SHA256.fullmatch, found)):
        raise ExchangeError("photos must be hashes of 64 hexadecimal digits")
    return found


def _library(fields: RecordFields) -> LibraryRecord:
    return LibraryRecord(fields.texts("roots", path=True), fields.number("photos"))


def _model(fields: RecordFields) -> ModelRecord:
    terms = fields.texts("terms") if fields.has("terms") else None
    if terms is not None and (len(terms) > 1 << 16 or any("\n" in term for term in terms)):
        raise ExchangeError("terms must be at most 65,536 words without line breaks")
    scale = fields.real("term_scale", optional=True)
    if scale is not None and scale <= 0:
        raise ExchangeError("term_scale must be above 0")
    return ModelRecord(
        fields.text("identity", _LONGEST_IDENTITY),
        fields.text("name"),
        fields.text("encoder"),
        fields.time("first_used_at"),
        terms,
        scale,
    )


def _photo(fields: RecordFields) -> PhotoRecord:
    sha256 = fields.text("sha256")
    if not _SHA256.fullmatch(sha256):
        raise ExchangeError("sha256 must be 64 hexadecimal digits")
    captions = tuple(_caption(row) for row in fields.rows("captions"))
    if sum(caption.locked for caption in captions) > 1:
        raise ExchangeError("captions: more than one is locked")
    if sum(caption.current for caption in captions if caption.source == "user") > 1:
        raise ExchangeError("captions: more than one of the source user is current")
    vector = RecordFields(fields.object("vector"), "vector.") if fields.has("vector") else None
    return PhotoRecord(
        sha256,
        fields.number("bytes"),
        fields.time("added_at"),
        fields.object("facts"),
        tuple(
            FileRecord(
                row.path("root"), row.path("path"), row.number("bytes"), row.number("mtime_ns"),
                row.optional_time("missing_since"),
            )
            for row in fields.rows("files")
        ),
        captions,
        fields.texts("tags"),
        tuple(
            TermRecord(row.text("text"), cast(float, row.real("weight")), row.text("source", _LONGEST_SOURCE))
            for row in fields.rows("terms")
        ),
        None if vector is None else VectorRecord(vector.text("model", _LONGEST_IDENTITY), vector.base64("entries")),
        tuple(_correction(row) for row in fields.rows("corrections")),
        fields.stars("own_rating"),
        fields.flag("favourite"),
        fields.flag("hidden"),
        fields.review("review"),
        _text(RecordFields(fields.object("text"), "text.")) if fields.has("text") else None,
    )  # fmt: skip


def _text(fields: RecordFields) -> TextRecord:
    lines = tuple(
        TextLineRecord(
            row.text("text"), cast(float, row.real("confidence")), row.numbers("box", 8, BOX_UNITS), row.number("block")
        )
        for row in fields.rows("lines")
    )
    if any(not 0 <= line.confidence <= 1 or line.block >= 2**31 for line in lines):
        raise ExchangeError("text.lines: a confidence must be from 0 to 1, a block below 2^31")
    reader = fields.number("reader")
    if not 0 < reader < 2**31 or len(lines) > MOST_LINES:
        raise ExchangeError(f"text.reader must be above 0, and at most {MOST_LINES:,} lines are read")
    return TextRecord(reader, fields.flag("closely"), lines)


def _caption(row: RecordFields) -> CaptionRecord:
    source = row.text("source")
    if source not in get_args(CaptionSource):
        raise ExchangeError(f"a caption's source must be user, sidecar, text or model, not {short(source)}")
    confidence = row.real("confidence", optional=True)
    if confidence is not None and not 0 <= confidence <= 1:
        raise ExchangeError(f"a caption's confidence must be from 0 to 1, not {short(confidence)}")
    return CaptionRecord(
        row.text("text"),
        cast(CaptionSource, source),
        row.number("rank"),
        row.flag("current"),
        row.flag("locked"),
        row.optional_text("model", _LONGEST_IDENTITY),
        row.real("log_probability", optional=True),
        row.optional_text("settings"),
        row.time("created_at"),
        confidence,
    )


def _correction(row: RecordFields) -> CorrectionRecord:
    kind, old, new = row.text("kind"), row.optional_text("old"), row.optional_text("new")
    if kind not in KINDS:
        raise ExchangeError(f"a correction's kind must be one of {', '.join(KINDS)}, not {short(kind)}")
    for text in (old, new):
        if text is not None and not is_value(kind, text):
            raise ExchangeError(f"a correction of {kind} holds {short(text)}")
    return CorrectionRecord(
        row.text("edit", _LONGEST_EDIT), kind, old, new, row.time("made_at"), row.optional_time("undone_at")
    )
