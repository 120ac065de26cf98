"""Searching: from a query, or from a photo, to hits with everything that is shown of them.

The words (the full-text index) and the learned terms (the impact matrix) give the ids of photos and their scores; what
a hit shows besides is in the catalogue.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, get_args

from photoindex.catalogue.database import CLOSED, Database
from photoindex.catalogue.fast_queries import find_photos, hidden_photos, list_roots
from photoindex.catalogue.text_lines import text_lines
from photoindex.config import Settings
from photoindex.errors import CatalogueError, InvalidSearch, QueryError
from photoindex.language.forms import word_of
from photoindex.search import FullText
from photoindex.search.fulltext.index import check_limit
from photoindex.search.query.parser import parse_query, respell
from photoindex.search.query.paths import asks_for_paths, by_answer
from photoindex.search.ranking.read_lines import lines_with, read_words
from photoindex.search.ranking.weights import Ranking
from photoindex.search.sureness import Asked, sureness
from photoindex.search.terms import index as term_index
from photoindex.search.terms.index import TermIndex
from photoindex.search.terms.matrix import TERMS_LAYER
from photoindex.system.lazy_imports import lazily
from photoindex.types.hit import Hit, Match, Matched, SortKey
from photoindex.types.term_sources import LEARNED_SOURCE

if TYPE_CHECKING:
    from photoindex.catalogue import sorting
    from photoindex.search.fulltext import sync as fulltext
    from photoindex.search.query.syntax import Node
    from photoindex.search.ranking.ranked import RankedPhotos
    from photoindex.types import Photo, Progress
else:
    # They need SQLAlchemy, whose import takes longer than a search: what a search asks is in catalogue/fast_queries.py.
    fulltext, sorting = lazily("photoindex.search.fulltext.sync"), lazily("photoindex.catalogue.sorting")

# More matches than asked for are fetched: a photo whose file went a moment ago is left out of the answer.
SPARE_MATCHES = 20
HITS_AT_ONCE = 100


class Finder:
    """Searches one library. The full-text index is opened when it is first needed, and rebuilt if it must be. Close it.

    ``rebuilding`` is called with the progress of such a rebuild, which takes minutes for a large library. Safe to share
    between threads.
    """

    def __init__(
        self, database: Database, settings: Settings, rebuilding: Callable[[Progress], None] | None = None
    ) -> None:
        self._database = database
        self._settings = settings
        self._rebuilding = rebuilding
        self._lock = threading.RLock()
        self._closed = False
        self._ending = threading.Event()
        self._full_text: FullText | None = None
        self._terms = TermIndex(database, settings.terms_path)

    def stop_waiting(self) -> None:
        """Have no thread wait for another process that writes to the index any more, nor make a missing index: what
        they are at raises FullTextError. For a program that is about to end."""
        self._ending.set()

    def close(self) -> None:
        """Close the files; a later question raises CatalogueError."""
        self.stop_waiting()
        with self._lock:
            self._closed = True
            if self._full_text is not None:
                self._full_text.close()
            self._terms.close()

    def full_text(self, stopped: Callable[[], bool] = lambda: False) -> FullText:
        """Return the full-text index, rebuilt from the catalogue when it is missing, damaged or of another version.

        It is rebuilt once, by one thread of one process; the others wait. Raises CatalogueError once this is closed,
        and FullTextError when it cannot be written, or for who is ``stopped`` before it is there.
        """

        def is_ending() -> bool:
            return self._ending.is_set() or stopped()

        with self._lock:
            if self._closed:
                raise CatalogueError(CLOSED)
            if self._full_text is None:
                full_text = FullText.open(self._settings.index_path)
                if full_text.needs_rebuild:
                    fulltext.rebuild_if_needed(self._database, full_text, self._settings, self._rebuilding, is_ending)
                self._full_text = full_text
            if self._database.is_shared:  # what other machines stored since the last question
                fulltext.sync(self._database, self._full_text, self._settings, stopped=is_ending)
            return self._full_text

    def sync(self, is_wanted: Callable[[], bool] = lambda: True) -> None:
        """Write what changed in the catalogue into the full-text index, as long as it is wanted."""
        fulltext.sync(self._database, self.full_text(), self._settings, is_wanted, self._ending.is_set)

    def rebuild(self, progress: Callable[[Progress], None] | None = None) -> int:
        """Rebuild the full-text index and the impact matrix; return how many photos were indexed."""
        term_index.rebuild(self._database, self._settings.terms_path)
        with self._lock:
            if self._full_text is None:
                self._full_text = FullText.open(self._settings.index_path)
        return fulltext.rebuild(self._database, self._full_text, self._settings, progress)

    def match(
        self, query: str, limit: int | None = None, ranking: Ranking | None = None, *, exact: bool = False
    ) -> list[Match]:
        """Return the photos that answer a query, by id, best first. Raises :class:`photoindex.errors.QueryError`.

        ``exact``: only photos whose own words are those of the query, all of them.
        """
        return self.full_text().search(query, limit, ranking, self._terms, exact=exact)

    def rank(self, query: str, explained: int) -> RankedPhotos:
        """All photos that answer a query, as arrays, with the reasons for the first ``explained`` of them."""
        from photoindex.search.ranking.ranked import rank

        return self.full_text().answer(query, partial(rank, explained=explained), None, self._terms)

    def explain(self, query: str, photo_ids: Sequence[int]) -> Mapping[int, tuple[Matched, ...]]:
        """The reasons for those of these photos that a query finds."""
        from photoindex.search.ranking.ranked import explain

        return self.full_text().answer(query, partial(explain, photo_ids=photo_ids), None, self._terms)

    def search(self, query: str, limit: int | None, sort: SortKey, reverse: bool) -> list[Hit]:
        """Return the photos that answer a query, in the order asked for. Raises :class:`photoindex.errors.QueryError`.

        Of several paths of a photo the first is one that answers ``path:``, ``folder:`` and ``name:``.
        """
        check_limit(limit)
        if sort not in get_args(SortKey):
            raise InvalidSearch(f"there is no order {sort!r}: sort by {', '.join(get_args(SortKey))}")
        if sort != "score" or reverse:
            hits = self._sorted(self.match(query), limit, sort, reverse)
        else:
            wanted = None if limit is None else limit + SPARE_MATCHES
            hits = self._hits(self.match(query, wanted))[:limit]
        parsed = parse_query(query)
        return self._with_best_paths(self._with_sureness(hits, parsed.words), parsed.root)

    def _with_sureness(self, hits: list[Hit], words: Sequence[str]) -> list[Hit]:
        asked = Asked.of(words)
        if not (asked.words and hits):
            return hits
        impacts = self._terms.impacts(asked.stems, [hit.photo_id for hit in hits])
        return [dataclasses.replace(hit, sureness=sureness(asked, hit, impacts.get(hit.photo_id))) for hit in hits]

    def sureness(self, query: str, matched: Mapping[int, tuple[Matched, ...]]) -> dict[int, float]:
        """Return how likely each of these photos shows all that a query asks, 0 to 1, by the reasons that it was found
        by; without those of which nothing can be told. Raises :class:`photoindex.errors.QueryError`."""
        words = parse_query(query).words
        if not (words and matched):
            return {}
        hits = self._hits([Match(photo_id, 0.0, reasons) for photo_id, reasons in matched.items()])
        sure = {hit.photo_id: hit.sureness for hit in self._with_sureness(hits, words)}
        return {photo_id: value for photo_id, value in sure.items() if value is not None}

    def like(self, photo: Photo, limit: int | None, query: str) -> list[Hit] | None:
        """Return the photos whose learned terms are most like a photo's, without itself; see :meth:`like_terms`."""
        weights = {term.text: term.weight for term in photo.terms if term.source == LEARNED_SOURCE}
        return self.like_terms(weights, limit, query, without=photo.id)

    def like_terms(
        self, weights: Mapping[str, float], limit: int | None, query: str, *, without: int | None = None
    ) -> list[Hit] | None:
        """Return the photos whose learned terms are most like these; of those that answer ``query``, if there is one.

        ``without`` is the id of a photo to leave out. ``None`` when there are no learned terms to compare.
        """
        check_limit(limit)
        self.full_text()  # raises when this is closed
        similar = self._terms.similar(weights) if weights else None
        if similar is None:
            return None
        allowed = {match.photo_id for match in self.match(query)} if query else None
        pairs = zip(similar.photo_ids.tolist(), similar.cosines.tolist(), strict=True)
        with self._database.ask() as asker:
            left_out = {without} if allowed is not None else {without, *hidden_photos(asker)}
        matches = (
            Match(*pair) for pair in pairs if pair[0] not in left_out and (allowed is None or pair[0] in allowed)
        )
        hits = self._first_hits(matches, limit)
        shared = self._terms.shared(weights, [hit.photo_id for hit in hits])
        return [dataclasses.replace(hit, matched=_shared(shared.get(hit.photo_id, {}))) for hit in hits]

    def corrections(self, query: str) -> dict[str, tuple[str, ...]]:
        """Return, for each plain word of a query that no photo has, near spellings that photos have, best first."""
        return self.full_text().corrections(query)

    def suggest(self, query: str) -> list[str]:
        """Return other spellings of a query that find something, most likely first."""
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

    def _with_best_paths(self, hits: list[Hit], node: Node) -> list[Hit]:
        """Return the hits with the path first that answers the query, of those with several paths."""
        if not any(hit.other_paths for hit in hits) or not asks_for_paths(node):
            return hits
        with self._database.ask() as asker:
            roots = [root.path for root in list_roots(asker)]

        def with_best_path(hit: Hit) -> Hit:
            if not hit.other_paths:
                return hit
            (path, *others), asked_for = by_answer((hit.path, *hit.other_paths), node, roots)
            return dataclasses.replace(hit, path=path, other_paths=tuple(others), asked_for=asked_for)

        return list(map(with_best_path, hits))

    def _first_hits(self, matches: Iterable[Match], limit: int | None) -> list[Hit]:
        """Return hits of the first matches that have any, without loading those behind them."""
        waiting = iter(matches)
        hits: list[Hit] = []
        while (limit is None or len(hits) < limit) and (some := list(islice(waiting, HITS_AT_ONCE))):
            hits += self._hits(some)
        return hits[:limit]

    def hits_of(self, photo_ids: Sequence[int]) -> list[Hit]:
        """Return a hit for each of these photos with a caption and a file that is not marked missing, in their order,
        with score 0."""
        return self._hits([Match(number, 0.0) for number in photo_ids])

    def _hits(self, matches: Sequence[Match]) -> list[Hit]:
        """Return a hit for each match with a caption and a file that is not marked missing, in their order."""
        with self._database.ask() as asker:
            photos = find_photos(asker, [match.photo_id for match in matches])
            lines = text_lines(asker, [match.photo_id for match in matches if read_words(match.matched)])
        hits = []
        for match in matches:
            photo = photos.get(match.photo_id)
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
                    looks=photo.looks,
                    confidence=photo.confidence,
                    favourite=photo.favourite,
                    text=lines_with(lines.get(match.photo_id, ()), read_words(match.matched)),
                )
            )
        return hits


def _shared(weights: Mapping[str, float]) -> tuple[Matched, ...]:
    reasons = (Matched(TERMS_LAYER, word_of(term), weight) for term, weight in weights.items())
    return tuple(sorted(reasons, key=lambda reason: -reason.weight))
