"""What commands and the gallery need to write queries: quotes around a value, all that stands for quotes and
parentheses, and the words that mean more than themselves without quotes."""

from photoindex.search.query.quoting import CLOSING, OPENING, OPERATORS, QUOTES, quoted

__all__ = ["CLOSING", "OPENING", "OPERATORS", "QUOTES", "quoted"]
