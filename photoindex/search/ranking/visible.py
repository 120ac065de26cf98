"""Hidden photos are found only by a query that asks for them (``is:hidden``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from photoindex.search.query.clauses import HIDDEN
from photoindex.search.query.syntax import AllOf, AnyOf, Has, Node, Ranked
from photoindex.search.ranking.matcher import Answer, Matcher

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HIDDEN: Final = Has(HIDDEN)


def find_visible(matcher: Matcher, node: Node) -> Answer:
    """Return what answers a query, without hidden photos unless it asks for them."""
    answer = matcher.find(node)
    visible = not_hidden(matcher, node)
    if visible is None:
        return answer
    mask = answer.mask & visible
    return Answer(mask, np.where(mask, answer.scores, np.float32(0)))


def not_hidden(matcher: Matcher, node: Node) -> NDArray[np.bool_] | None:
    """Return which documents a query may find at all; ``None`` for all of them."""
    if asks_for_hidden(node) or not matcher.carried(HIDDEN):
        return None
    return ~matcher.condition(_HIDDEN)


def asks_for_hidden(node: Node) -> bool:
    """Return whether a query names hidden photos, to have them or to leave them out."""
    if isinstance(node, Ranked):
        return any(map(asks_for_hidden, (*node.wanted, *node.required, *node.excluded)))
    if isinstance(node, (AllOf, AnyOf)):
        return any(map(asks_for_hidden, node.parts))
    return node == _HIDDEN
