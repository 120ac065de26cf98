"""The parts of a query, as a page shows each."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Final

from photoindex.library.gallery import place_parts
from photoindex.library.quoting import CLOSING, OPENING, OPERATORS, QUOTES, quoted
from photoindex.web.calls import Call

MOST_CHIPS: Final = 64  # as many words as a query may have
BARE: Final = ("taken", "format")  # fields whose values need no quotes
_BRACKET: Final = re.escape(OPENING + CLOSING)
# A quote behind a backslash is one of the value.
_QUOTED: Final = rf"[{QUOTES}](?:[^{QUOTES}\\]|\\[{QUOTES}]|\\)*[{QUOTES}]"
PIECE: Final = re.compile(rf"\s+|{_QUOTED}|[{_BRACKET}]|[^\s{QUOTES}{_BRACKET}]+|[{QUOTES}]")


def query_of(call: Call) -> str:
    """Return the query of a request, without blanks around it. The rest is as it was given: a folder's name may have
    two spaces, what is behind a cut may leave photos out, and the query language refuses what is too long for it."""
    return call.query.get("q", "").strip()


def condition(field: str, value: str) -> str:
    """Return the query for a value of a field, or, without a field, for a phrase. All links to a search are made of it.
    A place is asked for part by part, as its parts are indexed apart."""
    if field == "place":
        return " ".join(f"place:{quoted(part)}" for part in place_parts(value))
    if field in BARE and value.isalnum():
        return f"{field}:{value}"
    return f"{field}:{quoted(value)}" if field else quoted(value)


def with_more(query: str, more: str) -> str:
    """Return a query with one more condition, which holds for all that it finds: what OR joins, or what has no end,
    gets parentheses."""
    lone = frozenset(QUOTES)  # a quote that ends nothing means nothing
    pieces = [" " if piece in lone else piece for piece in _pieces(query)]
    closed = "".join(pieces).strip() + ")" * _depths(pieces)[-1]
    tops = _at_top(pieces)
    is_open = bool(tops) and tops[-1] in OPERATORS
    return f"({closed}) {more}" if "OR" in tops or is_open else f"{closed} {more}".strip()


def parts_of(query: str) -> list[str]:
    """Return the parts of a query that each ask for something: a group in parentheses is one, NOT goes with what it
    excludes."""
    return [part for run in _runs(query) for part in run]


def chips(query: str, common: Container[str]) -> list[tuple[str, str]]:
    """Return (clause, the query without it) for each part of a query that a person can take away: none of what OR
    joins, as the rest would ask for something else, and none of a query that is too long."""
    runs = _runs(query)
    if not 2 <= sum(map(len, runs)) <= MOST_CHIPS or "OR" in _at_top(_pieces(query)):
        return []
    return [
        (part, _joined([*runs[:place], run[:inner] + run[inner + 1 :], *runs[place + 1 :]]))
        for place, run in enumerate(runs)
        for inner, part in enumerate(run)
        if part not in common
    ]


def _joined(runs: list[list[str]]) -> str:
    return " AND ".join(" ".join(run) for run in runs if run)


def _runs(query: str) -> list[list[str]]:
    """Return the parts of a query, run by run as AND and OR divide it."""
    pieces = _pieces(query)
    runs: list[list[str]] = [[]]
    part = ""
    for piece, depth in zip([*pieces, " "], [*_depths(pieces)[1:], 0], strict=True):
        if depth or not (piece.isspace() or piece in ("AND", "OR")):
            part += piece
        elif part == "NOT":
            part = "NOT "
        elif part:
            runs[-1].append(part)
            part = ""
        if piece in ("AND", "OR") and not depth:
            runs.append([])
    return [run for run in runs if run]


def _pieces(query: str) -> list[str]:
    """Return a query cut where spaces, quoted texts and parentheses begin and end."""
    return PIECE.findall(query)


def _depths(pieces: list[str]) -> list[int]:
    """Return how many parentheses are open before the first piece, and behind each. One that closes nothing does not
    count: it is a smiley."""
    depths = [0]
    for piece in pieces:
        depths.append(max(depths[-1] + (piece in OPENING) - (piece in CLOSING), 0))
    return depths


def _at_top(pieces: list[str]) -> list[str]:
    """Return the pieces that stand in no parentheses, without spaces."""
    depths = _depths(pieces)
    return [piece for piece, depth in zip(pieces, depths, strict=False) if depth == 0 and not piece.isspace()]
