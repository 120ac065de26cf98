"""The list that a photo was opened from, as its address says, and the photos before and after it there."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from photoindex.errors import AlbumError, FolderError, QueryError, ResultSetGone
from photoindex.library.gallery import ORDERS, Gallery, ResultSet, SetOrder, TimelineFilter
from photoindex.web.calls import Call
from photoindex.web.query_parts import query_of
from photoindex.web.timeline_filter import filter_of, filter_values


class OpenedFrom(NamedTuple):
    """A list of photos. ``token`` names what it showed, which is kept for a while; the rest finds it again: a query, an
    album (0: none), a photo that those of the list are like (0: none). Without any of them it is the timeline, as
    ``chosen`` narrows it."""

    query: str = ""
    order: SetOrder = "best"
    token: str = ""
    album: int = 0
    like: int = 0
    chosen: TimelineFilter = TimelineFilter()

    @property
    def address(self) -> dict[str, Any]:
        """What the address of a photo says of the list, as :func:`of` reads it."""
        order = "" if self.order == "best" else self.order
        named = {"sort": order, "set": self.token, "album": self.album or "", "like": self.like or ""}
        return {"q": self.query, **named, **filter_values(self.chosen)}

    @property
    def page(self) -> tuple[str, dict[str, Any]]:
        """The path of the page that shows the list, and its query."""
        if self.album:
            return f"album/{self.album}", {}
        if self.like:
            return f"photo/{self.like}/similar", {}
        if self.query:
            return "search", {"q": self.query, "sort": "" if self.order == "best" else self.order}
        return "", filter_values(self.chosen)

    def kept(self, gallery: Gallery) -> OpenedFrom:
        """Return the list with a token of what it shows, which is found again if it is no longer kept."""
        found = self._found(gallery)
        return self._replace(token=found.token if found else "")

    def around(self, gallery: Gallery, photo_id: int) -> tuple[int | None, int | None]:
        """Return the photos before and after one; those of the timeline for one that the list does not hold."""
        found = self._found(gallery)
        held = found.around(photo_id, gallery.snapshot(), self.order) if found else None
        return held or gallery.neighbours(photo_id, self.chosen)

    def _found(self, gallery: Gallery) -> ResultSet | None:
        """Return what the list shows; ``None`` for the timeline, and for what cannot be found again."""
        try:
            return gallery.result_set(self.token)
        except ResultSetGone:
            pass
        try:
            if self.album:
                return gallery.album(self.album)[1]
            if self.like:
                return gallery.find_similar(self.like)
            return gallery.find(self.query) if self.query else None
        except (AlbumError, FolderError, QueryError):
            return None


def of(call: Call) -> OpenedFrom:
    """Return the list that the address of a photo says it was opened from. Raises :class:`.problems.Problem`."""
    order = cast(SetOrder, call.choice("sort", ORDERS, "best"))
    album, like = (call.whole(name, 0, 0, 2**62) for name in ("album", "like"))
    return OpenedFrom(query_of(call), order, call.query.get("set", ""), album, like, filter_of(call))
