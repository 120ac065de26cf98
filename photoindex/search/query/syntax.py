"""The syntax tree of a query: what :mod:`.query` understands a text to be, and what searches work on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Word:
    """A folded word, not yet stemmed, in ``field`` or in any; ``exact`` when it was quoted: no other word will do."""

    text: str
    field: str | None = None
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Prefix:
    """Any word that begins with ``text``."""

    text: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Fuzzy:
    """Any word at most ``distance`` edits away from ``text``."""

    text: str
    distance: int
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Phrase:
    """Two or more folded words next to each other in one field."""

    words: tuple[str, ...]
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """Taken on a day from ``first`` to ``last``, both included; None leaves that end open."""

    first: date | None
    last: date | None


@dataclass(frozen=True, slots=True)
class Has:
    """Carries the fact ``what``, one of :data:`.query.HAS`."""

    what: str


@dataclass(frozen=True, slots=True)
class Number:
    """The number in ``field``, as the index stores it, is from ``low`` to ``high``, both included."""

    field: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Below:
    """Lies at or below a path, given by its :func:`.query.path_key`."""

    key: str


@dataclass(frozen=True, slots=True)
class Ranked:
    """A run of clauses: any of ``wanted`` (when there are some), all of ``required``, none of ``excluded``."""

    wanted: tuple[Node, ...] = ()
    required: tuple[Node, ...] = ()
    excluded: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class AllOf:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple[Node, ...]


Node = Word | Prefix | Fuzzy | Phrase | Taken | Has | Number | Below | Ranked | AllOf | AnyOf


def require_all(node: Node) -> Node:
    """Return the same query for photos that have every word, where it would take photos that have one of them."""
    if isinstance(node, Ranked):
        return Ranked(required=tuple(map(require_all, (*node.wanted, *node.required))), excluded=node.excluded)
    if isinstance(node, AllOf | AnyOf):
        return type(node)(tuple(map(require_all, node.parts)))
    return node


class ParsedQuery(NamedTuple):
    """A query understood. ``words`` are the words a photo is wanted for, folded, unstemmed, in order, each once."""

    text: str
    root: Node
    words: tuple[str, ...]
