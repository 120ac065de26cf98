"""The parts of a query, as a page shows each."""

from __future__ import annotations

from collections.abc import Container

from photoindex.web.calls import Call


def query_of(call: Call) -> str:
    """Return the query of a request, with one space between its parts."""
    return " ".join(call.query.get("q", "").split())[:1000]


def parts_of(query: str) -> list[str]:
    """Return the parts of a query between spaces that are not quoted."""
    parts: list[str] = []
    quoted, word = False, ""
    for letter in query + " ":
        if letter == '"':
            quoted = not quoted
        if letter == " " and not quoted:
            if word:
                parts.append(word)
            word = ""
        else:
            word += letter
    if word:
        parts.append(word.strip())
    return parts


def chips(query: str, common: Container[str]) -> list[tuple[str, str]]:
    """Return (clause, the query without it) for each part of a query that a person can take away."""
    parts = parts_of(query)
    if len(parts) < 2:
        return []
    return [
        (part, " ".join(parts[:place] + parts[place + 1 :])) for place, part in enumerate(parts) if part not in common
    ]
