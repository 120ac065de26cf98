"""From stems back to words, for showing them: people read "sculpture", not "sculptur"."""

from __future__ import annotations

from functools import lru_cache

from photoindex.language.lexicon.tables import FOLDER, FORMS, look_up


@lru_cache(maxsize=1 << 14)
def word_of(stems: str) -> str:
    """Return a word with this stem, or a word for each of several with spaces between; itself when none is known."""
    return " ".join(look_up(FOLDER / FORMS, stem) or stem for stem in stems.split(" "))
