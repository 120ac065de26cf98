"""The pages: what each template is filled with. They are whole without scripts, but for changes."""

from __future__ import annotations

import dataclasses
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlencode

from photoindex import __version__
from photoindex.errors import FolderError, QueryError, ResultSetGone
from photoindex.library import lines_with, read_words
from photoindex.library.gallery import (
    NEAR,
    ORDERS,
    QUEUES,
    Gallery,
    ResultSet,
    ReviewQueue,
    SetOrder,
    ShownPhoto,
    caption_pieces,
)
from photoindex.system.paths import printable, shown
from photoindex.system.units import counted, human_seconds, human_size
from photoindex.types.hit import Matched
from photoindex.web import forms, opened_from
from photoindex.web.access import Access
from photoindex.web.calls import Call
from photoindex.web.guard import Site
from photoindex.web.opened_from import OpenedFrom
from photoindex.web.problems import Problem, bad_value
from photoindex.web.query_parts import chips, condition, parts_of, query_of, with_more
from photoindex.web.settings_page import setting_rows
from photoindex.web.static import StaticFiles

if TYPE_CHECKING:
    import jinja2

TEMPLATES: Final = Path(__file__).parent / "templates"
PAGE: Final = 60
TYPED_PAGE: Final = 24  # what a window holds; the rest follows when no further letter does
REVIEWED: Final = 100
GROUPS: Final = 60  # of duplicates on a page
BARS: Final = 12
ORDER_NAMES: Final = {
    "best": "Best first", "newest": "Newest first", "oldest": "Oldest first", "added": "Last added", "rating": "Rating"
}  # fmt: skip
# What a person calls the layers that a photo is found by, and the colour that stands for each.
LAYERS: Final = {
    "caption": ("caption", "caption"),
    "beams": ("another caption of the model", "caption"),
    "labels": ("object label", "label"),
    "kinds": ("kind of object", "label"),
    "terms": ("learned word", "learned"),
    "tags": ("your tag", "yours"),
    "person": ("your own words", "yours"),
    "people": ("person", "written"),
    "title": ("title", "written"),
    "place": ("place", "written"),
    "names": ("file or folder name", "written"),
    "camera": ("camera", "written"),
    "lens": ("lens", "written"),
    "text": ("text in the photo", "written"),
    "unsure_text": ("text in the photo, perhaps", "written"),
}
# What the file says, and the field of a query for it.
WRITTEN: Final = {"keyword": "tag", "person": "person", "place": "place", "title": "title"}
NAVIGATION: Final = (
    ("timeline", "", "Timeline"),
    ("albums", "albums", "Albums"),
    ("map", "map", "Map"),
    ("review", "review", "Review"),
    ("duplicates", "duplicates", "Duplicates"),
    ("stats", "stats", "Statistics"),
    ("failures", "failures", "Failures"),
    ("jobs", "jobs", "Jobs and status"),
    ("about", "about", "About the model"),
    ("settings", "settings", "Settings"),
)
QUEUE_NAMES: Final = {
    "unsure": "Least sure", "newest": "Newest", "later": "Put off", "wrong": "Wrong", "search": "A search",
}  # fmt: skip
TAKEN_SOURCES: Final = {
    "exif": "by the camera", "xmp": "by its XMP", "iptc": "by its IPTC", "takeout": "by Google Takeout",
    "name": "by the file's name", "mtime": "by the file's time",
}  # fmt: skip


class Pages:
    """The pages of one gallery. Each method takes a :class:`Call`, and returns a template's name and what fills it."""

    def __init__(self, gallery: Gallery, site: Site, access: Access, files: StaticFiles) -> None:
        self._gallery = gallery
        self._site = site
        self._access = access
        self._files = files

    @cached_property
    def _templates(self) -> jinja2.Environment:
        """The templates. Jinja2 is imported behind the first answer."""
        import jinja2

        made = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )  # fmt: skip
        made.filters["sentence"] = sentence
        made.globals.update(
            root=self._site.root, static=self._files.address, navigation=NAVIGATION, read_only=self._site.read_only,
            layers=LAYERS, version=__version__, thumb=self._thumb, day_text=day_text, moment=moment,
            size_text=human_size, near_below=NEAR, box_text=forms.box_text, seconds_text=human_seconds, url=self._url,
            condition=condition, with_more=with_more, counted=counted, can_sign_out=self._access.has_password,
        )  # fmt: skip
        return made

    def prepare(self) -> None:
        """Import and compile what the first page needs."""
        self._templates.get_template("timeline.html")

    def render(self, template: str, values: dict[str, Any]) -> str:
        """Return a page. What a template does not get is empty."""
        given = {"page": "", "query": "", "title": "", **values}
        return self._templates.get_template(template).render(given)

    def _thumb(self, content_hash: str, size: int = forms.LIST_SIZE) -> str:
        return forms.thumbnail_url(self._site.root, content_hash, size)

    def _url(self, path: str, **query: object) -> str:
        asked = {name: value for name, value in query.items() if value not in ("", None)}
        return f"{self._site.root}/{path}" + (f"?{urlencode(asked, errors='replace')}" if asked else "")

    # ---- looking -------------------------------------------------------------------------------------

    def search(self, call: Call) -> tuple[str, dict[str, Any]]:
        query = query_of(call)
        order = cast(SetOrder, call.choice("sort", ORDERS, "best"))
        view = call.choice("view", ("grid", "list"), "grid")
        typing = call.query.get("typing", "")
        values: dict[str, Any] = {
            "page": "search", "title": query or "Search", "query": query, "order": order, "orders": ORDER_NAMES,
            "typed": query, "view": view, "first": 0, "found": None, "hits": [], "problem": "", "suggestions": [],
            "facets": {}, "after": None, "chips": chips(query, self._gallery.common_words),
            "revision": self._revision(),
        }  # fmt: skip
        if not query:
            return "search.html", values
        try:
            found = self._set(call, query)
        except QueryError as error:
            return "search.html", {**values, "problem": str(error)}
        if typing and not found.said_total:
            found = self._begun(query) or found
        size = TYPED_PAGE if typing == "first" else PAGE
        first = call.first_of_page(PAGE, found.total)
        hits = [self.hit(photo, found.query) for photo in self._gallery.page(found, order, first, size)]
        following = first + size
        return "search.html", {
            **values, "query": found.query, "found": found, "first": first, "hits": hits,
            "facets": self._gallery.facets(found) if found.total else {},
            "opened": OpenedFrom(found.query, order, found.token).address,
            # Half a word is no mistake.
            "suggestions": [] if found.said_total or typing else self._gallery.suggest(query),
            "after": following if following < found.total else None,
        }  # fmt: skip

    def _revision(self) -> str:
        """Return the revisions of the catalogue and the timeline, as the stream of events has them too. To be called
        before what is shown is read, which is no older then."""
        _, catalogue, timeline = self._gallery.version()
        return f"{catalogue}.{timeline}"

    def _set(self, call: Call, query: str) -> ResultSet:
        if call.query.get("set"):
            try:
                found = self._gallery.result_set(call.query["set"])
                if found.query == query:
                    return found
            except ResultSetGone:
                pass
        return self._gallery.find(query)

    def _begun(self, query: str) -> ResultSet | None:
        """Return what is found by words that begin as the last one does; ``None`` where no photo says such, where that
        one is no plain word, or stands for too many."""
        if not query.rpartition(" ")[2].isalpha():
            return None
        try:
            found = self._gallery.find(f"{query}*")
        except QueryError:
            return None
        return found if found.said_total else None

    def hit(self, photo: ShownPhoto, query: str) -> dict[str, Any]:
        """Return what a list shows of a photo, as a query found it."""
        reasons = forms.reasons(self._gallery, photo.matched, query, photo.caption)
        words = dict.fromkeys(reason["word"] for reason in reasons)
        return {
            "photo": photo,
            "pieces": caption_pieces(photo.caption, query, photo.matched),
            "reasons": reasons,
            "bar": bar_of(reasons),
            "words": [
                {"word": word, "layers": [LAYERS.get(r["layer"], (r["layer"], ""))[0] for r in reasons
                                          if r["word"] == word]}
                for word in list(words)[:4]
            ],
        }  # fmt: skip

    def photo(self, call: Call) -> tuple[str, dict[str, Any]]:
        revision = self._revision()
        photo, history = self._gallery.photo_with_history(call.number("id"))
        opened = opened_from.of(call).kept(self._gallery)
        query = opened.query
        caption = photo.caption.text if photo.caption else ""
        matched, found = self._found_by(photo.id, query, caption)
        before, after = opened.around(self._gallery, photo.id)
        learned = [term for term in photo.terms if term.source == "model"][:BARS]
        most = max((term.weight for term in learned), default=1.0)
        return "photo.html", {
            "page": "photo", "title": caption or "Photo", "query": query, "photo": photo, "facts": photo.facts,
            "revision": revision,
            **found, "opened": opened.address, "list": opened.page, "before": before, "after": after,
            "learned": [
                (self._gallery.readable.word(term.text, caption), round(100 * term.weight / most)) for term in learned
            ],
            "found_lines": lines_with(photo.text, read_words(matched)),
            "labels": [(term.text, round(100 * term.weight)) for term in photo.terms if term.source == "label"][:6],
            "written": [(WRITTEN[term.source], term.text) for term in photo.terms if term.source in WRITTEN],
            "history": list(reversed(history)),
            "files": [(path.name, printable(path.parent)) for path in photo.paths],
            "taken_source": TAKEN_SOURCES.get((photo.facts and photo.facts.taken_source) or "", ""),
            "row": self._gallery.row_of(photo.id), "albums": self._gallery.albums.holding(photo.id),
            "album_names": [each.name for each in self._gallery.albums.all() if each.query is None],
        }  # fmt: skip

    def _found_by(self, photo_id: int, query: str, caption: str) -> tuple[tuple[Matched, ...], dict[str, Any]]:
        """Return why a query finds a photo, also as the page has it, or else which of its parts the photo holds."""
        values: dict[str, Any] = {"reasons": [], "bar": [], "sureness": None, "lacking": [], "finds": False}
        try:
            matched = self._gallery.why(photo_id, query) if query else None
            if matched:
                reasons = forms.reasons(self._gallery, matched, query, caption)
                sure = self._gallery.sureness(query, {photo_id: matched}).get(photo_id)
                values |= {"reasons": reasons, "bar": bar_of(reasons), "sureness": sure}
        except QueryError:
            return (), values
        values["finds"] = matched is not None
        if query and matched is None:
            values["lacking"] = self._parts_held(photo_id, query)
        return matched or (), values

    def _parts_held(self, photo_id: int, query: str) -> list[tuple[str, bool]]:
        """Return the parts of a query that does not find a photo, each with whether it alone would."""
        held = []
        for part in parts_of(query):
            try:
                held.append((part, self._gallery.why(photo_id, part) is not None))
            except QueryError:  # a word that is not searched, an operator
                continue
        return held

    def similar(self, call: Call) -> tuple[str, dict[str, Any]]:
        revision = self._revision()
        photo = self._gallery.photo(call.number("id"))
        try:
            found = self._gallery.find_similar(photo.id)
            hits = [self.hit(one, "") for one in self._gallery.page(found, "best", 0, PAGE)]
            token, problem = found.token, ""
        except FolderError as error:
            hits, token, problem = [], "", str(error)
        return "similar.html", {
            "page": "photo", "title": "Similar photos", "photo": photo, "hits": hits, "problem": problem,
            "revision": revision,
            "opened": OpenedFrom(token=token, like=photo.id).address,
        }  # fmt: skip

    # ---- putting right -------------------------------------------------------------------------------

    def review(self, call: Call) -> tuple[str, dict[str, Any]]:
        queue = cast(ReviewQueue, call.choice("queue", QUEUES, "unsure"))
        query = query_of(call)
        revision = self._revision()
        try:
            ids = self._gallery.review_queue(REVIEWED, queue, query)
        except QueryError as error:
            raise bad_value("q", f"a query: {error}") from error
        wanted = call.query.get("id", "")
        current = next((each for each in ids if str(each) == wanted), ids[0] if ids else None)
        kept, corrected, wrong = self._gallery.reviewed()
        return "review.html", {
            "page": "review", "title": "Review", "revision": revision, "queue": queue, "ids": ids, "kept": kept,
            "asked": query if queue == "search" else "",
            "queues": {name: text for name, text in QUEUE_NAMES.items() if name != "search" or queue == name},
            "corrected": corrected + wrong,
            "photo": None if current is None else self._gallery.photo(current),
            "place": ids.index(current) if current is not None else 0,
        }  # fmt: skip

    def failures(self, _call: Call) -> tuple[str, dict[str, Any]]:
        by_kind: dict[str, list[dict[str, Any]]] = {}
        for failed in self._gallery.failures():
            row = {**failed._asdict(), "name": failed.path.name, "folder": printable(failed.path.parent)}
            by_kind.setdefault(failed.kind, []).append({**row, "message": _without_path(failed.message, failed.path)})
        return "failures.html", {"page": "failures", "title": "Failures", "by_kind": by_kind}

    def duplicates(self, call: Call) -> tuple[str, dict[str, Any]]:
        near, decided = call.whole("near", -1, -1, 15), call.choice("decided", ("no", "yes"), "no") == "yes"
        groups = self._gallery.duplicates(None if near < 0 else near, decided=decided)
        first = call.first_of_page(GROUPS, len(groups))
        chosen = [
            [{**forms.duplicate(self._site.root, file), "name": file.path.name, "folder": printable(file.path.parent),
              "best": place == 0, "differs": _differences(group[0], file)}
             for place, file in enumerate(group)]
            for group in groups[first : first + GROUPS]
        ]  # fmt: skip
        return "duplicates.html", {
            "page": "duplicates", "title": "Duplicates", "groups": chosen, "total": len(groups), "near": near,
            "decided": decided, "first": first, "before": max(0, first - GROUPS) if first else None,
            "after": first + GROUPS if first + GROUPS < len(groups) else None,
        }  # fmt: skip

    # ---- knowing -------------------------------------------------------------------------------------

    def jobs(self, _call: Call) -> tuple[str, dict[str, Any]]:
        return "jobs.html", {
            "page": "jobs", "title": "Jobs and status", "state": self._gallery.status(),
            "batches": self._gallery.batches(),
        }  # fmt: skip

    def stats(self, _call: Call) -> tuple[str, dict[str, Any]]:
        counts = self._gallery.counts()

        def bars(pairs: list[tuple[str, int]], field: str) -> list[dict[str, Any]]:
            most = max((count for _, count in pairs), default=1)
            return [
                {"name": name, "count": count, "share": max(1, round(100 * count / most)),
                 "query": condition(field, name)}
                for name, count in pairs
            ]  # fmt: skip

        return "stats.html", {
            "page": "stats", "title": "Statistics", "counts": counts,
            "headings": [
                ("Years", bars(counts.years, "taken")), ("Labels", bars(counts.labels[:BARS], "label")),
                ("Cameras", bars(counts.cameras[:BARS], "camera")), ("Places", bars(counts.places[:BARS], "place")),
                ("Tags", bars(counts.tags[:BARS], "tag")), ("People", bars(counts.people[:BARS], "person")),
                ("Folders", bars(counts.folders[:BARS], "path")),
                ("Formats", bars(counts.formats, "format")),
            ],
        }  # fmt: skip

    def about(self, _call: Call) -> tuple[str, dict[str, Any]]:
        kept, corrected, wrong = self._gallery.reviewed()
        return "about.html", {
            "page": "about", "title": "About the model", "models": list(self._gallery.models().items()),
            "kept": kept, "corrected": corrected + wrong, "setting": self._gallery.settings.model,
        }  # fmt: skip

    def settings(self, _call: Call) -> tuple[str, dict[str, Any]]:
        return "settings.html", {
            "page": "settings", "title": "Settings", "rows": setting_rows(self._gallery.settings),
        }  # fmt: skip

    # ---- standing outside ----------------------------------------------------------------------------

    def problem(self, problem: Problem) -> tuple[str, dict[str, Any]]:
        """Return the page for what is refused; of somebody who is not signed in, the one to sign in on."""
        if problem.status == 401 or problem.code in ("password", "too_many_tries", "link"):
            return "login.html", {
                "title": "Sign in", "has_password": self._access.has_password, "problem": problem, "wanted": "",
            }  # fmt: skip
        return "problem.html", {"title": problem.message, "problem": problem}


def bar_of(reasons: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the parts of a bar that shows which layers a photo was found by, in hundredths."""
    shares: dict[str, float] = {}
    for reason in reasons:
        colour = LAYERS.get(reason["layer"], ("", "written"))[1]
        shares[colour] = shares.get(colour, 0.0) + reason["share"]
    parts, start = [], 0.0
    for colour, share in sorted(shares.items(), key=lambda pair: -pair[1]):
        parts.append({"colour": colour, "start": round(100 * start, 2), "width": round(100 * share, 2)})
        start += share
    return parts


def day_text(day: str | None) -> str:
    """Return a day as a heading; the page's script puts it into the reader's language."""
    if not day:
        return "Without a date"
    found = date.fromisoformat(day[:10])
    return f"{found:%A}, {found.day} {found:%B %Y}"


def sentence(text: str) -> str:
    """Return a line that begins with a capital, and is otherwise as it was: there may be names and paths in it."""
    return text[:1].upper() + text[1:]


def moment(time: datetime | None) -> str:
    """Return a time to the minute."""
    return f"{time:%Y-%m-%d %H:%M}" if time else ""


def _without_path(message: str, path: Path) -> str:
    """Return a failure's line without the path, which stands above it."""
    text = message.replace(f"{shown(path)} ", "it ", 1).replace(f" {shown(path)}", " it", 1)
    return text[:1].upper() + text[1:]


def _differences(best: Any, file: Any) -> list[str]:
    """Return in which facts a file differs from the best of its group."""
    found = dataclasses.asdict(best), dataclasses.asdict(file)
    return [name for name in ("width", "height", "bytes", "format") if found[0][name] != found[1][name]]
