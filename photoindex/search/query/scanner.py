"""From the text of a query to its tokens."""

from __future__ import annotations

import re
import unicodedata
from typing import Final, NamedTuple

from photoindex.errors import QueryError
from photoindex.search.query import dates
from photoindex.search.query.clauses import NAMES, TAKEN, example_of, intended_field
from photoindex.search.query.quoting import OPERATORS, between_quotes, levelled, quoted, unquoted

_DATE: Final = rf"""(?:(?P<taken>(?i:{"|".join(TAKEN)})):|(?<![^\s(-]))(?P<when>DAYS)(?![^\s)]) |"""
_TOKEN: Final = r"""(?x)
        (?P<space>\s+)
      | (?P<open>\() | (?P<close>\))
      | (?P<minus>(?<![^\s(])-+(?=[^\s)-])) | DATE
        (?:(?P<field>[A-Za-z]+):)? "(?P<phrase>QUOTED)"
      | (?P<chunk>[^\s()"]+)
      | (?P<stray>")"""


class QueryToken(NamedTuple):
    """A part of a query: ``kind`` is open, close, minus, phrase, chunk, when, AND, OR or NOT."""

    kind: str
    text: str = ""
    field: str | None = None

    def __str__(self) -> str:
        """Return the token as it may have been typed."""
        typed = quoted(self.text) if self.kind == "phrase" else self.text
        return f"{self.field}:{typed}" if self.field else typed


def scan(text: str) -> list[QueryToken]:
    """Return the tokens of a query. Raises QueryError for a misspelt field, and for one without a value."""
    # NFKC first, so that full-width colons, quotes and digits mean what they look like.
    text = levelled(unicodedata.normalize("NFKC", levelled(text)))
    tokens: list[QueryToken] = []
    depth = 0
    # The pattern of dates takes longer to compile than the rest of a search to read its query.
    pattern = _TOKEN.replace("DATE", _dates_in(text)).replace("QUOTED", between_quotes(text))
    for match in re.finditer(pattern, text):
        kind = match.lastgroup or ""
        depth += (kind == "open") - (kind == "close")
        if depth < 0:  # closes nothing: a smiley, not logic
            depth = 0
        elif kind == "phrase":
            tokens += _phrase(match["field"], unquoted(match["phrase"]))
        elif kind == "chunk":
            tokens.append(_chunk(match["chunk"]))
        elif kind == "when":
            tokens.append(
                QueryToken("chunk", match["when"], TAKEN[0]) if match["taken"] else QueryToken("when", match["when"])
            )
        elif kind == "minus":
            tokens += [QueryToken(kind)] * len(match["minus"])  # "--dog" negates twice
        elif kind not in ("space", "stray"):
            tokens.append(QueryToken(kind))
    return tokens


def _dates_in(text: str) -> str:
    """Return the pattern of those dates that may stand in ``text``."""
    if not re.search(dates.MAY_BE_IN_TEXT, text):
        return ""
    return _DATE.replace("DAYS", dates.TWO_IN_TEXT if re.search(dates.MAY_BE_TWO, text) else dates.IN_TEXT)


def _phrase(name: str | None, value: str) -> list[QueryToken]:
    if name is None:
        return [QueryToken("phrase", value)]
    if name.lower() in NAMES:
        return [QueryToken("phrase", value, name.lower())]
    _check_name(name)
    return [QueryToken("chunk", name), QueryToken("phrase", value)]


def _chunk(chunk: str) -> QueryToken:
    if chunk in OPERATORS:
        return QueryToken(chunk)
    name, colon, value = chunk.partition(":")
    if not colon:
        return QueryToken("chunk", chunk)
    if name.lower() in NAMES:
        if not value and name.lower() not in TAKEN:
            raise QueryError(f"nothing stands behind {name}: write {example_of(name.lower())}, without a space")
        return QueryToken("chunk", value, name.lower())
    if value and not value.startswith("//"):  # http://...
        _check_name(name)
    return QueryToken("chunk", chunk)


def _check_name(name: str) -> None:
    intended = intended_field(name.lower()) if name.isascii() and name.isalpha() else None
    if intended is not None:
        raise QueryError(f"there is no field '{name}:': did you mean {intended}:? In quotes it is searched as a word")
