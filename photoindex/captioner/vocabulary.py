"""Words and their numbers: how a caption becomes the decoder's targets, and the decoder's output a caption."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from photoindex.captioner.grammar import with_articles
from photoindex.errors import CheckpointError
from photoindex.system.error_lines import reason_of

PAD, START, END, UNK = 0, 1, 2, 3
SPECIAL = ("<pad>", "<start>", "<end>", "<unk>")

# A word, a hyphenated word, or the possessive 's on its own, as the Penn Treebank tokeniser splits it.
_TOKEN = re.compile(r"'s\b|\w+(?:-\w+)*")
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'"})


def tokenize(caption: str) -> list[str]:
    """Lower-case words without punctuation: ``"The dog's ball."`` -> ``["the", "dog", "'s", "ball"]``.

    Captions are scored on the same tokens, so that a full stop is never counted as a word.
    """
    text = unicodedata.normalize("NFKC", caption).translate(_APOSTROPHES).lower()
    # Contractions stay whole ("don't" is one word); only the possessive is split off.
    text = re.sub(r"(\w)'(?!s\b)(\w)", r"\1\2", text)
    return _TOKEN.findall(text.replace("_", " "))


def detokenize(words: Iterable[str]) -> str:
    """``["the", "dog", "'s", "ball"]`` -> ``"the dog's ball"``."""
    return " ".join(words).replace(" 's", "'s")


class Vocabulary:
    """A fixed list of words; the first four are the special ones of :data:`SPECIAL`."""

    def __init__(self, words: Sequence[str]) -> None:
        if tuple(words[: len(SPECIAL)]) != SPECIAL:
            raise CheckpointError(f"a vocabulary begins with {' '.join(SPECIAL)}; this one does not")
        self.words = tuple(words)
        self._ids = {word: number for number, word in enumerate(words)}
        if len(self._ids) != len(self.words):
            raise CheckpointError("a vocabulary names each word once; this one repeats some")

    def __len__(self) -> int:
        return len(self.words)

    @classmethod
    def from_captions(
        cls, captions: Iterable[str], threshold: int = 4, texts: Iterable[str] = (), text_threshold: int = 40
    ) -> Vocabulary:
        """All words that occur at least ``threshold`` times, or ``text_threshold`` times in ``texts``.

        The most frequent come first, those of the captions before the texts' (ties alphabetical).
        """
        counts = Counter(word for caption in captions for word in tokenize(caption))
        more = Counter(word for text in texts for word in tokenize(text))
        kept = {word for word, n in counts.items() if n >= threshold}
        added = {word for word, n in more.items() if n >= text_threshold} - kept
        return cls(
            (*SPECIAL, *sorted(kept, key=lambda w: (-counts[w], w)), *sorted(added, key=lambda w: (-more[w], w)))
        )

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """One word a line, as :meth:`save` writes it. Raises :class:`CheckpointError`."""
        try:
            return cls(path.read_text(encoding="utf-8").splitlines())
        except (OSError, UnicodeDecodeError) as error:
            raise CheckpointError(f"cannot read the vocabulary {path}: {reason_of(error)}") from error

    def save(self, path: Path) -> None:
        path.write_text("\n".join(self.words) + "\n", encoding="utf-8")

    def encode(self, caption: str) -> list[int]:
        """``<start> word … word <end>`` as numbers; words it does not hold become ``<unk>``."""
        return [START, *(self._ids.get(word, UNK) for word in tokenize(caption)), END]

    def decode(self, ids: Iterable[int]) -> str:
        """Numbers to a caption: stops at ``<end>``, leaves the special words out, sets articles right."""
        words = []
        for number in ids:
            if number == END:
                break
            if number >= len(SPECIAL):
                words.append(self.words[number])
        return detokenize(with_articles(words))
