"""What commands and the gallery need to write queries: quotes around a value, and the parts of what was typed."""

from photoindex.search.query.quoting import parts_of, quoted

__all__ = ["parts_of", "quoted"]
