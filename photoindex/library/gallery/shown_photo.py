"""What a list of the gallery shows of a photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from photoindex.catalogue.captions import ShownCaption
from photoindex.language.analysis import content_words, stem
from photoindex.library.gallery.snapshot import Snapshot
from photoindex.search.ranking.highlight import marked
from photoindex.types.hit import Matched


@dataclass(frozen=True, slots=True)
class ShownPhoto:
    """A photo in a list. ``score``, ``matched`` and ``sureness`` (see :mod:`photoindex.search.sureness`) are of a
    search; ``said``: see :class:`.result_sets.ResultSet`."""

    id: int
    content_hash: str
    width: int
    height: int
    taken: str | None
    caption: str
    source: str
    rating: int = 0
    favourite: bool = False
    hidden: bool = False
    place: str | None = None
    score: float | None = None
    said: bool | None = None
    matched: tuple[Matched, ...] = ()
    sureness: float | None = None


def shown_photo(snapshot: Snapshot, row: int, captions: Mapping[int, ShownCaption]) -> ShownPhoto:
    """Return what is shown of the photo in a row of a snapshot."""
    photo_id = int(snapshot.ids[row])
    caption = captions.get(photo_id)
    return ShownPhoto(
        id=photo_id,
        content_hash=snapshot.content_hash(row),
        width=int(snapshot.widths[row]),
        height=int(snapshot.heights[row]),
        taken=snapshot.taken_text(row),
        caption=caption.text if caption else "",
        source=caption.source if caption else "model",
        rating=int(snapshot.ratings[row]),
        favourite=bool(snapshot.favourites[row]),
        hidden=bool(snapshot.hidden[row]),
        place=snapshot.places.text(row),
    )


def caption_pieces(text: str, query: str, matched: Sequence[Matched]) -> list[tuple[str, bool]]:
    """A caption in pieces; True marks the words that a search was about."""
    stems = {stem(word) for word in content_words(query)}
    return list(
        marked(text, stems | {stem(reason.word) for reason in matched if reason.layer in ("caption", "person")})
    )
