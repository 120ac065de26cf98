"""The JSON API: what each address answers. The table of addresses, with their descriptions, is in operations.py."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from photoindex import __version__
from photoindex.errors import QueryError
from photoindex.library.gallery import (
    NEAR,
    ORDERS,
    QUEUES,
    Gallery,
    ResultSet,
    ReviewQueue,
    SetOrder,
    Timeline,
)
from photoindex.system.paths import printable
from photoindex.web import calls, forms
from photoindex.web.calls import Call
from photoindex.web.guard import Site
from photoindex.web.problems import Problem, bad_value, not_found
from photoindex.web.query_parts import query_of
from photoindex.web.timeline_filter import filter_of

if TYPE_CHECKING:
    from photoindex.library.gallery import What

PAGE: Final = 60
MOST_ITEMS: Final = 500
TERM_SOURCES: Final = ("tags", "people", "labels")
JOBS: Final = ("stale", "all", "failed")  # what a batch captions again


class Api:
    """The answers, over one gallery. Each method takes a :class:`Call`, and returns what is written as JSON."""

    def __init__(self, gallery: Gallery, site: Site) -> None:
        self._gallery = gallery
        self._site = site
        self._root = site.root

    # ---- lists ---------------------------------------------------------------------------------------

    def timeline(self, call: Call) -> Any:
        timeline = self._timeline(call)
        days = [{"day": day, "photos": count} for day, count in timeline.days()]
        return {"revision": timeline.snapshot.revision, "total": timeline.count, "days": days}

    def timeline_shapes(self, call: Call) -> bytes:
        return self._of_revision(call).shapes()

    def timeline_choices(self, call: Call) -> Any:
        return {name: forms.counted(pairs) for name, pairs in self._timeline(call).choices.items()}

    def timeline_part(self, call: Call) -> Any:
        first, dash, count = call.path["key"].partition("-")
        if not dash:
            raise not_found()
        timeline = self._of_revision(call)
        shown = self._gallery.rows(
            timeline, calls.whole("key", first, 0, 2**31), calls.whole("key", count, 1, MOST_ITEMS)
        )
        return {
            "revision": timeline.snapshot.revision,
            "ids": [photo.id for photo in shown],
            "hash": [photo.content_hash for photo in shown],
            "aspect": [round(photo.width / photo.height, 4) if photo.width and photo.height else 1.3333
                       for photo in shown],
            "alt": [photo.caption for photo in shown],
            "taken": [photo.taken for photo in shown],
            "favourite": [photo.favourite for photo in shown],
            "place": [photo.place for photo in shown],
        }  # fmt: skip

    def _timeline(self, call: Call) -> Timeline:
        return self._gallery.narrowed(filter_of(call))

    def _of_revision(self, call: Call) -> Timeline:
        timeline = self._timeline(call)
        revision = timeline.snapshot.revision
        if call.whole("revision", revision, 0, 2**62) != revision:
            raise Problem(409, "revision", "the timeline has changed", "ask for /api/v1/timeline again")
        return timeline

    def search(self, call: Call) -> Any:
        """Search, or give a page of a set that a search made."""
        token, order = call.query.get("set", ""), cast(SetOrder, call.choice("sort", ORDERS, "best"))
        first = call.whole("cursor", 0, 0, 2**31)
        limit = call.whole("limit", PAGE, 1, MOST_ITEMS)
        found = self._gallery.result_set(token) if token else self._find(call)
        items = self._gallery.page(found, order, first, limit)
        following = str(first + limit) if first + limit < found.total else None
        shown = [forms.shown_photo(self._root, photo, self._gallery, found.query) for photo in items]
        return {
            **forms.listed(shown, found.total, following),
            "set": found.token,
            "said": found.said_total,
            "near_below": NEAR,
            "did_you_mean": [] if token or found.said_total else self._gallery.suggest(found.query),
        }

    def _find(self, call: Call) -> ResultSet:
        return self._gallery.find(self._query(call))

    def _query(self, call: Call) -> str:
        query = query_of(call)
        if not query:
            raise QueryError("name something to search for")
        return query

    def terms(self, call: Call) -> Any:
        """Words of the library, the most frequent first."""
        source = call.choice("source", TERM_SOURCES, TERM_SOURCES[0])
        marks = getattr(self._gallery.timeline(), source)
        return forms.listed(forms.counted(marks.counts(None, call.whole("limit", PAGE, 1, MOST_ITEMS))))

    def set_facets(self, call: Call) -> Any:
        found = self._gallery.facets(self._gallery.result_set(call.path["token"]))
        return {name: forms.counted(pairs) for name, pairs in found.items()}

    def set_ids(self, call: Call) -> Any:
        return forms.listed(self._gallery.result_set(call.path["token"]).ids.tolist())

    def complete(self, call: Call) -> Any:
        return forms.listed(self._gallery.complete(call.query.get("q", "")))

    # ---- one photo -----------------------------------------------------------------------------------

    def photo(self, call: Call) -> Any:
        return forms.whole_photo(self._root, self._gallery.photo(call.number("id")))

    def why(self, call: Call) -> Any:
        query, photo = self._query(call), self._gallery.photo(call.number("id"))
        caption = photo.caption.text if photo.caption else ""
        matched = self._gallery.why(photo.id, query) or ()
        sure = self._gallery.sureness(query, {photo.id: matched}).get(photo.id) if matched else None
        reasons = forms.reasons(self._gallery, matched, query, caption)
        return {**forms.listed(reasons), "sureness": forms.rounded(sure)}

    def similar(self, call: Call) -> Any:
        found = self._gallery.find_similar(call.number("id"))
        shown = self._gallery.page(found, "best", 0, PAGE)
        return forms.listed([forms.shown_photo(self._root, photo, self._gallery, "") for photo in shown])

    def history(self, call: Call) -> Any:
        return forms.listed([forms.correction(change) for change in self._gallery.history(call.number("id"))])

    def present(self, call: Call) -> Any:
        present, hidden = self._gallery.present(calls.numbers(call.body, "ids"))
        return {**forms.listed(present), "hidden": hidden}

    # ---- changes -------------------------------------------------------------------------------------

    def edit(self, call: Call) -> Any:
        ids = self._chosen(call)
        if not ids:
            raise bad_value("ids", "a list of photos' ids, or set the token of a search")
        from photoindex.library.gallery import Edit  # it needs SQLAlchemy, which is imported behind the first answer

        change = Edit(
            caption=calls.text(call.body, "caption"),
            tags=calls.texts(call.body, "tags"),
            untags=calls.texts(call.body, "untags"),
            clear=bool(calls.switch(call.body, "clear")),
            lock=calls.switch(call.body, "lock"),
            rating=calls.number_or_none(call.body, "rating", -1, 5),
            favourite=calls.switch(call.body, "favourite"),
            hidden=calls.switch(call.body, "hidden"),
            review=cast(Any, calls.text(call.body, "review")),
        )
        name, changed = self._gallery.edit(ids, change)
        return {"edit": name, "changed": changed}

    def _chosen(self, call: Call) -> list[int]:
        """Return the photos that a body names, by ids or by the set of a search. Raises :class:`.problems.Problem` for
        both: which of them is meant, nobody knows."""
        token = calls.text(call.body, "set")
        if token is None:
            return calls.numbers(call.body, "ids")
        if "ids" in call.body:
            raise bad_value("ids", "left out with a set: name photos by ids or by the set of a search")
        found: list[int] = self._gallery.result_set(token).ids.tolist()
        return found

    def undo(self, call: Call) -> Any:
        name = calls.text(call.body, "edit")
        if not name:
            raise bad_value("edit", "the name of an edit")
        undone = self._gallery.undo(name)
        return {"undone": undone, "changed": len(undone)}

    # ---- the state of things -------------------------------------------------------------------------

    def failures(self, _call: Call) -> Any:
        return forms.listed(
            [
                {"id": failed.id, "path": printable(failed.path), "kind": failed.kind, "message": failed.message,
                 "attempts": failed.attempts, "state": failed.state}
                for failed in self._gallery.failures()
            ]
        )  # fmt: skip

    def retry_failures(self, call: Call) -> Any:
        return {"changed": self._gallery.retry_failures(self._failed(call))}

    def ignore_failures(self, call: Call) -> Any:
        return {"changed": self._gallery.ignore_failures(self._failed(call))}

    def _failed(self, call: Call) -> Sequence[int]:
        ids = calls.numbers(call.body, "ids")
        if not ids:
            raise bad_value("ids", "a list of failures' ids")
        return ids

    def status(self, _call: Call) -> Any:
        state = self._gallery.status()
        return {
            "photos": state.photos,
            "captioned": state.captioned,
            "searchable": state.searchable,
            "waiting_for_index": state.waiting_for_index,
            "jobs": state.jobs,
            "folders": self._folders(state.roots),
            "catalogue_bytes": state.catalogue_bytes,
            "index_bytes": state.index_bytes,
            "read_only": self._site.read_only,
            "version": __version__,
        }

    def folders(self, _call: Call) -> Any:
        return forms.listed(self._folders(self._gallery.status().roots))

    def _folders(self, roots: Sequence[Any]) -> list[dict[str, Any]]:
        return [
            {
                "path": printable(root.path),
                "mode": root.mode,
                "watched": root.watcher is not None and root.watcher.runs is not False,
                "present": root.present,
                "missing": root.missing,
                "jobs": root.jobs,
                "suspended_photos": root.suspended_photos,
                "last_reconcile_at": root.last_reconcile_at.isoformat() if root.last_reconcile_at else None,
            }
            for root in roots
        ]

    def jobs(self, _call: Call) -> Any:
        return forms.listed(
            [
                {
                    "id": batch.id, "kind": batch.kind, "query": batch.query, "state": batch.state,
                    "total": batch.total, "done": batch.done, "failed": batch.failed, "left": batch.left,
                    "rate": batch.rate, "seconds_left": batch.seconds_left, "created_at": batch.created_at.isoformat(),
                }
                for batch in self._gallery.batches()
            ]
        )  # fmt: skip

    def plan_job(self, call: Call) -> Any:
        plan = self._gallery.batch_planner.plan(*self._wanted_batch(call))
        models = [{"value": name, "photos": count} for name, count in plan.by_model.items()]
        return {"photos": plan.photos, "by_model": models, "seconds": plan.seconds}

    def queue_job(self, call: Call) -> Any:
        number, count = self._gallery.batch_planner.queue(*self._wanted_batch(call))
        return {"id": number, "photos": count}

    def _wanted_batch(self, call: Call) -> tuple[What, str | None]:
        what = calls.text(call.body, "what")
        if what not in JOBS:
            raise bad_value("what", f"one of {', '.join(JOBS)}")
        query = (calls.text(call.body, "query") or "").strip()
        if query and what == "failed":
            raise bad_value("query", "left out: failed photos have no captions to find them by")
        return cast("What", what), query or None

    def change_job(self, call: Call) -> Any:
        action = calls.text(call.body, "action")
        if action not in ("pause", "resume", "cancel"):
            raise bad_value("action", "one of pause, resume, cancel")
        self._gallery.change_batch(call.number("id"), action)
        return {"changed": 1}

    def duplicates(self, call: Call) -> Any:
        near = call.whole("near", -1, -1, 15)
        decided = call.choice("decided", ("no", "yes"), "no") == "yes"
        groups = self._gallery.duplicates(None if near < 0 else near, decided=decided)
        return forms.listed([[forms.duplicate(self._root, file) for file in group] for group in groups])

    def decide_duplicates(self, call: Call) -> Any:
        distinct = calls.switch(call.body, "distinct")
        if distinct is None:
            raise bad_value("distinct", "true or false")
        return {"changed": self._gallery.albums.set_distinct(calls.numbers(call.body, "ids"), distinct)}

    def stats(self, _call: Call) -> Any:
        counts = self._gallery.counts()
        return {
            "photos": counts.photos,
            "hidden": counts.hidden,
            "bytes": counts.bytes,
            "undated": counts.undated,
            **{
                name: forms.counted(getattr(counts, name))
                for name in ("years", "months", "cameras", "formats", "places", "folders", "tags", "people", "labels")
            },
        }

    def review(self, call: Call) -> Any:
        queue = cast(ReviewQueue, call.choice("queue", QUEUES, "unsure"))
        most = call.whole("limit", PAGE, 1, MOST_ITEMS)
        kept, corrected, wrong = self._gallery.reviewed()
        ids = self._gallery.review_queue(most, queue, self._query(call) if queue == "search" else "")
        return {**forms.listed(ids), "kept": kept, "corrected": corrected, "wrong": wrong}

    # ---- albums and the map --------------------------------------------------------------------------

    def albums(self, _call: Call) -> Any:
        return forms.listed([forms.album(self._root, each) for each in self._gallery.albums.all()])

    def album(self, call: Call) -> Any:
        number = call.number("id")
        album, found = self._gallery.album(number)
        first, limit = call.whole("cursor", 0, 0, 2**31), call.whole("limit", PAGE, 1, MOST_ITEMS)
        items = self._gallery.page(found, "best", first, limit)
        following = str(first + limit) if first + limit < found.total else None
        shown = [forms.shown_photo(self._root, photo, self._gallery, found.query) for photo in items]
        named = {"id": album.id, "name": album.name, "query": album.query, "set": found.token}
        return {**forms.listed(shown, found.total, following), **named}

    def make_album(self, call: Call) -> Any:
        name, query = calls.text(call.body, "name") or "", calls.text(call.body, "query")
        ids = self._chosen(call)
        if query is not None and (ids or call.body.get("set") is not None):
            raise bad_value("query", "left out with ids or a set: an album holds picked photos or what a query finds")
        return forms.album(self._root, self._gallery.albums.add(name, query, ids))

    def fill_album(self, call: Call) -> Any:
        """Add photos to the album of a name, which is made if there is none."""
        album, added, at = self._gallery.albums.put_at(calls.text(call.body, "name") or "", self._chosen(call))
        return {"id": album.id, "changed": added, "added_at": at.isoformat()}

    def change_album(self, call: Call) -> Any:
        number, name = call.number("id"), calls.text(call.body, "name")
        added_at = calls.moment(call.body, "added_at")
        names_photos = bool(call.body.get("ids")) or call.body.get("set") is not None
        if name is not None:
            if names_photos or added_at is not None:
                raise bad_value("name", "left out with ids or a set: an album is renamed, or photos are taken out")
            self._gallery.albums.rename(number, name)
            return {"changed": 1}
        if added_at is not None:
            if names_photos:
                raise bad_value("added_at", "left out with ids or a set: it names photos by itself")
            return {"changed": self._gallery.albums.remove_added(number, added_at)}
        return {"changed": self._gallery.albums.remove(number, self._chosen(call))}

    def delete_album(self, call: Call) -> Any:
        album, ids = self._gallery.albums.delete(call.number("id"))
        return {"name": album.name, "query": album.query, "ids": ids}

    def map(self, call: Call) -> Any:
        box = calls.box(call.query.get("box", "-180,-90,180,90"))
        found = self._gallery.places(*box, call.whole("across", 24, 1, 128))
        return {
            **forms.listed([forms.cluster(self._root, each) for each in found.clusters]),
            "photos": found.photos,
            "located": found.located,
        }

    def health(self, _call: Call) -> Any:
        return {"status": "ok", "version": __version__, "python": platform.python_version()}
