"""Words: the full-text index over captions, labels, names, cameras and dates, and the query language that asks it.

Nothing here imports torch, and nothing outside this package imports Whoosh.
"""

from __future__ import annotations

from photoindex.search.query import ParsedQuery, parse_query
from photoindex.search.words import FullText
from photoindex.types import Document, Match

__all__ = ["Document", "FullText", "Match", "ParsedQuery", "parse_query"]
