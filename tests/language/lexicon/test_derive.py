"""Deriving the tables, on a database of a dozen synsets in WordNet's format."""

from __future__ import annotations

from pathlib import Path

import pytest

from photoindex.errors import PhotoindexError
from photoindex.language.lexicon.derive import align_classes, main
from photoindex.language.lexicon.tables import KINDS, SYNONYMS
from photoindex.language.lexicon.wordnet import read_wordnet
from tests.language.lexicon.tables import read_table

ENTITY, ANIMAL, BIRD, CRANE_BIRD, DOG, PUPPY, THING, SOFA, CRANE, CRANE_POET, PERSON, WHELP = range(100, 1300, 100)
# offset: (lexicographer file, lemmas, hypernyms, are they classes or kinds)
SYNSETS = {
    ENTITY: (3, "entity", (), "@"),
    ANIMAL: (3, "animal beast", (ENTITY,), "@"),
    BIRD: (5, "bird", (ANIMAL,), "@"),
    CRANE_BIRD: (5, "crane", (BIRD,), "@"),
    DOG: (5, "dog domestic_dog Canis_familiaris", (ANIMAL,), "@"),
    PUPPY: (5, "puppy", (DOG,), "@"),
    THING: (6, "artifact", (ENTITY,), "@"),
    SOFA: (6, "sofa couch lounge", (THING,), "@"),
    CRANE: (6, "crane", (THING,), "@"),
    CRANE_POET: (18, "Crane Hart_Crane", (ANIMAL,), "@i"),
    PERSON: (3, "person", (ENTITY,), "@"),
    WHELP: (18, "puppy", (PERSON,), "@"),
}
COUNTS = {("dog", DOG): 42, ("couch", SOFA): 5, ("sofa", SOFA): 5, ("puppy", PUPPY): 8, ("puppy", WHELP): 1}
VERBS = {"couch": 1, "lounge": 30}
VOCABULARY = "a dog person bird couch sofa lounge animal puppy crane".split()
LICENCE = "  1 This software and database is being provided to you\n"


@pytest.fixture
def wordnet(tmp_path: Path) -> Path:
    folder = tmp_path / "dict"
    folder.mkdir()
    senses: dict[str, list[int]] = {}
    records = [LICENCE]
    for offset, (file, lemmas, above, symbol) in SYNSETS.items():
        names = lemmas.split()
        for name in names:
            senses.setdefault(name.lower(), []).append(offset)
        pointers = "".join(f" {symbol} {target:08} n 0000" for target in above)
        spelt = " ".join(f"{name} {offset // 100:x}" for name in names)
        records.append(f"{offset:08} {file:02} n {len(names):02x} {spelt} {len(above):03}{pointers} | what it means\n")
    (folder / "data.noun").write_text("".join(records))
    # "puppy" is listed with its usual sense first, as the files do.
    (folder / "index.noun").write_text(
        LICENCE
        + "".join(
            f"{name} n {len(found)} 1 @ {len(found)} 0 {' '.join(f'{offset:08}' for offset in found)}  \n"
            for name, found in sorted(senses.items())
        )
    )
    (folder / "index.verb").write_text(LICENCE + "".join(f"{verb} v 1 0 1 1 00000001  \n" for verb in VERBS))
    for part in ("adj", "adv"):
        (folder / f"index.{part}").write_text(LICENCE)
    counted = [f"{w}%1:{SYNSETS[o][0]:02}:{o // 100:02}:: 1 {n}\n" for (w, o), n in COUNTS.items()]
    counted += [f"{verb}%2:30:00:: 1 {count}\n" for verb, count in VERBS.items()]
    (folder / "cntlist.rev").write_text("".join([*counted, "gone%1:05:00:: 1 3\n"]))
    return folder


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models" / "one"
    folder.mkdir(parents=True)
    (folder / "vocabulary.txt").write_text("\n".join(VOCABULARY))
    (folder / "labels.txt").write_text("dog")
    return folder.parent


class TestTables:
    def derive(self, wordnet: Path, models: Path, to: Path) -> tuple[dict[str, str], dict[str, str]]:
        to.mkdir()
        main([str(wordnet), "--models", str(models), "--to", str(to)])
        return read_table(to / KINDS), read_table(to / SYNONYMS)

    def test_kinds_are_what_lies_above_and_is_said(self, wordnet: Path, models: Path, tmp_path: Path) -> None:
        (models / "one" / "labels.txt").write_text("crane\ndog\npuppy\nsofa")
        kinds, _ = self.derive(wordnet, models, tmp_path / "to")
        assert kinds == {"crane": "bird, animal", "dog": "animal", "puppy": "dog, animal", "sofa": "couch, lounge"}

    def test_synonyms_are_words_of_the_same_sense_or_a_basic_broader_one(
        self, wordnet: Path, models: Path, tmp_path: Path
    ) -> None:
        (models / "one" / "labels.txt").write_text("dog")
        _, synonyms = self.derive(wordnet, models, tmp_path / "to")
        assert "couch" in synonyms["sofa"]
        assert "lounge" not in synonyms["sofa"], "it is a verb far more often"
        assert synonyms["puppy"].startswith("dog ")
        assert "dog" not in synonyms, "animal is above, but more is called a dog than an animal"
        assert "crane" not in synonyms, "one word, two things"

    def test_the_same_database_gives_the_same_bytes(self, wordnet: Path, models: Path, tmp_path: Path) -> None:
        (models / "one" / "labels.txt").write_text("dog\npuppy")
        for to in (tmp_path / "one", tmp_path / "two"):
            self.derive(wordnet, models, to)
        for name in (KINDS, SYNONYMS):
            assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


class TestClasses:
    def test_their_order_tells_two_of_one_name_apart(self, wordnet: Path) -> None:
        net = read_wordnet(wordnet)
        assert align_classes(net, ["crane", "dog", "puppy", "sofa", "crane"]) == [CRANE_BIRD, DOG, PUPPY, SOFA, CRANE]

    def test_labels_in_another_order_are_refused(self, wordnet: Path) -> None:
        with pytest.raises(PhotoindexError, match="no synset fits the class 'sofa' at its place"):
            align_classes(read_wordnet(wordnet), ["sofa", "dog"])


class TestReading:
    def test_names_of_people_are_instances_and_counts_go_to_their_sense(self, wordnet: Path) -> None:
        net = read_wordnet(wordnet)
        assert net.synsets[CRANE_POET].is_instance
        assert net.synsets[DOG].lemmas == ("dog", "domestic dog", "Canis familiaris")
        assert net.counts["puppy", PUPPY] == 8
        assert net.rivals == {"couch": 1.5, "lounge": 30.5}
        assert net.ancestors(PUPPY) == {PUPPY: 0, DOG: 1, ANIMAL: 2, ENTITY: 3}
        assert net.descendants(ANIMAL) == {BIRD, CRANE_BIRD, DOG, PUPPY}

    def test_a_missing_file_is_named(self, wordnet: Path) -> None:
        (wordnet / "cntlist.rev").unlink()
        with pytest.raises(PhotoindexError, match=r"cannot read .*cntlist\.rev"):
            read_wordnet(wordnet)

    def test_a_damaged_file_is_named(self, wordnet: Path) -> None:
        with (wordnet / "data.noun").open("a") as file:
            file.write("00001400 05 n zz\n")
        with pytest.raises(PhotoindexError, match=r"data\.noun is not a file of a WordNet 3 database"):
            read_wordnet(wordnet)
