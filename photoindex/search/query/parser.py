"""The query language: from what a person types to a tree that says what a photo must show.

    giraffes in grass                words: photos with more of them, and rarer ones, come first
    "brown dog"                      these words next to each other (stop words do not count): required
    -dog   NOT dog                   photos without it
    cat AND dog   cat OR dog         capitals; a run of words binds first, then AND, then OR; ( ) group
    giraf*   girafe~                 words that begin so; words spelt nearly so
    camera:canon  lens:50mm  place:lisbon  person:anna  tag:holiday  title:harvest  caption:dog  label:dog  beam:dog
    folder:holiday  name:img         only in that field: required
    taken:2023  taken:2023-06-12  taken:2023-06-01..2023-07-15  taken:last week    days, see dates.py: required
    rating:>=4  rating:3..5  width:>3000  height:..1000  mp:12    numbers, see numbers.py: required
    has:gps  has:date  has:camera    photos that carry these facts (HAS): required
    format:jpeg                      photos of this format: required
    path:/photos/2019  path:2019/lisbon    photos at or below a path, absolute or from a root: required

What is required filters, and the plain words beside it only rank when there are some: at least one of them must match.
Any other text with a colon is plain words. Punctuation that means nothing is ignored, so no text is a syntax error.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Final, NamedTuple

from photoindex.errors import QueryError
from photoindex.language.analysis import STOP_WORDS, content_words, stem, typed_words, words
from photoindex.search.query import dates, numbers
from photoindex.search.query.syntax import (
    AllOf,
    AnyOf,
    Below,
    Fuzzy,
    Has,
    Node,
    Number,
    ParsedQuery,
    Phrase,
    Prefix,
    Ranked,
    Taken,
    Word,
)

LONGEST_QUERY: Final = 1000  # characters
MOST_CLAUSES: Final = 64  # words, those of phrases included
DEEPEST_NESTING: Final = 16
SHORTEST_PREFIX: Final = 2  # characters before the *
SHORTEST_FUZZY: Final = 3  # characters; every two-letter word is near every other
LONG_WORD: Final = 8  # characters from which a fuzzy word may differ in two places

# What a person writes before the colon -> the field of the index.
FIELDS: Final = {
    "caption": "caption",
    "beam": "beams",
    "label": "labels",
    "folder": "names",
    "file": "names",
    "name": "names",
    "camera": "camera",
    "lens": "lens",
    "place": "place",
    "person": "people",
    "people": "people",
    "tag": "tags",
    "tags": "tags",
    "keyword": "tags",
    "keywords": "tags",
    "title": "title",
}
# Facts of a photo that `has:` asks for. A date is one that was read, not the file's modification time; a caption is
# one that a person wrote.
HAS: Final = (
    "gps", "date", "camera", "lens", "place", "caption", "title", "keywords", "people", "rating",
)  # fmt: skip
_SAME: Final = {"keyword": "keywords", "tag": "keywords", "tags": "keywords", "person": "people", "stars": "rating"}
# Names of formats as suffixes have them -> as decoders do.
_FORMATS: Final = {"jpg": "jpeg", "jpe": "jpeg", "tif": "tiff", "heic": "heif", "jp2": "jpeg2000", "j2k": "jpeg2000"}
FORMAT: Final = "format="  # before a format's name, among the facts


def parse_query(text: str, today: date | None = None) -> ParsedQuery:
    """Understand what a person typed on the day ``today`` (default: this day, in local time, as cameras write theirs).

    Raises QueryError when nothing is left to search for, when a ``taken:`` is no date or a ``has:`` no fact, when a
    prefix is too short, and when the query exceeds 1,000 characters, 64 words or 16 nested parentheses. Never anything
    else.
    """
    if len(text) > LONGEST_QUERY:
        raise QueryError(f"the query has {len(text):,} characters; the limit is {LONGEST_QUERY:,}")
    parser = _Parser(_scan(text), today or date.today())
    root = parser.parse()
    if root is None:
        raise _nothing_to_search(text)
    if parser.clauses > MOST_CLAUSES:
        raise QueryError(f"the query has {parser.clauses} words; the limit is {MOST_CLAUSES}")
    return ParsedQuery(text, root, tuple(dict.fromkeys(parser.plain)))


def plain_words(text: str) -> str:
    """A query that asks for the words of ``text`` and nothing else, whatever its punctuation and capitals would mean.

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
    """``text`` with words replaced: ``instead`` maps a word as ``ParsedQuery.words`` has it to what is to stand there.

    Quotes, operators, field names and everything else stay as typed.
    """
    parts = []
    done = 0
    for start, end, folded in typed_words(text):
        typed = text[start:end]
        names_a_field = text[end : end + 1] == ":" and typed.lower() in _NAMES
        if len(folded) == 1 and folded[0] in instead and typed not in _OPERATORS and not names_a_field:
            parts += [text[done:start], instead[folded[0]]]
            done = end
    return "".join([*parts, text[done:]])


def _nothing_to_search(text: str) -> QueryError:
    common = list(dict.fromkeys(word for word in words(text) if word in STOP_WORDS))
    if common:
        examples = ", ".join(map(repr, common[:5]))
        return QueryError(f"nothing to search for: words as common as {examples} are not indexed")
    return QueryError("nothing to search for: give at least one word")


# ---- scanning: text to tokens --------------------------------------------------------------------

_QUOTES: Final = str.maketrans(dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02", '"'))
_OPERATORS: Final = ("AND", "OR", "NOT")
_NAMES: Final = frozenset({*FIELDS, *numbers.NUMBERS, "taken", "has", "format", "path"})
_TOKEN: Final = re.compile(
    rf"""(?P<space>\s+)
      | (?P<open>\() | (?P<close>\))
      | (?P<minus>(?<![^\s(])-+(?=[^\s)-]))
      | (?i:taken):(?P<taken>(?i:this|last|past)\s+(?:[0-9]{{1,4}}\s+)?(?i:(?:{dates.UNITS})s?))(?![^\s)])
      | (?:(?P<field>[A-Za-z]+):)? "(?P<phrase>[^"]*)"
      | (?P<chunk>[^\s()"]+)
      | (?P<stray>")""",
    re.VERBOSE,
)


class _Token(NamedTuple):
    kind: str  # open, close, minus, phrase, chunk, AND, OR, NOT
    text: str = ""
    field: str | None = None


def _scan(text: str) -> list[_Token]:
    # NFKC first, so that full-width colons, quotes and digits mean what they look like.
    text = unicodedata.normalize("NFKC", text.translate(_QUOTES)).translate(_QUOTES)
    tokens = []
    depth = 0
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        depth += (kind == "open") - (kind == "close")
        if depth < 0:  # closes nothing: a smiley, not logic
            depth = 0
            continue
        if kind == "phrase":
            name, quoted = match["field"], match["phrase"]
            known = name is not None and name.lower() in _NAMES
            if name is not None and not known:
                tokens.append(_Token("chunk", name))
            tokens.append(_Token("phrase", quoted, name.lower() if known else None))
        elif kind == "chunk":
            chunk = match["chunk"]
            name, colon, value = chunk.partition(":")
            if chunk in _OPERATORS:
                tokens.append(_Token(chunk))
            elif (name.lower() == "taken" and colon) or (name.lower() in _NAMES and value):
                tokens.append(_Token("chunk", value, name.lower()))
            else:
                tokens.append(_Token("chunk", chunk))
        elif kind == "taken":
            tokens.append(_Token("chunk", match["taken"], "taken"))
        elif kind not in ("space", "stray"):
            tokens.append(_Token(kind))
    return tokens


# ---- parsing: tokens to tree ---------------------------------------------------------------------


class _Parser:
    """Recursive descent: either := all (OR all)*; all := run (AND run)*; run := ([-|NOT] (clause | group))*."""

    def __init__(self, tokens: list[_Token], today: date) -> None:
        self._tokens = tokens
        self._today = today
        self._at = 0
        self.clauses = 0
        self.plain: list[str] = []

    def parse(self) -> Node | None:
        return self._either(0)

    def _peek(self) -> str:
        return self._tokens[self._at].kind if self._at < len(self._tokens) else "end"

    def _either(self, depth: int) -> Node | None:
        if depth > DEEPEST_NESTING:
            raise QueryError(f"more than {DEEPEST_NESTING} nested parentheses")
        return self._chain("OR", depth)

    def _chain(self, operator: str, depth: int) -> Node | None:
        parts = []
        while True:
            part = self._chain("AND", depth) if operator == "OR" else self._run(depth)
            if part is not None:
                parts.append(part)
            if self._peek() != operator:
                return _joined(parts, AnyOf if operator == "OR" else AllOf)
            self._at += 1

    def _run(self, depth: int) -> Node | None:
        wanted: dict[Node, None] = {}
        required: dict[Node, None] = {}
        excluded: dict[Node, None] = {}
        negative = False
        while (kind := self._peek()) not in ("end", "close", "AND", "OR"):
            token = self._tokens[self._at]
            self._at += 1
            if kind in ("minus", "NOT"):
                negative = True
                continue
            known = len(self.plain)
            if kind == "open":
                group = self._either(depth + 1)
                if self._peek() == "close":
                    self._at += 1
                found = [] if group is None else [group]
            else:
                found = self._clauses(token)
            if negative:
                del self.plain[known:]
                if found:
                    excluded[found[0] if len(found) == 1 else AllOf(tuple(found))] = None
            elif kind == "open" and found and isinstance(found[0], Ranked) and _is_plain(found[0]):
                wanted.update(dict.fromkeys(found[0].wanted))  # "(a brown dog)" is punctuation, not logic
            elif kind == "chunk" and token.field is None:
                wanted.update(dict.fromkeys(found))
            else:
                required.update(dict.fromkeys(found))
            negative = False
        if not (wanted or required or excluded):
            return None
        return Ranked(_once(wanted), tuple(required), tuple(excluded))

    def _clauses(self, token: _Token) -> list[Node]:
        if token.field == "taken":
            found: list[Node] = [_taken(token.text, self._today)]
        elif token.field == "has":
            found = [_has(token.text)]
        elif token.field in numbers.NUMBERS:
            found = [_number(token.field, token.text)]
        elif token.field == "format":
            found = [_format(token.text)]
        elif token.field == "path":
            found = [Below(path_key(_expanded(token.text)))]
        elif token.kind == "phrase":
            found = _phrase(token.text, FIELDS.get(token.field or ""))
        else:
            found = _words(token.text, FIELDS.get(token.field or ""))
        self.clauses += sum(len(node.words) if isinstance(node, Phrase) else 1 for node in found)
        if token.field is None:
            for node in found:
                self.plain += node.words if isinstance(node, Phrase) else [node.text] if isinstance(node, Word) else []
        return found


def _joined(parts: list[Node], kind: type[AllOf] | type[AnyOf]) -> Node | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    return kind(tuple(parts))


def _is_plain(run: Ranked) -> bool:
    return not run.required and not run.excluded


def _once(wanted: dict[Node, None]) -> tuple[Node, ...]:
    # "dogs dog" is one clause: counted twice it would look like two words found.
    by_stem: dict[Node, Node] = {}
    for node in wanted:
        by_stem.setdefault(replace(node, text=stem(node.text)) if isinstance(node, Word) else node, node)
    return tuple(by_stem.values())


# ---- clauses -------------------------------------------------------------------------------------

_FUZZY: Final = re.compile(r"(?P<text>.*[^~])~+(?P<distance>[12]?)")


def _words(text: str, field: str | None) -> list[Node]:
    """One chunk between spaces: usually one word, several when punctuation divides it ("t-shirt")."""
    fuzzy = _FUZZY.fullmatch(text)
    if text.endswith("*"):
        *plain, last = words(text) or [""]
        if last and len(last) < SHORTEST_PREFIX:
            raise QueryError(f"'{last}*' stands for too many words: give at least {SHORTEST_PREFIX} letters")
        ending: list[Node] = [Prefix(last, field)] if last else []
    elif fuzzy:
        *plain, last = words(fuzzy["text"]) or [""]
        distance = int(fuzzy["distance"] or (2 if len(last) >= LONG_WORD else 1))
        if len(last) < SHORTEST_FUZZY:
            plain, ending = [*plain, last] if last else plain, []
        else:
            ending = [Fuzzy(last, distance, field)]
    else:
        plain, ending = words(text), []
    return [*(Word(word, field) for word in plain if word not in STOP_WORDS), *ending]


def _phrase(text: str, field: str | None) -> list[Node]:
    content = tuple(word for word in words(text) if word not in STOP_WORDS)
    if len(content) > 1:
        return [Phrase(content, field)]
    return [Word(word, field, exact=True) for word in content]


def _taken(text: str, today: date) -> Taken:
    try:
        first, last = dates.days_of(text, today)
    except ValueError:
        raise QueryError(
            f"taken:{_shown(text)} is not a date: write taken:2023, taken:2023-06, taken:2023-06-12,"
            " taken:2023-06-01..2023-07-15, taken:today, taken:yesterday, taken:last-week or taken:this-month"
        ) from None
    if first and last and first > last:
        raise QueryError(f"taken:{_shown(text)} ends before it begins")
    return Taken(first, last)


def _has(text: str) -> Has:
    what = text.strip().lower()
    what = _SAME.get(what, what)
    if what not in HAS:
        raise QueryError(f"has:{_shown(text)} is not known: write {', '.join(f'has:{name}' for name in HAS)}")
    return Has(what)


def _number(name: str, text: str) -> Number:
    field = numbers.NUMBERS[name]
    try:
        low, high = numbers.bounds_of(field, text)
    except ValueError:
        raise QueryError(
            f"{name}:{_shown(text)} is not a number: write {name}:4, {name}:>=4, {name}:<4, {name}:3..5 or {name}:3.."
        ) from None
    return Number(field, low, high)


def _format(text: str) -> Has:
    name = "".join(words(text))
    return Has(f"{FORMAT}{_FORMATS.get(name, name)}")


def path_key(path: str) -> str:
    """What the index knows a path by: case, Unicode's ways to write a letter and the kind of slash do not matter.

    A path may be long and may hold anything, so this is a digest of it.
    """
    level = unicodedata.normalize("NFC", unicodedata.normalize("NFKD", path).casefold()).replace("\\", "/")
    parts = [part for part in level.split("/") if part not in ("", ".")]
    text = ("/" if level.startswith("/") else "") + "/".join(parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _expanded(path: str) -> str:
    try:
        return os.path.expanduser(path)
    except ValueError:  # "~" before what no user can be called
        return path


def _shown(text: str) -> str:
    return ascii(text)[1:-1][:40]
