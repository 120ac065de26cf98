"""The stemmer: the form under which the words of a text are indexed and compared."""

from __future__ import annotations

import importlib
from typing import Any, Final

_snowball: Any = importlib.import_module("Stemmer")  # PyStemmer has no type hints

# Porter2. The older Porter stemmer leaves doubled consonants alone, so that "running" does not find "run".
_ENGLISH: Final = _snowball.Stemmer("english", 0)

# Stems change a little between versions of Snowball, so an index has to be rebuilt with another one.
VERSION: Final = f"snowball {_snowball.version()}"


def english_stem(word: str) -> str:
    """Return the English stem of a lower-case word: "giraffes" and "giraffe" give "giraff" (Snowball's Porter2)."""
    return str(_ENGLISH.stemWord(word))
