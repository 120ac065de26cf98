"""The syntax tree of a query: what :mod:`.parser` makes of a text, and what searches work on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Word:
    """A folded word, not yet stemmed, in ``field`` or in any.

    ``exact`` when it was quoted: no word of like meaning will do. ``also`` are other spellings of it.
    """

    text: str
    field: str | None = None
    exact: bool = False
    also: tuple[str, ...] = ()


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
    """Two or more folded words next to each other in one field; ``also`` are other spellings of each."""

    words: tuple[str, ...]
    field: str | None = None
    also: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Value:
    """A tag, a person's name, a place or a title as it is written: these words next to each other in one value of
    ``field``, at each place any one of those given; ``whole``: and nothing else in that value."""

    places: tuple[tuple[str, ...], ...]
    field: str
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """Taken on a day from ``first`` to ``last``, both included; None leaves that end open."""

    first: date | None
    last: date | None


@dataclass(frozen=True, slots=True)
class Has:
    """Carries the fact ``what``, one of :data:`.clauses.HAS`."""

    what: str


@dataclass(frozen=True, slots=True)
class Number:
    """The number in ``field``, as the index stores it, is from ``low`` to ``high``, both included."""

    field: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Below:
    """Lies at or below a path, given by its :func:`.clauses.path_key`."""

    key: str


@dataclass(frozen=True, slots=True)
class When:
    """A date among plain words: taken on one of these days, or with these words."""

    taken: Taken
    words: Node


@dataclass(frozen=True, slots=True)
class Ranked:
    """A run of clauses: any of ``wanted`` (when there are some), all of ``required``, none of ``excluded``.

    ``files``: keys of files' names (see :func:`.analysis.name_key`); of the photos found, those of such a file come
    first.
    """

    wanted: tuple[Node, ...] = ()
    required: tuple[Node, ...] = ()
    excluded: tuple[Node, ...] = ()
    files: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class AllOf:
    """All of the parts."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One part or several."""

    parts: tuple[Node, ...]


Node = Word | Prefix | Fuzzy | Phrase | Value | Taken | Has | Number | Below | When | Ranked | AllOf | AnyOf


class ParsedQuery(NamedTuple):
    """A parsed query. ``words`` are the words a photo is wanted for, folded, unstemmed, in order, each once."""

    text: str
    root: Node
    words: tuple[str, ...]


def require_all(node: Node) -> Node:
    """Return the query that asks for every plain word of a run, where ``node`` asks for any."""
    if isinstance(node, Ranked):
        required = tuple(map(require_all, (*node.wanted, *node.required)))
        return Ranked((), required, node.excluded, node.files)
    if isinstance(node, (AllOf, AnyOf)):
        return type(node)(tuple(map(require_all, node.parts)))
    return node
