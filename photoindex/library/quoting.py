"""What commands and the gallery need to write queries: quotes around a value."""

from photoindex.search.query.quoting import quoted

__all__ = ["quoted"]
