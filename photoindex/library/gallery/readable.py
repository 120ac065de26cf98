"""Stems back to words, for showing them: reasons and learned words are stems, such as "giraff" and "lighthous"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property

from photoindex import captioner
from photoindex.captioner.model_files import LABELS_FILE, VOCABULARY_FILE
from photoindex.config import Settings
from photoindex.errors import ModelError
from photoindex.language.analysis import stem, words
from photoindex.types.hit import Matched


class ReadableWords:
    """The words that the model in use writes, by their stems; the most frequent word of each stem."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def _known(self) -> Mapping[str, str]:
        found: dict[str, str] = {}
        with suppress(ModelError, OSError, UnicodeDecodeError):
            folder = captioner.model_folder(self._settings.model)
            for name in (VOCABULARY_FILE, LABELS_FILE):
                for word in words((folder / name).read_text("utf-8")):
                    found.setdefault(stem(word), word)
        return found

    def word(self, stems: str, *texts: str) -> str:
        """Return a stem, or several with spaces between them, as one of the texts has it, or else the model."""
        near = {stem(word): word for text in reversed(texts) for word in words(text)}
        return " ".join(near.get(part) or self._known.get(part, part) for part in stems.split(" "))

    def of(self, matched: Sequence[Matched], *texts: str) -> dict[str, str]:
        """Return the words of reasons by their stems."""
        return {reason.word: self.word(reason.word, *texts) for reason in matched}
