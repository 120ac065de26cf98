"""The syntax tree of a query: what :mod:`.parser` makes of a text, and what searches work on.

Nodes are named tuples, as making thirteen frozen dataclasses takes 5 ms of every start of a search.
"""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any, NamedTuple, TypeVar

_Class = TypeVar("_Class", bound="type[tuple[Any, ...]]")


def _node(cls: _Class, compared: int | None = None) -> _Class:
    """Let a node equal only nodes of its own class, where a tuple equals any with the same values.

    Only the first ``compared`` fields are looked at.
    """

    def equals(self: tuple[Any, ...], other: object) -> bool:
        return isinstance(other, cls) and self[:compared] == other[:compared]

    def differs(self: tuple[Any, ...], other: object) -> bool:
        return not equals(self, other)

    def hashed(self: tuple[Any, ...]) -> int:
        return hash(self[:compared])

    methods: dict[str, Any] = {"__eq__": equals, "__ne__": differs, "__hash__": hashed}
    for name, method in methods.items():
        setattr(cls, name, method)
    return cls


@_node
class Word(NamedTuple):
    """A folded word, not yet stemmed, in ``field`` or in any.

    ``exact`` when it was quoted: no word of like meaning will do. ``also`` are other spellings of it.
    """

    text: str
    field: str | None = None
    exact: bool = False
    also: tuple[str, ...] = ()


@_node
class Prefix(NamedTuple):
    """Any word that begins with ``text``."""

    text: str
    field: str | None = None


@_node
class Fuzzy(NamedTuple):
    """Any word at most ``distance`` edits away from ``text``."""

    text: str
    distance: int
    field: str | None = None


@_node
class Phrase(NamedTuple):
    """Two or more folded words next to each other in one field; ``also`` are other spellings of each, and ``parts``
    the words within it, as those of :class:`.analysis.Token`; both are empty where no word has any."""

    words: tuple[str, ...]
    field: str | None = None
    also: tuple[tuple[str, ...], ...] = ()
    parts: tuple[tuple[str, ...], ...] = ()


@_node
class Value(NamedTuple):
    """A tag, a person's name, a place or a title as it is written: these words next to each other in one value of
    ``field``, at each place any one of those given; ``whole``: and nothing else in that value."""

    places: tuple[tuple[str, ...], ...]
    field: str
    whole: bool = False


@_node
class Taken(NamedTuple):
    """Taken on a day from ``first`` to ``last``, both included; None leaves that end open."""

    first: date | None
    last: date | None


@_node
class Has(NamedTuple):
    """Carries the fact ``what``, one of :data:`.clauses.HAS`."""

    what: str


@_node
class Number(NamedTuple):
    """The number in ``field``, as the index stores it, is from ``low`` to ``high``, both included."""

    field: str
    low: int
    high: int


@_node
class Below(NamedTuple):
    """Lies at or below a path, given by its :func:`.clauses.path_key`."""

    key: str


@_node
class Inside(NamedTuple):
    """Taken within a box of degrees; in one across the date line ``west`` is larger than ``east``."""

    west: float
    south: float
    east: float
    north: float


@_node
class Around(NamedTuple):
    """Taken at most ``km`` kilometres from a position in degrees, or from the middle of the photos of a ``place``."""

    position: tuple[float, float] | None
    place: Node | None
    km: float


@_node
class When(NamedTuple):
    """A date among plain words: taken on one of these days, or with these words."""

    taken: Taken
    words: Node


@partial(_node, compared=3)  # by their clauses
class Ranked(NamedTuple):
    """A run of clauses: any of ``wanted`` (when there are some), all of ``required``, none of ``excluded``.

    ``files``: keys of files' names (see :func:`.analysis.name_key`); of the photos found, those of such a file come
    first. ``neighbours``: plain words typed one behind the other, which may be one word elsewhere ("ice cream").
    """

    wanted: tuple[Node, ...] = ()
    required: tuple[Node, ...] = ()
    excluded: tuple[Node, ...] = ()
    files: tuple[str, ...] = ()
    neighbours: tuple[tuple[str, str], ...] = ()


@_node
class AllOf(NamedTuple):
    """All of the parts."""

    parts: tuple[Node, ...]


@_node
class AnyOf(NamedTuple):
    """One part or several."""

    parts: tuple[Node, ...]


Condition = Taken | Has | Number | Below | Inside | Around  # they filter, and rank nothing

Node = Word | Prefix | Fuzzy | Phrase | Value | Condition | When | Ranked | AllOf | AnyOf


class ParsedQuery(NamedTuple):
    """A parsed query. ``words`` are the words a photo is wanted for, folded, unstemmed, in order, each once."""

    text: str
    root: Node
    words: tuple[str, ...]


def require_all(node: Node) -> Node:
    """Return the query that asks for every plain word of a run, where ``node`` asks for any."""
    if isinstance(node, Ranked):
        required = tuple(map(require_all, (*node.wanted, *node.required)))
        return Ranked((), required, node.excluded, node.files, node.neighbours)
    if isinstance(node, (AllOf, AnyOf)):
        return type(node)(tuple(map(require_all, node.parts)))
    return node
