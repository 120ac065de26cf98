"""Hidden photos are found only by a query that asks for them (``is:hidden``)."""

from __future__ import annotations

from typing import Final

import numpy as np

from photoindex.search.query.clauses import HIDDEN
from photoindex.search.query.syntax import AllOf, AnyOf, Has, Node, Ranked
from photoindex.search.ranking.matcher import Answer, Matcher

_HIDDEN: Final = Has(HIDDEN)


def find_visible(matcher: Matcher, node: Node) -> Answer:
    """Return what answers a query, without hidden photos unless it asks for them."""
    answer = matcher.find(node)
    if asks_for_hidden(node):
        return answer
    if not matcher.carried(HIDDEN):
        return answer
    hidden = matcher.find(_HIDDEN).mask
    mask = answer.mask & ~hidden
    return Answer(mask, np.where(mask, answer.scores, np.float32(0)))


def asks_for_hidden(node: Node) -> bool:
    """Return whether a query names hidden photos, to have them or to leave them out."""
    if isinstance(node, Ranked):
        return any(map(asks_for_hidden, (*node.wanted, *node.required, *node.excluded)))
    if isinstance(node, (AllOf, AnyOf)):
        return any(map(asks_for_hidden, node.parts))
    return node == _HIDDEN
