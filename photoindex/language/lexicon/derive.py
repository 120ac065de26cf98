"""Rebuild the tables of this package from a WordNet 3.0 database and the word lists of the shipped models:

    python -m photoindex.language.lexicon.derive /usr/share/wordnet

(Debian's package ``wordnet-base`` has those files.) The same input gives the same tables, byte for byte. This
module is not used when photos are captioned or searched.

How sure a word means a synset is its *share*: how often the word was met in that sense in WordNet's tagged texts, of
all the times it was met. Those texts are newspapers and novels, so senses that cannot be seen count a quarter, other
parts of speech count half, and `judgement` overrules them for some words.

Kinds: each ImageNet class is a synset, and all that lies above it is a kind of thing it is. Of these remain the ones
with a name that people use in captions and mostly in this sense.

Synonyms: a word stands for the other words of its synset; a narrow word ("puppy") also for the nearest broader one
("dog") that is basic in the sense of Rosch et al., "Basic objects in natural categories" (1976): what people call a
thing first. Here: no word below it is more common in captions. So "puppy" is traded for "dog", "dog" not for "animal".

Forms: for each stem that is no word ("sculptur") the word with it that is most common in captions or, if none is, in
WordNet's tagged texts.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import permutations
from pathlib import Path
from typing import Final

from photoindex.errors import PhotoindexError
from photoindex.language.analysis import STOP_WORDS, stem, words
from photoindex.language.lexicon import judgement
from photoindex.language.lexicon.tables import FOLDER, FORMS, KINDS, SYNONYMS, format_weights, write_table
from photoindex.language.lexicon.wordnet import VISIBLE, WordNet, read_wordnet
from photoindex.system.package_data import models_dir

UNSEEN: Final = 0.25  # what a sense counts that cannot be seen
RIVAL: Final = 0.5  # what a use as another part of speech counts

# Of the noun alone: a class is known to be in its synset, only the name may mislead.
KIND_SHARE: Final = 0.25
NAME_SHARE: Final = 0.5
MOST_NAMES: Final = 2  # other names of a class

OWN_SHARE: Final = 0.3  # for the word asked
OTHER_SHARE: Final = 0.4  # for the word it is traded for
OTHER_RANK: Final = 3000
SAME: Final = 0.8  # weight of a word of the same synset, when both mean nothing else
BROADER: Final = 0.5  # of the nearest basic word above, one step up
STEP: Final = 0.8  # for each further step
STEPS: Final = 4
LEAST: Final = 0.2  # weights below are dropped


class Lexicographer:
    """Decides which words stand for a synset. ``vocabulary`` are words of captions, the most common first."""

    def __init__(self, net: WordNet, vocabulary: Sequence[str]) -> None:
        self._net = net
        self._rank: dict[str, int] = {}  # stem -> place in the vocabulary
        self._in_captions = set(vocabulary)
        for place, word in enumerate(vocabulary):
            self._rank.setdefault(stem(word), place)
        self._spellings: dict[str, list[str]] = defaultdict(list)  # stem -> words known to WordNet
        for word in sorted({*net.senses, *net.rivals}):
            if _is_plain(word):
                self._spellings[stem(word)].append(word)
        self._photo_senses = {
            stem(word): self._sense(word, file) for word, file in judgement.PHOTO_SENSES.items() if word in net.senses
        }
        self.shares = lru_cache(maxsize=None)(self._shares)
        self.names = lru_cache(maxsize=None)(self._names)
        self.basic_name = lru_cache(maxsize=None)(self._basic_name)

    def rank(self, word: str) -> int:
        """Return the place of a word among those of captions, by frequency; a very large number when it is in none."""
        return self._rank.get(stem(word), 1 << 30)

    # ---- senses ----------------------------------------------------------------------------------

    def _shares(self, stemmed: str) -> dict[int, float]:
        """Return for each synset the share of the uses of the words with this stem that are in that sense."""
        if stemmed in self._photo_senses:
            return {self._photo_senses[stemmed]: 1.0}
        weights: dict[int, float] = defaultdict(float)
        others = 0.0
        for word in self._spellings.get(stemmed, ()):
            others += self._net.rivals.get(word, 0.0) * RIVAL
            for offset, weight in self._weights(word):
                weights[offset] += weight
        total = sum(weights.values()) + others
        return {offset: weight / total for offset, weight in weights.items()}

    def share(self, word: str, offset: int) -> float:
        return self.shares(stem(word)).get(offset, 0.0)

    def noun_share(self, word: str, offset: int) -> float:
        """Return the share among the senses of this noun alone, as it is spelt."""
        if stem(word) in self._photo_senses:
            return self.share(word, offset)
        weights = dict(self._weights(word))
        return weights.get(offset, 0.0) / sum(weights.values()) if weights else 0.0

    def _weights(self, word: str) -> Iterable[tuple[int, float]]:
        place = 0
        for offset in self._net.senses.get(word, ()):
            synset = self._net.synsets[offset]
            if synset.is_instance or word not in synset.lemmas:  # names of people and places
                continue
            met = self._net.counts.get((word, offset), 0) + 0.5**place  # the usual sense is listed first
            yield offset, met if synset.file in VISIBLE else met * UNSEEN
            place += 1

    def _sense(self, word: str, file: int) -> int:
        return next(offset for offset in self._net.senses[word] if self._net.synsets[offset].file == file)

    # ---- names -----------------------------------------------------------------------------------

    def _names(self, offset: int) -> list[str]:
        """Return the single words of captions that mostly mean this synset, the most common first."""
        synset = self._net.synsets[offset]
        if synset.file not in VISIBLE:
            return []
        usable = (word for word in synset.lemmas if _is_plain(word) and self._is_in_captions(word))
        common = [w for w in usable if self.rank(w) < OTHER_RANK and self.share(w, offset) >= OTHER_SHARE]
        return sorted(common, key=lambda word: (self.rank(word), word))

    def _basic_name(self, offset: int) -> str | None:
        names = self.names(offset)
        if not names or not judgement.NOT_TRADED_FOR.isdisjoint(names):
            return None
        most_common = min(
            (self.rank(name) for below in self._net.descendants(offset) for name in self.names(below)),
            default=1 << 30,
        )
        return names[0] if self.rank(names[0]) <= most_common else None

    # ---- kinds -----------------------------------------------------------------------------------

    def kinds(self, label: str, offset: int) -> list[str]:
        """Return the other names of a thing of this class, then broader words, nearest first."""
        own = list(map(stem, words(label)))
        other = [name for name in self._net.synsets[offset].lemmas if self._names_class(name, offset)]
        other = [name for name in other if list(map(stem, words(name))) != own]
        chosen = sorted(other, key=lambda name: max(map(self.rank, words(name))))[:MOST_NAMES]
        for above in self._net.ancestors(offset):
            names = [name for name in self._net.synsets[above].lemmas if self._names_kind(name, above)]
            if names and above != offset:
                chosen.append(min(names, key=self.rank))
        return [name for name in dict.fromkeys(chosen) if list(map(stem, words(name))) != own]

    def _names_class(self, name: str, offset: int) -> bool:
        if name in judgement.MISLEADING_NAMES or not name.islower():
            return False
        if name in judgement.MORE_NAMES:
            return True
        parts = words(name)
        if len(parts) > 1:
            return all(part in STOP_WORDS or stem(part) in self._rank for part in parts)
        met = self._is_in_captions(name) or (name, offset) in self._net.counts
        return _is_plain(name) and met and self.noun_share(name, offset) >= NAME_SHARE

    def _names_kind(self, name: str, offset: int) -> bool:
        if name in judgement.TOO_BROAD:
            return False
        if name in judgement.MORE_NAMES:
            return True
        return _is_plain(name) and self._is_in_captions(name) and self.noun_share(name, offset) >= KIND_SHARE

    def _is_in_captions(self, noun: str) -> bool:
        """Return whether a caption has this noun or its plural, and not only another word of the same stem."""
        return any(form in self._in_captions for form in (noun, f"{noun}s", f"{noun}es"))

    # ---- synonyms --------------------------------------------------------------------------------

    def synonyms(self, word: str) -> dict[str, float]:
        """Return words of captions that may describe a photo of a ``word``, with weights up to 1."""
        weights: dict[str, float] = defaultdict(float)
        for offset, share in self.shares(stem(word)).items():
            if share < OWN_SHARE or word not in self._net.synsets[offset].lemmas:
                continue
            for name in self.names(offset):
                weights[name] += SAME * share * self.share(name, offset)
            for name, weight in self._broader(word, offset):
                weights[name] = max(weights[name], BROADER * share * weight)
        return {name: weight for name, weight in weights.items() if stem(name) != stem(word) and weight >= LEAST}

    def _broader(self, word: str, offset: int) -> Iterable[tuple[str, float]]:
        """Return the nearest basic words above a synset, with weights that fall with the distance and the other
        senses."""
        nearest = STEPS
        for above, steps in self._net.ancestors(offset).items():
            if 0 < steps <= nearest and (name := self.basic_name(above)) and self.rank(name) < self.rank(word):
                nearest = steps
                yield name, STEP ** (steps - 1) * self.share(name, above)


def _is_plain(word: str) -> bool:
    """Return whether this is one word of the index and no name: "dog", but not "hot dog", "t-shirt" or "Crane"."""
    return word.isascii() and word.isalpha() and word.islower() and len(word) > 2 and word not in STOP_WORDS


# ---- classes -------------------------------------------------------------------------------------


def align_classes(net: WordNet, labels: Sequence[str]) -> list[int]:
    """Return the synset of each ImageNet class. The classes are in the order of their synsets' offsets, which separates
    the first "crane" from the second; where several fit, the first sense is taken, or the one in `judgement`.

    Raises PhotoindexError when ``labels`` is not such a list.
    """
    choices = [
        [judgement.CLASSES[label]] if label in judgement.CLASSES else sorted(net.senses.get(label.lower(), ()))
        for label in labels
    ]
    aligned: list[int] = []
    last = 0
    for number, (label, offsets) in enumerate(zip(labels, choices, strict=True)):
        limit = next((following[0] for following in choices[number + 1 :] if len(following) == 1), 1 << 30)
        fitting = [offset for offset in offsets if last < offset < limit]
        if not fitting:
            raise PhotoindexError(f"no synset fits the class {label!r} at its place among the labels")
        aligned.append(last := fitting[0])
    return aligned


# ---- tables --------------------------------------------------------------------------------------


def derive_kinds(lexicographer: Lexicographer, net: WordNet, labels: Sequence[str]) -> dict[str, list[str]]:
    """Return the kinds of each label that has some."""
    pairs = zip(labels, align_classes(net, labels), strict=True)
    by_label = {label: lexicographer.kinds(label, offset) for label, offset in pairs}
    for label, kinds in judgement.KINDS.items():
        if label in by_label:
            by_label[label] = list(kinds)
    return {label: kinds for label, kinds in by_label.items() if kinds}


def derive_synonyms(lexicographer: Lexicographer, net: WordNet) -> dict[str, dict[str, float]]:
    """Return the synonyms of each word that has some."""
    usable = (word for word in net.senses if _is_plain(word) and word not in judgement.NOT_TRADED)
    by_word = {word: lexicographer.synonyms(word) for word in usable}
    for word, other, weight in _judged():
        mine = by_word.setdefault(word, {})
        if lexicographer.rank(other) < OTHER_RANK and mine.get(other, 0.0) < weight:
            mine[other] = weight
    return {word: others for word, others in by_word.items() if others}


def derive_forms(net: WordNet, vocabulary: Sequence[str]) -> dict[str, str]:
    """Return the word to show for each stem that is no word itself."""
    places = {word: place for place, word in enumerate(vocabulary)}
    met: dict[str, float] = defaultdict(float)
    for (word, _), count in net.counts.items():
        met[word] += count
    known = {word for word in {*net.senses, *net.rivals, *vocabulary} if _is_plain(word)}
    by_stem: dict[str, list[str]] = defaultdict(list)
    for word in sorted(known):
        by_stem[stem(word)].append(word)

    def least_worth(word: str) -> tuple[int, float, int, str]:
        return places.get(word, len(places)), -met[word] - net.rivals.get(word, 0.0), len(word), word

    commonest = {root: min(forms, key=least_worth) for root, forms in by_stem.items() if root not in known}
    return {
        root: word for root, word in commonest.items() if word in places or met[word] + net.rivals.get(word, 0.0) > 1
    }


def _judged() -> Iterable[tuple[str, str, float]]:
    for weight, groups in judgement.ALIKE.items():
        for group in groups:
            yield from ((word, other, weight) for word, other in permutations(group.split(), 2))
    for word, others in judgement.STANDS_FOR.items():
        yield from ((word, other, weight) for other, weight in others.items())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m photoindex.language.lexicon.derive")
    parser.add_argument("wordnet", type=Path, help="folder of the WordNet 3.0 database: data.noun, index.noun, ...")
    parser.add_argument("--models", type=Path, default=models_dir(), help="folder of the shipped models")
    parser.add_argument("--to", type=Path, default=FOLDER, help="folder to write the tables to")
    given = parser.parse_args(arguments)
    net = read_wordnet(given.wordnet)
    vocabulary = _interleaved(_read_lists(given.models, "vocabulary.txt"))
    lexicographer = Lexicographer(net, vocabulary)
    kinds: dict[str, list[str]] = {}
    for labels in _read_lists(given.models, "labels.txt"):
        kinds |= derive_kinds(lexicographer, net, labels)
    write_table(given.to / KINDS, {label: ", ".join(names) for label, names in kinds.items()})
    synonyms = derive_synonyms(lexicographer, net)
    write_table(given.to / SYNONYMS, {word: format_weights(others) for word, others in synonyms.items()})
    forms = derive_forms(net, vocabulary)
    write_table(given.to / FORMS, forms)
    print(f"{len(kinds)} labels with kinds, {len(synonyms)} words with synonyms, {len(forms)} stems with a word")


def _read_lists(models: Path, name: str) -> list[list[str]]:
    return [path.read_text(encoding="utf-8").splitlines() for path in sorted(models.glob(f"*/{name}"))]


def _interleaved(lists: Sequence[Sequence[str]]) -> list[str]:
    """Return the words of several lists, each sorted by frequency, by their best place."""
    places: dict[str, int] = {}
    for words_ in lists:
        for place, word in enumerate(words_):
            places[word] = min(place, places.get(word, place))
    return sorted(places, key=lambda word: (places[word], word))


if __name__ == "__main__":
    main()
