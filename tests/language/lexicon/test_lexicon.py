"""The shipped tables: what they say of labels and words, and that nothing in them can mislead a search."""

from __future__ import annotations

from pathlib import Path

import pytest

from photoindex.captioner import model_folder
from photoindex.language import lexicon
from photoindex.language.analysis import content_words, stem, words
from photoindex.language.lexicon.tables import FOLDER, KINDS, SYNONYMS, parse_weights
from tests.language.lexicon.tables import read_table


def lines(name: str) -> list[str]:
    model = model_folder("default")
    return (model / name).read_text(encoding="utf-8").splitlines()


class TestKinds:
    @pytest.mark.parametrize(
        ("label", "expected"),
        [
            ("Egyptian cat", {"cat", "animal"}),
            ("tabby", {"cat", "animal"}),
            ("golden retriever", {"retriever", "dog", "animal"}),
            ("convertible", {"car", "vehicle"}),
            ("cab", {"taxi", "car", "vehicle"}),
            ("pizza", {"food", "dish"}),
            ("espresso", {"coffee", "drink"}),
            ("ice bear", {"polar bear", "bear", "animal"}),
            ("bullet train", {"train", "vehicle"}),
            ("violin", {"musical instrument"}),
        ],
    )
    def test_a_label_is_of_the_kinds_that_people_call_it(self, label: str, expected: set[str]) -> None:
        assert expected <= set(lexicon.kinds(label))

    def test_labels_of_one_name_are_told_apart(self) -> None:
        assert "bird" in lexicon.kinds("crane bird")
        assert "bird" not in lexicon.kinds("crane")
        assert "dog" in lexicon.kinds("Cardigan")
        assert lexicon.kinds("cardigan") == ("sweater", "clothing")

    def test_what_nobody_searches_for_is_no_kind(self) -> None:
        kinds = {kind for label in lines("labels.txt") for kind in lexicon.kinds(label)}
        assert not kinds & {"entity", "object", "whole", "artifact", "instrumentality", "matter", "unit", "organism"}

    def test_every_entry_belongs_to_a_label_of_the_shipped_model(self) -> None:
        assert set(read_table(FOLDER / KINDS)) <= set(lines("labels.txt"))

    def test_no_kind_only_repeats_its_label(self) -> None:
        for label in lines("labels.txt"):
            own = [stem(word) for word in words(label)]
            assert own not in [[stem(word) for word in words(kind)] for kind in lexicon.kinds(label)]

    def test_members_of_a_kind_are_the_places_of_its_labels(self) -> None:
        members = lexicon.members(["pizza", "Egyptian cat", "unheard of", "tabby"])
        assert members["cat"] == [1, 3]
        assert members["food"] == [0]

    def test_an_unknown_label_has_no_kinds(self) -> None:
        assert lexicon.kinds("unheard of") == ()


class TestSynonyms:
    @pytest.mark.parametrize(
        ("word", "other"),
        [
            ("bike", "bicycle"),
            ("bikes", "bicycle"),
            ("sofa", "couch"),
            ("puppies", "dog"),
            ("automobile", "car"),
            ("tv", "television"),
            ("airplane", "plane"),
            ("aircraft", "airplane"),
            ("kids", "child"),
            ("guy", "man"),
            ("lady", "woman"),
            ("sneakers", "shoe"),
            ("gray", "grey"),
            ("leaping", "jump"),
            ("animals", "giraffe"),
        ],
    )
    def test_a_word_stands_for_what_captions_say_instead(self, word: str, other: str) -> None:
        assert stem(other) in lexicon.synonyms(word)

    @pytest.mark.parametrize(
        "word",
        ["bat", "crane", "mouse", "plant", "glasses", "orange", "couple", "watch", "bank", "train", "seal", "fan"],
    )
    def test_a_word_with_several_common_senses_stands_for_itself_alone(self, word: str) -> None:
        assert dict(lexicon.synonyms(word)) == {}

    @pytest.mark.parametrize(
        ("word", "other"), [("kid", "goat"), ("scooter", "boat"), ("guy", "cat"), ("puppy", "animal")]
    )
    def test_a_word_does_not_stand_for_another_sense(self, word: str, other: str) -> None:
        assert stem(other) not in lexicon.synonyms(word)

    def test_a_word_nobody_knows_stands_for_nothing(self) -> None:
        assert dict(lexicon.synonyms("qwertz")) == {}

    def test_the_same_word_counts_more_than_a_broader_one(self) -> None:
        assert lexicon.synonyms("sofa")["couch"] > lexicon.synonyms("puppy")["dog"]

    def test_no_word_stands_for_itself_and_every_weight_is_a_share(self) -> None:
        for word in read_table(FOLDER / SYNONYMS):
            found = lexicon.synonyms(word)
            assert stem(word) not in found
            assert all(0 < weight < 1 for weight in found.values())

    def test_every_word_is_one_word_of_the_index_and_traded_for_words_of_captions(self) -> None:
        said = {stem(word) for word in lines("vocabulary.txt")}
        for word, others in read_table(FOLDER / SYNONYMS).items():
            assert content_words(word) == [word]
            assert {stem(other) for other, _ in parse_weights(others)} <= said


class TestFiles:
    def test_the_licence_of_wordnet_lies_beside_the_tables(self) -> None:
        licence = (FOLDER / "WORDNET-LICENSE").read_text(encoding="utf-8")
        assert "WordNet 3.0 Copyright 2006 by Princeton University" in licence
        assert licence.rstrip().endswith("LICENSEE agrees to preserve same.")

    @pytest.mark.parametrize("name", [KINDS, SYNONYMS])
    def test_tables_are_sorted_and_small(self, name: str) -> None:
        path: Path = FOLDER / name
        keys = [line.split("\t")[0] for line in path.read_text(encoding="utf-8").splitlines()[1:]]
        assert keys == sorted(set(keys))
        assert path.stat().st_size < 250_000
