"""The addresses of the API: one table, from which both the routes and the OpenAPI document are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from photoindex import __version__
from photoindex.library.gallery import FILTER_FIELDS, ORDERS, QUEUES
from photoindex.web.api import JOBS, TERM_SOURCES, Api
from photoindex.web.calls import Handler

Schema = dict[str, Any]

_INTEGER: Final[Schema] = {"type": "integer"}
_NUMBER: Final[Schema] = {"type": "number"}
_TEXT: Final[Schema] = {"type": "string"}
_FLAG: Final[Schema] = {"type": "boolean"}
_TEXT_OR_NONE: Final[Schema] = {"type": ["string", "null"]}
_INTEGER_OR_NONE: Final[Schema] = {"type": ["integer", "null"]}
_NUMBER_OR_NONE: Final[Schema] = {"type": ["number", "null"]}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": sorted(properties), "additionalProperties": False}


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _list_of(items: Schema, **more: Schema) -> Schema:
    return _object(items=_array(items), next=_TEXT_OR_NONE, total=_INTEGER_OR_NONE, **more)


_COUNTS: Final = _array(_ref("Count"))
SCHEMAS: Final[dict[str, Schema]] = {
    "Error": _object(error=_object(code=_TEXT, message=_TEXT, advice=_TEXT)),
    "Count": _object(value=_TEXT, photos=_INTEGER),
    "Reason": _object(layer=_TEXT, word=_TEXT, weight=_NUMBER, share=_NUMBER),
    "Hit": _object(
        id=_INTEGER, sha=_TEXT, w=_INTEGER, h=_INTEGER, taken=_TEXT_OR_NONE, thumb=_TEXT, alt=_TEXT, source=_TEXT,
        rating=_INTEGER, favourite=_FLAG, hidden=_FLAG, score=_NUMBER, said=_FLAG, sureness=_NUMBER_OR_NONE,
        why=_array(_ref("Reason")),
    ),
    "Caption": _object(
        text=_TEXT, source=_TEXT, model=_TEXT_OR_NONE, log_probability=_NUMBER_OR_NONE, confidence=_NUMBER_OR_NONE,
        created_at=_TEXT, locked=_FLAG,
    ),
    "Photo": _object(
        id=_INTEGER, sha=_TEXT, bytes=_INTEGER, w=_INTEGER_OR_NONE, h=_INTEGER_OR_NONE, thumb=_TEXT, picture=_TEXT,
        original=_TEXT, alt=_TEXT, caption={"anyOf": [_ref("Caption"), {"type": "null"}]},
        candidates=_array(_ref("Caption")), tags=_array(_TEXT),
        terms=_array(_object(text=_TEXT, weight=_NUMBER, source=_TEXT)), taken=_TEXT_OR_NONE,
        taken_source=_TEXT_OR_NONE, format=_TEXT_OR_NONE, camera=_TEXT_OR_NONE, lens=_TEXT_OR_NONE,
        latitude=_NUMBER_OR_NONE, longitude=_NUMBER_OR_NONE, place=_TEXT_OR_NONE, rating=_INTEGER_OR_NONE,
        favourite=_FLAG, hidden=_FLAG, review=_TEXT_OR_NONE,
        files=_array(_TEXT), missing_files=_array(_TEXT), companions=_array(_object(path=_TEXT, kind=_TEXT)),
    ),
    "Album": _object(
        id=_INTEGER, name=_TEXT, query=_TEXT_OR_NONE, photos=_INTEGER_OR_NONE, thumb=_TEXT_OR_NONE, created_at=_TEXT
    ),
    "Cluster": _object(
        latitude=_NUMBER, longitude=_NUMBER, box=_array(_NUMBER), photos=_INTEGER, id=_INTEGER, thumb=_TEXT
    ),
    "Change": _object(
        edit=_TEXT, kind=_TEXT, old={"type": ["string", "array", "null"]}, new={"type": ["string", "array", "null"]},
        made_at=_TEXT, undone_at=_TEXT_OR_NONE,
    ),
    "Failure": _object(id=_INTEGER, path=_TEXT, kind=_TEXT, message=_TEXT, attempts=_INTEGER, state=_TEXT),
    "Folder": _object(
        path=_TEXT, mode=_TEXT_OR_NONE, watched=_FLAG, present=_INTEGER, missing=_INTEGER, jobs={"type": "object"},
        suspended_photos=_INTEGER_OR_NONE, last_reconcile_at=_TEXT_OR_NONE,
    ),
    "Job": _object(
        id=_INTEGER, kind=_TEXT, query=_TEXT_OR_NONE, state=_TEXT, total=_INTEGER, done=_INTEGER, failed=_INTEGER,
        left=_INTEGER, rate=_NUMBER_OR_NONE, seconds_left=_NUMBER_OR_NONE, created_at=_TEXT,
    ),
    "Duplicate": _object(
        id=_INTEGER, sha=_TEXT, thumb=_TEXT, path=_TEXT, bytes=_INTEGER, w=_INTEGER_OR_NONE, h=_INTEGER_OR_NONE,
        format=_TEXT_OR_NONE, distance=_INTEGER,
    ),
}  # fmt: skip
_CHANGED: Final = _object(changed=_INTEGER)
_IDS: Final = _object(ids=_array(_INTEGER))
_NOTHING: Final = _object()
_EDIT: Final[Schema] = {
    "type": "object",
    "description": "Photos by ids, or all of a search by its set, and what is to be said of them.",
    "properties": {
        "ids": _array(_INTEGER), "set": _TEXT, "caption": _TEXT, "tags": _array(_TEXT), "untags": _array(_TEXT),
        "lock": _FLAG, "clear": _FLAG, "rating": {"type": "integer", "minimum": -1, "maximum": 5},
        "favourite": _FLAG, "hidden": _FLAG, "review": {"type": "string", "enum": ["wrong", "later", ""]},
    },
    "additionalProperties": False,
}  # fmt: skip
_ALBUM: Final[Schema] = {
    "type": "object",
    "description": "A name, and a query, or photos by ids or by the set of a search.",
    "properties": {"name": _TEXT, "query": _TEXT, "ids": _array(_INTEGER), "set": _TEXT},
    "additionalProperties": False,
}
_PHOTOS_OF_ALBUM: Final[Schema] = {
    "type": "object",
    "description": "A name, and photos by ids or by the set of a search.",
    "properties": {"name": _TEXT, "ids": _array(_INTEGER), "set": _TEXT},
    "additionalProperties": False,
}
_CHANGE_OF_ALBUM: Final[Schema] = {
    "type": "object",
    "description": "A name, or photos to take out: by ids, by the set of a search, or those that were added at a time.",
    "properties": {**_PHOTOS_OF_ALBUM["properties"], "added_at": _TEXT},
    "additionalProperties": False,
}
_BATCH: Final[Schema] = {
    "type": "object",
    "properties": {"what": {"type": "string", "enum": list(JOBS)}, "query": _TEXT},
    "required": ["what"],
    "additionalProperties": False,
}
_QUERY: Final = ("q", _TEXT, "A query, in the language of `photoindex search`.")
_REVISION: Final = ("revision", _INTEGER, "Of the timeline; 409 when it has changed since.")
_FILTER: Final = (
    ("folder", _TEXT, "Only photos in this folder or below it."), ("camera", _TEXT, "Only photos of this camera."),
    ("person", _TEXT, "Only photos that name this person."), ("place", _TEXT, "Only photos of this place."),
    ("rating", _INTEGER, "Only photos with so many stars or more."),
)  # fmt: skip
_LIMIT: Final = ("limit", _INTEGER, "How many, 500 at most.")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address below ``/api/v1``. ``media`` of the answer other than JSON has no schema.

    ``by_revision``: the answer depends on the catalogue and the timeline alone, so that their revisions are its ETag.
    """

    method: str
    path: str
    handler: Callable[[Api], Handler] | None  # None: made in app.py, as it is more than a function of a Call
    summary: str
    answer: Schema
    query: tuple[tuple[str, Schema, str], ...] = ()
    body: Schema | None = None
    media: str = "application/json"
    by_revision: bool = False

    @property
    def fields(self) -> frozenset[str]:
        """The fields that a body may have; others are refused."""
        return frozenset(self.body["properties"]) if self.body is not None else frozenset()


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation("GET", "/timeline", lambda api: api.timeline, "The days of all photos, newest first",
              _object(revision=_INTEGER, total=_INTEGER,
                      days=_array(_object(day=_TEXT_OR_NONE, photos=_INTEGER))), _FILTER, by_revision=True),
    Operation("GET", "/timeline/choices", lambda api: api.timeline_choices,
              "What the timeline can be narrowed to, beside what it is narrowed to otherwise",
              _object(**dict.fromkeys(FILTER_FIELDS, _COUNTS)), _FILTER, by_revision=True),
    Operation("GET", "/timeline/shapes", lambda api: api.timeline_shapes,
              "The shapes of all photos in the order of the timeline, a byte each: 128 is a square, 48 more a doubling "
              "of width to height", {}, (_REVISION, *_FILTER), media="application/octet-stream",
              by_revision=True),
    Operation("GET", "/timeline/{key}", lambda api: api.timeline_part,
              "A part of the timeline, as columns; the key is FIRST-COUNT",
              _object(revision=_INTEGER, ids=_array(_INTEGER), hash=_array(_TEXT), aspect=_array(_NUMBER),
                      alt=_array(_TEXT), taken=_array(_TEXT_OR_NONE), favourite=_array(_FLAG),
                      place=_array(_TEXT_OR_NONE)), (_REVISION, *_FILTER), by_revision=True),
    Operation("GET", "/search", lambda api: api.search, "Search, or get a page of a set of results",
              _list_of(_ref("Hit"), set=_TEXT, said=_INTEGER, near_below=_NUMBER, did_you_mean=_array(_TEXT)),
              (_QUERY, ("set", _TEXT, "A set's token, instead of a query."), ("cursor", _TEXT, "`next` of a page."),
               _LIMIT, ("sort", {"type": "string", "enum": list(ORDERS)}, "The order; best first by default."))),
    Operation("GET", "/sets/{token}/facets", lambda api: api.set_facets, "What the photos of a set have in common",
              _object(years=_COUNTS, places=_COUNTS, cameras=_COUNTS, folders=_COUNTS, tags=_COUNTS,
                      people=_COUNTS)),
    Operation("GET", "/sets/{token}/ids", lambda api: api.set_ids, "The ids of all photos of a set, best first",
              _list_of(_INTEGER)),
    Operation("GET", "/complete", lambda api: api.complete, "What the last word of a query may become",
              _list_of(_TEXT), (_QUERY,)),
    Operation("GET", "/terms", lambda api: api.terms, "Tags with keywords, names of people, or labels of the model",
              _list_of(_ref("Count")),
              (("source", {"type": "string", "enum": list(TERM_SOURCES)}, "Tags by default."), _LIMIT),
              by_revision=True),
    Operation("GET", "/photos/{id}", lambda api: api.photo, "Everything known of a photo", _ref("Photo")),
    Operation("GET", "/photos/{id}/why", lambda api: api.why, "Why a query finds a photo",
              _list_of(_ref("Reason"), sureness=_NUMBER_OR_NONE), (_QUERY,)),
    Operation("GET", "/photos/{id}/similar", lambda api: api.similar, "The photos most like one",
              _list_of(_ref("Hit"))),
    Operation("GET", "/photos/{id}/history", lambda api: api.history, "What people changed of a photo",
              _list_of(_ref("Change")), by_revision=True),
    Operation("GET", "/photos/{id}/original", None, "The file, as a download; a single range is answered", {},
              media="application/octet-stream"),
    Operation("GET", "/t/{name}", None,
              "A thumbnail; the name is SHA256-SIZE.jpg, the size 240, 480 or 1600, or 8192 for the photo's own pixels",
              {}, media="image/jpeg"),
    Operation("POST", "/photos/present", lambda api: api.present,
              "Which of these photos have a file, and which of those are hidden",
              _list_of(_INTEGER, hidden=_array(_INTEGER)), body=_IDS),
    Operation("PATCH", "/photos", lambda api: api.edit, "Say what photos show",
              _object(edit=_TEXT, changed=_INTEGER), body=_EDIT),
    Operation("POST", "/edits/undo", lambda api: api.undo, "Undo an edit, of all photos not edited again since",
              _object(undone=_array(_INTEGER), changed=_INTEGER), body=_object(edit=_TEXT)),
    Operation("GET", "/review", lambda api: api.review, "Photos to review, and how often the model was right",
              _list_of(_INTEGER, kept=_INTEGER, corrected=_INTEGER, wrong=_INTEGER),
              (("queue", {"type": "string", "enum": list(QUEUES)}, "Which photos."),
               ("q", _TEXT, "What the queue `search` is of."), _LIMIT)),
    Operation("GET", "/failures", lambda api: api.failures, "Files that could not be captioned",
              _list_of(_ref("Failure"))),
    Operation("POST", "/failures/retry", lambda api: api.retry_failures, "Queue failed files again", _CHANGED,
              body=_IDS),
    Operation("POST", "/failures/ignore", lambda api: api.ignore_failures, "Stop reporting files until they change",
              _CHANGED, body=_IDS),
    Operation("GET", "/status", lambda api: api.status, "The state of the library",
              _object(photos=_INTEGER, captioned=_INTEGER, searchable=_INTEGER, waiting_for_index=_INTEGER,
                      jobs={"type": "object"}, folders=_array(_ref("Folder")), catalogue_bytes=_INTEGER,
                      index_bytes=_INTEGER, read_only=_FLAG, version=_TEXT)),
    Operation("GET", "/folders", lambda api: api.folders, "The folders of the library", _list_of(_ref("Folder"))),
    Operation("GET", "/jobs", lambda api: api.jobs, "Batches of photos that are captioned again",
              _list_of(_ref("Job"))),
    Operation("POST", "/jobs/plan", lambda api: api.plan_job, "Count what a batch would caption again",
              _object(photos=_INTEGER, by_model=_COUNTS, seconds=_NUMBER_OR_NONE), body=_BATCH),
    Operation("POST", "/jobs", lambda api: api.queue_job,
              "Queue a batch: a watch, or the next index or reindex, works it off",
              _object(id=_INTEGER_OR_NONE, photos=_INTEGER), body=_BATCH),
    Operation("POST", "/jobs/{id}", lambda api: api.change_job, "Pause, resume or cancel a batch", _CHANGED,
              body=_object(action={"type": "string", "enum": ["pause", "resume", "cancel"]})),
    Operation("GET", "/duplicates", lambda api: api.duplicates, "Photos that are there more than once",
              _list_of(_array(_ref("Duplicate"))),
              (("near", _INTEGER, "Bits in which look-alikes may differ, 0 to 15; none: copies only."),
               ("decided", {"type": "string", "enum": ["no", "yes"]}, "`yes`: those said to be no duplicates."))),
    Operation("POST", "/duplicates/decide", lambda api: api.decide_duplicates,
              "Say that photos are no duplicates of each other, or take it back", _CHANGED,
              body=_object(ids=_array(_INTEGER), distinct=_FLAG)),
    Operation("GET", "/albums", lambda api: api.albums, "The albums: picked photos, or saved searches",
              _list_of(_ref("Album")), by_revision=True),
    Operation("POST", "/albums", lambda api: api.make_album, "Make an album", _ref("Album"), body=_ALBUM),
    Operation("POST", "/albums/fill", lambda api: api.fill_album,
              "Add photos to the album of a name, which is made if there is none",
              _object(id=_INTEGER, changed=_INTEGER, added_at=_TEXT), body=_PHOTOS_OF_ALBUM),
    Operation("GET", "/albums/{id}", lambda api: api.album, "The photos of an album",
              _list_of(_ref("Hit"), id=_INTEGER, name=_TEXT, query=_TEXT_OR_NONE, set=_TEXT),
              (("cursor", _TEXT, "`next` of a page."), _LIMIT)),
    Operation("GET", "/albums/{id}/sheet", None,
              "The contact sheet of an album: its first 5,000 photos with their pictures, as one HTML file", {},
              media="text/html"),
    Operation("POST", "/albums/{id}", lambda api: api.change_album, "Rename an album, or take photos out of it",
              _CHANGED, body=_CHANGE_OF_ALBUM),
    Operation("POST", "/albums/{id}/delete", lambda api: api.delete_album,
              "Take an album away; its photos stay, and the answer is what makes it again",
              _object(name=_TEXT, query=_TEXT_OR_NONE, ids=_array(_INTEGER)), body=_NOTHING),
    Operation("GET", "/map", lambda api: api.map, "Photos with a position, those near each other together",
              _list_of(_ref("Cluster"), photos=_INTEGER, located=_INTEGER),
              (("box", _TEXT, "west,south,east,north in degrees; the world by default."),
               ("across", _INTEGER, "Cells to the width of the box, 1 to 128.")), by_revision=True),
    Operation("GET", "/stats", lambda api: api.stats, "What the library holds",
              _object(photos=_INTEGER, hidden=_INTEGER, bytes=_INTEGER, undated=_INTEGER, years=_COUNTS, months=_COUNTS,
                      cameras=_COUNTS, formats=_COUNTS, places=_COUNTS, folders=_COUNTS, tags=_COUNTS,
                      people=_COUNTS, labels=_COUNTS),
              by_revision=True),
    Operation("GET", "/events", None, "A stream of events: `changed` whenever the library has changed", {},
              media="text/event-stream"),
    Operation("GET", "/health", lambda api: api.health, "Whether the server answers; needs no session",
              _object(status=_TEXT, version=_TEXT, python=_TEXT)),
    Operation("POST", "/login", None, "Begin a session by the password", _object(status=_TEXT),
              body=_object(password=_TEXT)),
    Operation("POST", "/logout", None, "End the session", _object(status=_TEXT), body=_NOTHING),
)  # fmt: skip


def openapi(root: str, cookie: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the API."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "photoindex", "version": __version__, "license": {"name": "Apache-2.0"}},
        "servers": [{"url": f"{root}/api/v1"}],
        "security": [{"session": []}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"session": {"type": "apiKey", "in": "cookie", "name": cookie}},
        },
    }


def _described(operation: Operation) -> dict[str, Any]:
    names = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _INTEGER if name == "id" else _TEXT} for name in names
    ]
    parameters += [
        {"name": name, "in": "query", "schema": schema, "description": description}
        for name, schema, description in operation.query
    ]
    content = {operation.media: {"schema": operation.answer} if operation.answer else {}}
    found: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": f"{operation.method.lower()}{operation.path.title().translate(_NO_SIGNS)}",
        "parameters": parameters,
        "responses": {
            "200": {"description": "Done", "content": content},
            "default": {"description": "Refused", "content": {"application/json": {"schema": _ref("Error")}}},
        },
    }
    if operation.body is not None:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": operation.body}}}
    if operation.path in ("/health", "/login"):
        found["security"] = []
    return found


_NO_SIGNS: Final = str.maketrans("", "", "/{}-")
