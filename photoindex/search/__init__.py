"""Words and learned terms: the full-text index over captions, labels, names, cameras and dates, the impact matrix, and
the query language that asks both.

Nothing here imports torch, and nothing outside this package imports Whoosh.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from photoindex.found import Match
from photoindex.search.query import ParsedQuery, parse_query
from photoindex.search.words import FullText

if TYPE_CHECKING:
    from photoindex.types import Document

__all__ = ["Document", "FullText", "Match", "ParsedQuery", "parse_query"]


def __getattr__(name: str) -> Any:
    if name != "Document":  # for those that write to the index: asking it goes without
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from photoindex.types import Document

    return Document
