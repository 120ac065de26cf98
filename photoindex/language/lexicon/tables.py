"""Look things up in the derived tables, and write them: an entry a line, ``key TAB value, value``, sorted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
KINDS: Final = "kinds.txt"  # label -> names of what it is
SYNONYMS: Final = "synonyms.txt"  # word -> words with weights
FORMS: Final = "forms.txt"  # stem that is no word -> a word with it
_HEADER: Final = (
    "# Derived from WordNet 3.0 (see WORDNET-LICENSE) by photoindex.language.lexicon.derive; not edited by hand.\n"
)


def look_up(path: Path, key: str) -> str | None:
    """Return the rest of a key's line. The text is searched and not parsed: a search asks for a few lines of
    thousands."""
    text = _read(path)
    start = text.find(f"\n{key}\t")
    if start < 0:
        return None
    start += len(key) + 2
    return text[start : text.index("\n", start)]


@cache
def _read(path: Path) -> str:
    return "\n" + path.read_text(encoding="utf-8")


def write_table(path: Path, table: Mapping[str, str]) -> None:
    lines = (f"{key}\t{table[key]}\n" for key in sorted(table))
    path.write_text(_HEADER + "".join(lines), encoding="utf-8", newline="\n")


def format_weights(others: Mapping[str, float]) -> str:
    """Return ``{"couch": 0.9}`` as ``couch 0.9``, the heaviest first."""
    ordered = sorted(others.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{word} {weight:.1f}" for word, weight in ordered)


def parse_weights(text: str) -> Iterable[tuple[str, float]]:
    for part in text.split(", "):
        word, weight = part.rsplit(" ", 1)
        yield word, float(weight)
