"""Ranks of people's descriptions, the rows of layers, and the comparison with BM25."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from photoindex.search import Document, FullText
from photoindex.search.ranking.weights import DEFAULT_RANKING, Ranking
from photoindex.training.search_scores import (
    Bm25,
    SearchedDescription,
    Trial,
    layer_rows,
    one_human_caption,
    one_text,
    other_human_captions,
    rank_descriptions,
    rank_with_bm25,
    rank_with_index,
    score_ranks,
)

DOCUMENTS = (
    Document(7, "a dog on the grass", beams="a cat", names="zebra", camera="okapi"),
    Document(3, "a dog", labels="frisbee"),
    Document(5, "a dog"),
)


class TestRanks:
    def test_scores_are_shares_of_queries_a_median_and_a_mean(self) -> None:
        scores = score_ranks(np.array([1, 2, 10, 11, 101]), 100)
        assert scores.queries == 5
        assert scores.recall == {1: 20, 5: 40, 10: 60, 50: 80}
        assert scores.median_rank == 10
        assert scores.reciprocal == pytest.approx((1 + 1 / 2 + 1 / 10 + 1 / 11) / 5)

    def test_a_photo_that_is_not_found_is_beyond_every_cut(self) -> None:
        assert score_ranks(np.array([4, 4]), 3).recall == {1: 0, 5: 0, 10: 0, 50: 0}

    def test_a_rank_is_the_place_that_the_search_gives(self, tmp_path: Path) -> None:
        told: list[tuple[int, int]] = []
        asked = [
            SearchedDescription("A dog, on the grass.", 7),
            SearchedDescription("a dog", 3),
            SearchedDescription("a dog", 5),  # as good as photo 3, and indexed after it
            SearchedDescription("a dog -dog", 5),
            SearchedDescription("NOT a frisbee", 3),
            SearchedDescription("a horse", 5),
            SearchedDescription("it is the", 5),
        ]
        with FullText.open(tmp_path) as fulltext:
            fulltext.rebuild(DOCUMENTS)
            ranks = rank_descriptions(asked, lambda q: fulltext.search(q, None), 3, lambda *at: told.append(at))
        assert ranks.tolist() == [1, 2, 3, 3, 1, 4, 4]
        assert (told[0], told[-1]) == ((0, 7), (7, 7))


class TestLayers:
    def test_each_layer_stands_alone_and_is_added_to_those_before(self) -> None:
        names = [name for name, _ in layer_rows()]
        assert names[:3] == ["captions", "beams", "labels"]
        assert "captions + beams" in names
        assert names[-1].startswith("all: captions + beams + labels")

    def test_a_row_searches_its_layers_and_never_names_and_cameras(self, tmp_path: Path) -> None:
        rows = dict(layer_rows())
        with FullText.open(tmp_path) as fulltext:
            fulltext.rebuild(DOCUMENTS)

            def found(row: str, query: str) -> list[int]:
                return [match.photo_id for match in fulltext.search(query, None, rows[row])]

            everything = "grass cat frisbee zebra okapi"
            assert found("captions", everything) == found("beams", everything) == [7]
            assert found("labels", everything) == [3]
            assert sorted(found("captions + beams", everything)) == [7]
            (last,) = (row for row in rows if row.startswith("all: "))
            assert sorted(found(last, everything)) == [3, 7]
            assert [found(row, "zebra okapi") for row in rows] == [[]] * len(rows)

    def test_the_last_row_has_the_weights_of_the_real_search(self) -> None:
        *_, (_, everything) = layer_rows()
        # Names and cameras may give a data set's photos away; people, who wrote its captions, say nothing more in them.
        by_model = {"caption", "beams", "labels", "kinds", "text", "unsure_text"}
        fields = {name: weight if name in by_model else 0.0 for name, weight in DEFAULT_RANKING.fields.items()}
        assert everything == replace(DEFAULT_RANKING, fields=fields)

    def test_a_layer_without_a_weight_has_no_row(self) -> None:
        rows = layer_rows(Ranking(fields={"caption": 1.0, "beams": 0.0, "labels": 0.5}, terms=0.0, synonyms=0.0))
        assert [name for name, _ in rows] == ["captions", "labels", "all: captions + labels"]


class TestComparisons:
    CAPTIONS = (("a dog", "a hound", "a puppy"), ("a cat", "a kitten"), ("a cow",))

    def test_one_human_caption_is_indexed_and_the_others_are_asked(self) -> None:
        first, second, third = one_human_caption(self.CAPTIONS)
        assert first.texts == ["a dog", "a cat", "a cow"]
        assert second.texts == ["a hound", "a kitten", "a cow"]
        assert third.texts == ["a puppy", "a cat", "a cow"]
        assert first.descriptions == [
            SearchedDescription("a hound", 0),
            SearchedDescription("a puppy", 0),
            SearchedDescription("a kitten", 1),
        ]

    def test_the_others_are_indexed_and_one_is_asked(self) -> None:
        first, second, third = other_human_captions(self.CAPTIONS)
        assert first.texts == ["a hound . a puppy", "a kitten", ""]
        assert first.descriptions == [SearchedDescription("a dog", 0), SearchedDescription("a cat", 1)]
        assert second.texts == ["a dog . a puppy", "a cat", "a cow"]
        assert third.descriptions == [SearchedDescription("a puppy", 0)]

    def test_of_many_captions_the_first_five_count(self) -> None:
        captions = [tuple("abcdefg")]
        assert len(one_human_caption(captions)) == len(other_human_captions(captions)) == 5
        assert all(len(trial.descriptions) == 4 for trial in one_human_caption(captions))

    def test_of_nothing_there_is_nothing_to_ask(self) -> None:
        assert one_human_caption([]) == other_human_captions([]) == []
        assert rank_with_bm25([]).tolist() == rank_with_index([], DEFAULT_RANKING).tolist() == []
        assert [trial.descriptions for trial in other_human_captions([("a cow",)])] == [[]]

    def test_both_indexes_rank_the_trials_one_after_the_other(self) -> None:
        told: list[tuple[int, int]] = []
        trials = [
            one_text(["a dog", "a black dog", "a cow"], [("Dogs!", "a cow"), ("the black one",), ("horse",)]),
            Trial(["a cow"], [SearchedDescription("cows", 0)]),
        ]
        by_bm25 = rank_with_bm25(trials, lambda *at: told.append(at))
        assert by_bm25.tolist() == rank_with_index(trials, DEFAULT_RANKING).tolist() == [1, 4, 1, 4, 1]
        assert (told[0], told[-1]) == ((0, 5), (5, 5))


class TestBm25:
    def test_a_score_is_what_the_formula_says(self) -> None:
        # "cow" in two of three documents, of 1, 3 and 2 words: which of the two is first depends on k1 and b alone.
        documents = [["cow"], ["cow", "cow", "grass"], ["dog", "grass"]]

        def score(tf: int, length: int, k1: float, b: float) -> float:
            return math.log(1 + 1.5 / 2.5) * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / 2))

        for k1, b in ((1.2, 0.75), (1.2, 0.0), (1.2, 1.0), (0.1, 0.9)):
            short, long = score(1, 1, k1, b), score(2, 3, k1, b)
            index = Bm25(documents, k1, b)
            assert index.rank(["cow"], 0) == (1 if short >= long else 2)
            assert index.rank(["cow"], 1) == (1 if long > short else 2)
            assert index.rank(["cow"], 2) == 4

    def test_of_equals_the_first_is_first_and_a_word_counts_once(self) -> None:
        index = Bm25([["cow"], ["dog"], ["cow"], ["dog", "dog"]])
        assert [index.rank(["cow"], 0), index.rank(["cow"], 2)] == [1, 2]
        assert index.rank(["dog", "cow", "cow"], 1) == index.rank(["dog", "cow"], 1)

    def test_documents_without_words_are_no_error(self) -> None:
        assert Bm25([[], []]).rank(["dog"], 1) == 3
