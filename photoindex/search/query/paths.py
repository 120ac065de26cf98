"""Which of a photo's paths a query asks for: any of its copies may match, and the one that answers is to be named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from photoindex.language.analysis import Token, index_places, stem
from photoindex.search.fulltext.path_names import file_keys, name_parts, name_text, places_of, with_common_words
from photoindex.search.query.clauses import path_key
from photoindex.search.query.syntax import AllOf, AnyOf, Below, Fuzzy, Node, Phrase, Prefix, Ranked, Value, Word

NAMES = "names"


def asks_for_paths(node: Node) -> bool:
    """Return whether any clause of a query but those that exclude is about paths."""
    return any(True for _ in _path_clauses(node))


def by_answer(paths: Sequence[Path], node: Node, roots: Sequence[Path]) -> tuple[list[Path], int | None]:
    """Return the paths by how many clauses of the query they answer, most first, and how many of them are asked for.

    The clauses of ``path:``, ``folder:`` and ``name:`` come before plain words; what is equal stays as it was. The
    paths asked for are the first ones, which answer as many of those clauses as any; ``None``: there is no such clause.
    """
    clauses = list(_path_clauses(node))
    files = set(_file_keys(node))

    def answered(path: Path) -> tuple[int, int, int]:
        places = {path_key(place) for place in places_of(path, roots)}
        words = {word for here in index_places(name_text(path, roots)) for word in here}
        stems = {stem(word) for word in words}
        values = with_common_words(name_parts(path, roots)) if any(isinstance(each, Value) for each in clauses) else []
        met = [
            (each, _holds(each, values) if isinstance(each, Value) else _answers(each, places, words, stems))
            for each in clauses
        ]
        return (
            -sum(yes for clause, yes in met if not _is_plain(clause)),
            -len(files & file_keys(path.name)),
            -sum(yes for clause, yes in met if _is_plain(clause)),
        )

    keys = {path: answered(path) for path in paths}
    ordered = sorted(paths, key=keys.__getitem__)
    if all(map(_is_plain, clauses)):
        return ordered, None
    return ordered, sum(keys[path][0] == keys[ordered[0]][0] for path in ordered)


def _is_plain(clause: Node) -> bool:
    return not isinstance(clause, Below) and getattr(clause, "field", None) is None


def _path_clauses(node: Node) -> Iterator[Node]:
    for part in _wanted(node):
        if isinstance(part, Below) or (
            isinstance(part, (Word, Prefix, Fuzzy, Phrase, Value)) and part.field in (None, NAMES)
        ):
            yield part


def _file_keys(node: Node) -> Iterator[str]:
    if isinstance(node, Ranked):
        yield from node.files
    for part in _parts(node):
        yield from _file_keys(part)


def _wanted(node: Node) -> Iterator[Node]:
    parts = _parts(node)
    if not parts:
        yield node
    for part in parts:
        yield from _wanted(part)


def _parts(node: Node) -> tuple[Node, ...]:
    if isinstance(node, Ranked):
        return (*node.wanted, *node.required)
    return node.parts if isinstance(node, (AllOf, AnyOf)) else ()


def _holds(clause: Value, values: Sequence[Sequence[Token]]) -> bool:
    """Return whether one of these values has the words of a clause next to each other."""
    asked = [set(place) for place in clause.places]
    held = [[{token.word, *token.also} for token in value] for value in values]
    return any(
        not any(one.isdisjoint(other) for one, other in zip(asked, value[start : start + len(asked)], strict=True))
        for value in held
        for start in range(len(value) - len(asked) + 1)
    )


def _answers(clause: Node, places: set[str], words: set[str], stems: set[str]) -> bool:
    """Return whether the names of a path hold what a clause asks for; near enough for words out of their order."""
    if isinstance(clause, Below):
        return clause.key in places
    if isinstance(clause, Word):
        return not stems.isdisjoint(map(stem, (clause.text, *clause.also)))
    if isinstance(clause, Phrase):
        return all(stem(word) in stems for word in clause.words)
    if isinstance(clause, Prefix):
        return any(word.startswith(clause.text) for word in words)
    return isinstance(clause, Fuzzy) and any(word[:1] == clause.text[:1] for word in words)
