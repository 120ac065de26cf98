"""Words and learned terms: the full-text index over captions, labels, names, cameras and dates, the impact matrix, and
the query language that asks both.

Nothing here imports torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from photoindex.system.lazy_imports import names_of

if TYPE_CHECKING:
    from photoindex.search.fulltext.document import Document
    from photoindex.search.fulltext.index import FullText
    from photoindex.search.query.parser import parse_query
    from photoindex.search.query.syntax import ParsedQuery
    from photoindex.types.hit import Match

__all__ = ["Document", "FullText", "Match", "ParsedQuery", "parse_query"]

# A search writes no documents, and who asks for the index's stamp needs no index.
if not TYPE_CHECKING:
    __getattr__, __dir__ = names_of(
        __name__,
        {
            "Document": "photoindex.search.fulltext.document",
            "FullText": "photoindex.search.fulltext.index",
            "Match": "photoindex.types.hit",
            "ParsedQuery": "photoindex.search.query.syntax",
            "parse_query": "photoindex.search.query.parser",
        },
    )
