"""The pages of albums and the map."""

from __future__ import annotations

from typing import Any, Final

from photoindex.library.gallery import Gallery
from photoindex.web.calls import Call
from photoindex.web.opened_from import OpenedFrom
from photoindex.web.pages import PAGE, Pages
from photoindex.web.static import StaticFiles

# Searches that every library has as albums: their names and queries.
STANDING: Final = (
    ("Favourites", "is:favourite"), ("Four stars and more", "rating:>=4"), ("Your own words", "has:caption"),
    ("Hidden", "is:hidden"),
)  # fmt: skip
NEAREST: Final = 40  # clusters that are listed beside the map


class AlbumPages:
    """The pages; each method takes a :class:`Call`, and returns a template's name and what fills it."""

    def __init__(self, gallery: Gallery, pages: Pages, files: StaticFiles) -> None:
        self._gallery = gallery
        self._pages = pages
        self._files = files

    def albums(self, _call: Call) -> tuple[str, dict[str, Any]]:
        return "albums.html", {
            "page": "albums", "title": "Albums", "albums": self._gallery.albums.all(), "standing": STANDING
        }  # fmt: skip

    def album(self, call: Call) -> tuple[str, dict[str, Any]]:
        album, found = self._gallery.album(call.number("id"))
        first = call.first_of_page(PAGE, found.total)
        hits = [self._pages.hit(photo, found.query) for photo in self._gallery.page(found, "best", first, PAGE)]
        opened = OpenedFrom(found.query, token=found.token, album=0 if found.query else album.id)
        return "album.html", {
            "page": "albums", "title": album.name, "album": album, "found": found, "hits": hits, "first": first,
            "opened": opened.address, "is_empty": not (hits or album.query or self._gallery.albums.photos(album.id)),
            "after": first + PAGE if first + PAGE < found.total else None,
        }  # fmt: skip

    def map(self, call: Call) -> tuple[str, dict[str, Any]]:
        found = self._gallery.places(-180, -90, 180, 90, 36)
        return "map.html", {
            "page": "map", "title": "Map", "found": found, "clusters": found.clusters[:NEAREST],
            "land": self._files.address("land.json"),
        }  # fmt: skip
