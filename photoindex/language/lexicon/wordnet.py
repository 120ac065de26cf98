"""Reading WordNet's database files (wndb(5WN)): noun synsets, what lies above them, and which sense of a word is usual.

Only nouns are kept: what a photo shows is said in nouns, and verbs have too many senses to be traded for one another.
The other parts of speech count only as rivals for a word: "watch" is a timepiece less often than something one does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from photoindex.errors import PhotoindexError

# Lexicographer files (lexnames(5WN)) of things that can be seen: animal, artifact, body, food, object, person,
# phenomenon, plant, substance; and the top nodes, where "animal" and "person" are.
VISIBLE: Final = frozenset({3, 5, 6, 8, 13, 17, 18, 19, 20, 27})


@dataclass(frozen=True, slots=True)
class Synset:
    """One meaning: the nouns that have it (as spelt, spaces for underscores) and the synsets it is a kind of."""

    offset: int
    file: int  # the lexicographer file
    lemmas: tuple[str, ...]
    above: tuple[int, ...]  # offsets of its hypernyms
    is_instance: bool  # "Lake Ontario" is an instance of a lake, not a kind of lake


@dataclass(frozen=True)
class WordNet:
    synsets: dict[int, Synset]
    senses: dict[str, list[int]]  # lower-case noun -> offsets, the usual sense first
    counts: dict[tuple[str, int], int]  # (noun, offset) -> how often it was met in texts in that sense
    rivals: dict[str, float] = field(default_factory=dict)  # word -> how often it was met as another part of speech

    @cached_property
    def below(self) -> dict[int, list[int]]:
        children: dict[int, list[int]] = defaultdict(list)
        for synset in self.synsets.values():
            for offset in synset.above:
                children[offset].append(synset.offset)
        return children

    def ancestors(self, offset: int) -> dict[int, int]:
        """Everything the synset is a kind of, itself included, nearest first, with the number of steps up."""
        steps = {offset: 0}
        waiting = [offset]
        for offset in waiting:  # grows while it is walked
            for above in self.synsets[offset].above:
                if above not in steps:
                    steps[above] = steps[offset] + 1
                    waiting.append(above)
        return steps

    def descendants(self, offset: int) -> set[int]:
        """Return the offsets of all synsets below this one."""
        offsets: set[int] = set()
        waiting = [offset]
        while waiting:
            for below in self.below.get(waiting.pop(), ()):
                if below not in offsets:
                    offsets.add(below)
                    waiting.append(below)
        return offsets


def read_wordnet(folder: Path) -> WordNet:
    """Read ``data.noun``, ``index.*`` and ``cntlist.rev``. Raises PhotoindexError when a file is missing or damaged."""
    reading = folder
    try:
        reading = folder / "data.noun"
        synsets: dict[int, Synset] = {}
        keys: dict[tuple[str, int, int], int] = {}  # (noun, file, number within the file) -> offset
        for line in _records(reading):
            synset, numbers = _synset(line)
            synsets[synset.offset] = synset
            for lemma, number in zip(synset.lemmas, numbers, strict=True):
                keys[lemma.lower(), synset.file, number] = synset.offset
        reading = folder / "index.noun"
        senses = {line.split()[0].replace("_", " "): _offsets(line) for line in _records(reading)}
        rivals: dict[str, float] = defaultdict(float)
        for part in ("verb", "adj", "adv"):
            reading = folder / f"index.{part}"
            for line in _records(reading):
                rivals[line.split()[0].replace("_", " ")] = 0.5  # known, never met
        reading = folder / "cntlist.rev"
        counts: dict[tuple[str, int], int] = {}
        for line in _records(reading):
            key, _, count = line.split()
            lemma, _, address = key.replace("_", " ").partition("%")
            part, lexfile, nth = address.split(":")[:3]
            if part != "1":
                rivals[lemma] += int(count)
            # A few keys are of synsets that this edition of the files does not have.
            elif (offset := keys.get((lemma, int(lexfile), int(nth)))) is not None:
                counts[lemma, offset] = counts.get((lemma, offset), 0) + int(count)
        return WordNet(synsets, senses, counts, dict(rivals))
    except OSError as error:
        raise PhotoindexError(f"cannot read {reading}: {error.strerror}; name the folder with data.noun") from error
    except (ValueError, IndexError, KeyError) as error:
        raise PhotoindexError(f"{reading} is not a file of a WordNet 3 database ({error})") from error


def _records(path: Path) -> Iterator[str]:
    with path.open(encoding="latin-1") as lines:
        yield from (line for line in lines if line.strip() and not line.startswith("  "))  # the licence is indented


def _synset(line: str) -> tuple[Synset, list[int]]:
    """``offset file type count(hex) (lemma id)... pointers (symbol offset part source/target)... | gloss``"""
    parts = line.partition(" | ")[0].split()
    lemmas = int(parts[3], 16)
    at = 4 + 2 * lemmas
    pointers = [(parts[n], int(parts[n + 1])) for n in range(at + 1, at + 1 + 4 * int(parts[at]), 4)]
    synset = Synset(
        offset=int(parts[0]),
        file=int(parts[1]),
        lemmas=tuple(lemma.replace("_", " ") for lemma in parts[4:at:2]),
        above=tuple(offset for symbol, offset in pointers if symbol == "@"),
        is_instance=any(symbol == "@i" for symbol, _ in pointers),
    )
    return synset, [int(number, 16) for number in parts[5:at:2]]


def _offsets(line: str) -> list[int]:
    """``lemma part synsets ... offset...``"""
    parts = line.split()
    return [int(offset) for offset in parts[-int(parts[2]) :]]
