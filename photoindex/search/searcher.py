"""Finding photos: from a query, or from a photo, to hits that say all that is shown of them.

The words (the full-text index) and the learned terms (the impact matrix) give the ids of photos and their scores; what
a hit shows besides is in the catalogue.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from photoindex.catalogue.database import Database
from photoindex.catalogue.fast_queries import LEARNED_SOURCE, find_photos
from photoindex.config import Settings
from photoindex.errors import QueryError
from photoindex.search import FullText
from photoindex.search.query.parser import respell
from photoindex.search.ranking.weights import Ranking
from photoindex.search.terms import index as term_index
from photoindex.search.terms.index import TermIndex
from photoindex.search.terms.matrix import TERMS_LAYER
from photoindex.system.lazy_imports import lazily
from photoindex.types.hit import Hit, Match, Matched

if TYPE_CHECKING:
    from photoindex.catalogue import sorting
    from photoindex.search.fulltext import sync as fulltext
    from photoindex.types import Photo, Progress, SortKey
else:
    # They need SQLAlchemy, whose import takes longer than a search: what a search asks is in catalogue/fast_queries.py.
    fulltext, sorting = lazily("photoindex.search.fulltext.sync"), lazily("photoindex.catalogue.sorting")

# More matches than asked for are fetched: a photo whose file went a moment ago is left out of the answer.
SPARE_MATCHES = 20
HITS_AT_ONCE = 100


class Finder:
    """Searches one library. The full-text index is opened when first needed, and made anew if it must be. Close it."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._full_text: FullText | None = None
        self._terms = TermIndex(database, settings.terms_path)

    def close(self) -> None:
        """Close the files."""
        if self._full_text is not None:
            self._full_text.close()
        self._terms.close()

    def full_text(self) -> FullText:
        """The full-text index, rebuilt from the catalogue when it is damaged or of another version."""
        if self._full_text is None:
            self._full_text = FullText.open(self._settings.index_path)
            if self._full_text.needs_rebuild:
                fulltext.rebuild(self._database, self._full_text, self._settings)
        return self._full_text

    def sync(self) -> None:
        """Write what changed in the catalogue into the full-text index."""
        fulltext.sync(self._database, self.full_text(), self._settings)

    def rebuild(self, progress: Callable[[Progress], None] | None = None) -> int:
        """Make the full-text index and the impact matrix anew; returns how many photos were indexed."""
        term_index.rebuild(self._database, self._settings.terms_path)
        if self._full_text is None:
            self._full_text = FullText.open(self._settings.index_path)
        return fulltext.rebuild(self._database, self._full_text, self._settings, progress)

    def match(
        self, query: str, limit: int | None = None, ranking: Ranking | None = None, *, exact: bool = False
    ) -> list[Match]:
        """The photos that answer a query, by id, best first. Raises :class:`photoindex.errors.QueryError`.

        ``exact``: only photos in which every word is written, see :meth:`.FullText.search`.
        """
        return self.full_text().search(query, limit, ranking, self._terms, exact=exact)

    def search(self, query: str, limit: int | None, sort: SortKey, reverse: bool) -> list[Hit]:
        """The photos that answer a query, in the order asked for. Raises :class:`photoindex.errors.QueryError`."""
        if sort != "score" or reverse:
            return self._sorted(self.match(query), limit, sort, reverse)
        wanted = None if limit is None else limit + SPARE_MATCHES
        return self._hits(self.match(query, wanted))[:limit]

    def like(self, photo: Photo, limit: int | None, query: str) -> list[Hit] | None:
        """The photos whose learned terms are most like a photo's, without itself; of those that answer ``query``, if
        there is one. ``None`` when no learned terms of the photo are known."""
        weights = {term.text: term.weight for term in photo.terms if term.source == LEARNED_SOURCE}
        found = self._terms.similar(weights) if weights else None
        if found is None:
            return None
        allowed = {match.photo_id for match in self.match(query)} if query else None
        pairs = zip(found.photo_ids.tolist(), found.cosines.tolist(), strict=True)
        matches = (Match(*pair) for pair in pairs if pair[0] != photo.id and (allowed is None or pair[0] in allowed))
        hits = self._first_hits(matches, limit)
        shared = self._terms.shared(weights, [hit.photo_id for hit in hits])
        return [dataclasses.replace(hit, matched=_shared(shared.get(hit.photo_id, {}))) for hit in hits]

    def corrections(self, query: str) -> dict[str, tuple[str, ...]]:
        """For each plain word of a query that no photo has: near spellings that photos have, most likely first."""
        return self.full_text().corrections(query)

    def suggest(self, query: str) -> list[str]:
        """Other spellings of a query that find something, most likely first."""
        corrections = self.corrections(query)
        choices = max(map(len, corrections.values()), default=0)
        respelt = (
            respell(query, {word: near[min(choice, len(near) - 1)] for word, near in corrections.items()})
            for choice in range(choices)
        )
        return [text for text in dict.fromkeys(respelt) if self._finds(text)]

    def _finds(self, query: str) -> bool:
        try:
            return bool(self.match(query, 1))
        except QueryError:  # the new spelling is longer than a query may be
            return False

    def _sorted(self, matches: Sequence[Match], limit: int | None, sort: SortKey, reverse: bool) -> list[Hit]:
        by_id = {match.photo_id: match for match in matches}
        with self._database.read() as connection:
            ids = sorting.in_order(connection, list(by_id), sort, reverse=reverse)
        return self._first_hits((by_id[photo_id] for photo_id in ids), limit)

    def _first_hits(self, matches: Iterable[Match], limit: int | None) -> list[Hit]:
        """Hits of the first matches that have any, without loading those behind them."""
        waiting = iter(matches)
        hits: list[Hit] = []
        while (limit is None or len(hits) < limit) and (some := list(islice(waiting, HITS_AT_ONCE))):
            hits += self._hits(some)
        return hits[:limit]

    def _hits(self, matches: Sequence[Match]) -> list[Hit]:
        """The matches that have a caption and a present file, in their order."""
        with self._database.ask() as asker:
            found = find_photos(asker, [match.photo_id for match in matches])
        hits = []
        for match in matches:
            photo = found.get(match.photo_id)
            if photo is None:
                continue
            facts = photo.facts
            hits.append(
                Hit(
                    path=photo.paths[0],
                    score=match.score,
                    caption=photo.caption,
                    caption_source=photo.source,
                    matched=match.matched,
                    terms=tuple(photo.terms),
                    taken_at=facts.taken_at if facts else None,
                    camera=facts.camera if facts else None,
                    width=facts.width if facts else None,
                    height=facts.height if facts else None,
                    photo_id=match.photo_id,
                    other_paths=tuple(photo.paths[1:]),
                    facts=facts,
                )
            )
        return hits


def _shared(weights: Mapping[str, float]) -> tuple[Matched, ...]:
    reasons = (Matched(TERMS_LAYER, term, weight) for term, weight in weights.items())
    return tuple(sorted(reasons, key=lambda reason: -reason.weight))
