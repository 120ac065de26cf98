"""An album as a contact sheet: one HTML file that holds its pictures, made while it is sent."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from concurrent.futures import Future, TimeoutError
from typing import TYPE_CHECKING, Final

from photoindex.catalogue import photos
from photoindex.errors import PhotoindexError
from photoindex.library.contact_sheet import contact_sheet
from photoindex.library.located import located
from photoindex.media.thumbnail_pool import Dropped

if TYPE_CHECKING:
    from photoindex.catalogue.albums import Album
    from photoindex.library.facade import Library
    from photoindex.library.gallery.result_sets import ResultSet
    from photoindex.types import Hit

MOST: Final = 5_000  # photos, some 30 kB each: browsers open no page of gigabytes
PICTURE_SIZE: Final = 480
PICTURE_SECONDS: Final = 45.0
TRIES: Final = 5  # of a picture whose place in the queue is taken by those of pages that are looked at

MakePicture = Callable[[str, int], bytes | Future[bytes]]


def sheet_of(library: Library, album: Album, result: ResultSet, make_picture: MakePicture) -> Iterator[str]:
    """Return the page of an album in pieces: its photos are looked up at once, each picture is made in its turn."""
    ids = result.ids[:MOST].tolist()
    reasons = library.finder.explain(result.query, ids) if result.query else {}
    hits = [dataclasses.replace(hit, matched=reasons.get(hit.photo_id, ()))
            for hit in located(library.finder.hits_of(ids))]  # fmt: skip
    order = "best first" if result.query else "last added first"
    about = order if result.total <= MOST else f"the first of {result.total:,}, {order}"
    return contact_sheet(album.name, hits, _pictures(library, hits, make_picture), about)


def _pictures(library: Library, hits: list[Hit], make_picture: MakePicture) -> Iterator[bytes | None]:
    with library.database.read() as connection:
        contents = photos.content_hashes(connection, [hit.photo_id for hit in hits])
    for hit in hits:
        yield _picture(contents.get(hit.photo_id, ""), make_picture)


def _picture(content: str, make_picture: MakePicture) -> bytes | None:
    """Return a picture; ``None`` for a photo that cannot be read now."""
    for _ in range(TRIES):
        try:
            made = make_picture(content, PICTURE_SIZE)
            return made if isinstance(made, bytes) else made.result(PICTURE_SECONDS)
        except Dropped:
            continue
        except (PhotoindexError, TimeoutError):
            return None
    return None
