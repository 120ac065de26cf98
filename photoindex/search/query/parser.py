"""The query language: from what a person types to a tree of what a photo must show. docs/queries.md has it as a table.

    giraffes in grass                words: photos with more of them, and rarer ones, come first
    "brown dog"                      these words next to each other (stop words do not count): required
    -dog   NOT dog                   photos without it
    cat AND dog   cat OR dog         capitals; a run of words binds first, then AND, then OR; ( ) group
    giraf*   girafe~                 words that begin so; words spelt nearly so
    camera:canon  lens:50mm  place:lisbon  person:anna  tag:holiday  title:harvest  caption:dog  label:dog  beam:dog
    folder:holiday  name:img         only in that field: required
    2008   october 2008   last christmas   photos of these days, or with these words
    taken:2023  taken:>2020  taken:2023-06-01..2023-07-15  taken:last week    days, see dates.py: required
    rating:>=4  rating:3..5  width:>3000  height:..1000  mp:12    numbers, see numbers.py: required
    has:gps  has:date  has:camera    photos that carry these facts (HAS): required
    is:screenshot  is:bw  is:"black and white"    what they look like, and their shape (types/looks.py): required
    format:jpeg                      photos of this format: required
    near:38.72,-9.14,5  near:lisbon  bbox:-9.3,38.6,-9,38.8    positions, see positions.py: required
    path:/photos/2019  path:2019/lisbon    photos at or below a path, absolute or from a root: required

What is required filters, and the plain words beside it only rank when there are some: at least one of them must match.
Any other text with a colon is plain words, unless it is nearly the name of a field. Punctuation that means nothing is
ignored, so no text is a syntax error; but a condition without anything to search for is refused, never left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final, NamedTuple

from photoindex.errors import QueryError
from photoindex.language.analysis import STOP_WORDS, content_words, name_key, stem, typed_words, words
from photoindex.search.query import numbers
from photoindex.search.query.clauses import (
    FIELDS,
    NAMES,
    TAKEN,
    bbox_node,
    count_words,
    format_node,
    has_node,
    is_node,
    near_node,
    number_node,
    path_node,
    phrase_nodes,
    shown,
    taken_node,
    when_node,
    word_nodes,
)
from photoindex.search.query.quoting import OPERATORS
from photoindex.search.query.scanner import QueryToken, scan
from photoindex.search.query.syntax import AllOf, AnyOf, Node, ParsedQuery, Phrase, Ranked, Word
from photoindex.system.arguments import text_of
from photoindex.types.limits import LONGEST_QUERY

MOST_CLAUSES: Final = 64  # words, those of phrases included, as count_words counts them
DEEPEST_NESTING: Final = 16


def parse_query(text: str, today: date | None = None) -> ParsedQuery:
    """Parse what a person typed on the day ``today`` (default: this day, in local time, as cameras write theirs).

    Raises QueryError when nothing is left to search for, as a whole or in a condition, when a ``taken:`` is no date or
    a ``has:`` or ``is:`` no fact, when a field's name is misspelt, when a prefix is too short, and when the query
    exceeds 1,000 characters, 64 words or 16 nested parentheses; TypeError for what is no text. Never anything else.
    """
    if len(text_of(text, "a query")) > LONGEST_QUERY:
        raise QueryError(f"the query has {len(text):,} characters; the limit is {LONGEST_QUERY:,}")
    parser = _Parser(scan(text), today or date.today())
    root = parser.parse()
    if root is None:
        raise _nothing_to_search(text)
    if parser.clauses > MOST_CLAUSES:
        raise QueryError(f"the query has {parser.clauses} words; the limit is {MOST_CLAUSES}")
    if isinstance(root, Ranked):  # "My Dog (1).jpg" has spaces and parentheses
        root = root._replace(files=tuple(dict.fromkeys((*root.files, name_key(text)))))
    return ParsedQuery(text, root, tuple(dict.fromkeys(parser.plain)))


def plain_words(text: str) -> str:
    """Return a query for the words of ``text``, whatever its punctuation and capitals would mean.

    Stop words are left out, a word in several forms is asked once, and a text beyond the limits of a query is cut to
    its first words. Empty when no word is left: such a query is refused.
    """
    by_stem: dict[str, str] = {}
    length = -1  # no space before the first
    for word in content_words(text):
        if stem(word) in by_stem:
            continue
        length += 1 + len(word)
        if len(by_stem) == MOST_CLAUSES or length > LONGEST_QUERY:
            break
        by_stem[stem(word)] = word
    return " ".join(by_stem.values())


def respell(text: str, instead: Mapping[str, str]) -> str:
    """Return ``text`` with words replaced; ``instead`` maps a word, as in ``ParsedQuery.words``, to another.

    Quotes, operators, field names and everything else stay as typed.
    """
    parts = []
    done = 0
    for start, end, folded in typed_words(text):
        typed = text[start:end]
        names_a_field = text[end : end + 1] == ":" and typed.lower() in NAMES
        if len(folded) == 1 and folded[0] in instead and typed not in OPERATORS and not names_a_field:
            parts += [text[done:start], instead[folded[0]]]
            done = end
    return "".join([*parts, text[done:]])


def _nothing_to_search(text: str, clause: str = "") -> QueryError:
    """Return the error for a query, or a clause of it, without a word that is searched."""
    common = list(dict.fromkeys(word for word in words(text) if word in STOP_WORDS))
    where = f" (in {shown(clause)})" if clause else ""
    if common:
        examples = ", ".join(map(repr, common[:5]))
        return QueryError(f"nothing to search for: words as common as {examples} are not indexed{where}")
    return QueryError(f"nothing to search for: give at least one word{where}")


# ---- parsing: tokens to tree ---------------------------------------------------------------------


class _Part(NamedTuple):
    """A part of a chain of operators: what it asks for, and its first token when it asks for nothing."""

    node: Node | None
    without: QueryToken | None = None


class _Clauses:
    """The clauses of a run while it is read."""

    def __init__(self) -> None:
        self.wanted: dict[Node, None] = {}
        self.required: dict[Node, None] = {}
        self.excluded: dict[Node, None] = {}
        self.files: dict[str, None] = {}
        self.neighbours: dict[tuple[str, str], None] = {}
        self.before: str | None = None  # the plain word just before
        self.dropped: QueryToken | None = None  # a token that asks for nothing
        self.signs: QueryToken | None = None  # one without any letter or digit

    def drop(self, token: QueryToken) -> None:
        self.dropped = self.dropped or token
        if not words(token.text):
            self.signs = self.signs or token

    def part(self) -> _Part:
        if self.signs and not self.wanted and (self.required or self.excluded):
            raise _nothing_to_search("", str(self.signs))
        if not (self.wanted or self.required or self.excluded):
            return _Part(None, self.dropped)
        return _Part(
            Ranked(
                _once(self.wanted),
                tuple(self.required),
                tuple(self.excluded),
                tuple(self.files),
                tuple(self.neighbours),
            )
        )

    def follow(self, nodes: list[Node]) -> None:
        """Note what stands beside what: these are the clauses of the next token."""
        plain = [node for node in nodes if isinstance(node, Word) and node.field is None and not node.exact]
        this = plain[0].text if len(nodes) == len(plain) == 1 and not plain[0].also else None
        if self.before and this:
            self.neighbours[self.before, this] = None
        self.before = this


class _Parser:
    """Recursive descent: either := all (OR all)*; all := run (AND run)*; run := ((-|NOT)* (clause | group))*."""

    def __init__(self, tokens: list[QueryToken], today: date) -> None:
        self._tokens = tokens
        self._today = today
        self._at = 0
        self.clauses = 0
        self.plain: list[str] = []

    def parse(self) -> Node | None:
        return self._either(0).node

    def _peek(self) -> str:
        return self._tokens[self._at].kind if self._at < len(self._tokens) else "end"

    def _either(self, depth: int) -> _Part:
        if depth > DEEPEST_NESTING:
            raise QueryError(f"more than {DEEPEST_NESTING} nested parentheses")
        return self._chain("OR", depth)

    def _chain(self, operator: str, depth: int) -> _Part:
        parts: list[_Part] = []
        while True:
            parts.append(self._chain("AND", depth) if operator == "OR" else self._run(depth))
            if self._peek() != operator:
                break
            self._at += 1
        nodes = [part.node for part in parts if part.node is not None]
        without = next((part.without for part in parts if part.without is not None), None)
        if without is not None and nodes and operator == "AND":
            raise _nothing_to_search(without.text, str(without))
        if len(nodes) < 2:
            return _Part(nodes[0]) if nodes else _Part(None, without)
        return _Part((AnyOf if operator == "OR" else AllOf)(tuple(nodes)))

    def _run(self, depth: int) -> _Part:
        run = _Clauses()
        negations = 0
        while (kind := self._peek()) not in ("end", "close", "AND", "OR"):
            token = self._tokens[self._at]
            self._at += 1
            if kind in ("minus", "NOT"):
                negations += 1
                continue
            known = len(self.plain)
            nodes = self._group(depth) if kind == "open" else self._clauses(token)
            if negations:
                del self.plain[known:]
                if not nodes:
                    raise _nothing_to_search(token.text, f"-{token}")
                excluded = nodes[0] if len(nodes) == 1 else AllOf(tuple(nodes))
                if negations % 2 == 0:  # "NOT NOT dog" is what "NOT (NOT dog)" is: a dog is required
                    excluded = Ranked(excluded=(excluded,))
                run.excluded[excluded] = None
            else:
                _add(run, token, nodes)
            run.follow([] if negations else nodes)
            negations = 0
        return run.part()

    def _group(self, depth: int) -> list[Node]:
        group = self._either(depth + 1).node
        if self._peek() == "close":
            self._at += 1
        return [] if group is None else [group]

    def _clauses(self, token: QueryToken) -> list[Node]:
        nodes = self._nodes(token)
        self.clauses += sum(map(count_words, nodes))
        if token.field is None:
            for node in nodes:
                if isinstance(node, Phrase):
                    self.plain += node.words
                elif isinstance(node, Word) and not node.also:  # one of several spellings is not misspelt
                    self.plain.append(node.text)
        return nodes

    def _nodes(self, token: QueryToken) -> list[Node]:
        name, text = token.field or "", token.text
        if name in TAKEN:
            return [taken_node(text, self._today)]
        if name == "has":
            return [has_node(text)]
        if name == "is":
            return [is_node(text)]
        if name in numbers.NUMBERS:
            return [number_node(name, text)]
        if name == "format":
            return [format_node(text)]
        if name == "path":
            return [path_node(text)]
        if name == "near":
            return [near_node(text)]
        if name == "bbox":
            return [bbox_node(text)]
        if token.kind == "when" and (node := when_node(text, self._today)) is not None:
            return [node]
        return (phrase_nodes if token.kind == "phrase" else word_nodes)(text, FIELDS.get(name))


def _add(run: _Clauses, token: QueryToken, nodes: list[Node]) -> None:
    """Add the clauses of a token that is not excluded to its run. Raises QueryError for a condition that is empty."""
    if token.field in (None, "name", "file") and not token.text.isalpha() and (key := name_key(token.text)):
        run.files[key] = None
    if not nodes:
        if token.field is not None or (token.kind == "phrase" and token.text.strip()):
            raise _nothing_to_search(token.text, str(token))
        run.drop(token)
    elif token.kind == "open" and isinstance(nodes[0], Ranked) and not (nodes[0].required or nodes[0].excluded):
        run.wanted.update(dict.fromkeys(nodes[0].wanted))  # "(a brown dog)" is punctuation, not logic
    elif token.kind in ("chunk", "when") and token.field is None:
        run.wanted.update(dict.fromkeys(nodes))
    else:
        run.required.update(dict.fromkeys(nodes))


def _once(wanted: dict[Node, None]) -> tuple[Node, ...]:
    # "dogs dog" is one clause: counted twice it would look like two words found.
    by_stem: dict[Node, Node] = {}
    for node in wanted:
        by_stem.setdefault(node._replace(text=stem(node.text)) if isinstance(node, Word) else node, node)
    return tuple(by_stem.values())
