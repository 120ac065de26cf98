"""What commands and the gallery need to write queries: quotes around a value, all that stands for quotes, and the words
that mean more than themselves without them."""

from photoindex.search.query.quoting import OPERATORS, QUOTES, quoted

__all__ = ["OPERATORS", "QUOTES", "quoted"]
