"""All photos that a query finds, as arrays, for a caller that shows a page of them at a time.

Reasons are given for the photos of one page alone: working them out for all takes most of the time of a search.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from photoindex.search.query.syntax import ParsedQuery, require_all
from photoindex.search.ranking.explain import locate, reasons
from photoindex.search.ranking.matcher import Matcher
from photoindex.search.ranking.visible import find_visible

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoindex.search.fulltext.photo_ids import Documents
    from photoindex.types.hit import Matched


class RankedPhotos(NamedTuple):
    """The photos that a query finds, best first.

    ``said`` is true for a photo that says everything that was asked in words of its own (its caption, tags, names,
    ...), and false for one that only comes near: by learned terms, by words of like meaning, or by some of the words.
    ``matched`` has the reasons for those photos that they were asked for.
    """

    photo_ids: NDArray[np.int64]
    scores: NDArray[np.float32]
    said: NDArray[np.bool_]
    matched: dict[int, tuple[Matched, ...]]


def rank(matcher: Matcher, documents: Documents, parsed: ParsedQuery, explained: int) -> RankedPhotos:
    """Return all that is found: first what says it, then what comes near, each best first; with the reasons for the
    first ``explained`` photos."""
    found = find_visible(matcher, parsed.root)
    ids = np.flatnonzero(found.mask)
    said = matcher.by_words_alone().find(require_all(parsed.root)).mask[ids]
    order = np.lexsort((-found.scores[ids], ~said))
    best = ids[order]
    photo_ids = documents.photo_ids[best]
    shown = best[:explained]
    why = reasons(matcher.grounds, shown, matcher.word_of) if explained else []
    matched = dict(zip(photo_ids[: len(why)].tolist(), why, strict=True))
    return RankedPhotos(photo_ids, found.scores[best], said[order], matched)


def explain(
    matcher: Matcher, documents: Documents, parsed: ParsedQuery, photo_ids: Sequence[int]
) -> Mapping[int, tuple[Matched, ...]]:
    """Return the reasons for those of these photos that the query finds."""
    mask = find_visible(matcher, parsed.root).mask
    order = np.argsort(documents.photo_ids, kind="stable")
    wanted = np.array(photo_ids, np.int64)
    if not order.size or not wanted.size:
        return {}
    places, met = locate(documents.photo_ids[order], wanted)
    chosen = order[met]
    kept = mask[chosen]
    why = reasons(matcher.grounds, chosen[kept], matcher.word_of)
    return dict(zip(wanted[places][kept].tolist(), why, strict=True))
