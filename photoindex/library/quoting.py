"""What commands and the gallery need to write queries: quotes around a value, and all that stands for quotes."""

from photoindex.search.query.quoting import QUOTES, quoted

__all__ = ["QUOTES", "quoted"]
