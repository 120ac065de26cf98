"""Words and learned terms: the full-text index over captions, labels, names, cameras and dates, the impact matrix, and
the query language that asks both.

Nothing here imports torch, and nothing outside this package imports Whoosh.
"""

from __future__ import annotations

from photoindex.search.query import parse_query
from photoindex.search.syntax import ParsedQuery
from photoindex.search.words import FullText
from photoindex.types import Document, Match

__all__ = ["Document", "FullText", "Match", "ParsedQuery", "parse_query"]
