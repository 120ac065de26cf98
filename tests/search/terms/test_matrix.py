"""Learned terms: what a query asks of them, the impact matrix, and photos like one another."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoindex.search.query.parser import parse_query
from photoindex.search.terms.matrix import (
    Stamp,
    TermMatrix,
    TermView,
    build,
    shared_terms,
    similar,
    stand_ins_of,
    terms_of,
)
from photoindex.types import TermVocabulary, VectorBatch

WORDS = ("dog", "cat", "black", "black dog", "tree")
STAMP = Stamp("a catalogue", 7)


def batch(vocabulary: TermVocabulary, photos: Mapping[int, Mapping[str, int]]) -> VectorBatch:
    entries = [sorted((vocabulary.words.index(term), q) for term, q in impacts.items()) for impacts in photos.values()]
    flat = [entry for each in entries for entry in each]
    return VectorBatch(
        np.array(list(photos), np.int64),
        np.array([len(each) for each in entries], np.intp),
        np.array([number for number, _ in flat], np.uint16),
        np.array([impact for _, impact in flat], np.uint8),
    )


def matrix(*models: tuple[TermVocabulary, Mapping[int, Mapping[str, int]]]) -> TermMatrix:
    return build(
        STAMP,
        {number: vocabulary for number, (vocabulary, _) in enumerate(models)},
        lambda number: [batch(*models[number])],
    )


def column(found: TermMatrix | TermView, term: str) -> dict[int, object]:
    """photo id -> impact"""
    parts = found.column(term) or ()
    rows = [row for part in parts for row in part.rows.tolist()]
    assert sorted(rows) == rows
    impacts = [impact for part in parts for impact in part.impacts().tolist()]
    ids = found.photo_ids[np.array(rows, np.intp)].tolist()
    return {photo: pytest.approx(impact) for photo, impact in zip(ids, impacts, strict=True) if photo >= 0}


class TestWhatAQueryAsksFor:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("dogs", {"dog"}),
            ("the black dogs", {"black", "dog", "black dog"}),
            ("black the dog", {"black", "dog", "black dog"}),
            ("black dogs running", {"black", "dog", "black dog", "run", "dog run"}),
            ("black -white dog", {"black", "dog", "black dog"}),
            ("black wh* dog", {"black", "dog"}),
            ("black camera:canon taken:2023", {"black"}),
            ('"black dog" cat', {"cat"}),
            ("dog OR (cat AND bird)", {"dog", "cat", "bird"}),
            ("dog (cat OR bird)", {"dog", "cat", "bird"}),
            ("-dog", set()),
            ("cat -(dog bird)", {"cat"}),
            ("caption:dog", set()),
            ("taken:2023", set()),
        ],
    )
    def test_plain_words_and_neighbours_and_nothing_that_only_restricts(self, query: str, expected: set[str]) -> None:
        found = terms_of(parse_query(query).root)
        assert set(found) == expected
        assert len(found) == len(expected)

    def test_what_may_stand_in_for_plain_words(self) -> None:
        assert set(stand_ins_of(parse_query("sofas on a beach OR pooch").root)) >= {"couch", "dog"}
        assert stand_ins_of(parse_query('caption:sofa "sofa" -sofa').root) == []


class TestMatrix:
    def test_a_column_holds_the_photos_of_a_term_with_their_impacts(self) -> None:
        found = matrix(
            (TermVocabulary(WORDS, 0.5), {3: {"dog": 10, "tree": 255}, 8: {"dog": 1, "black dog": 7}, 9: {}})
        )
        assert column(found, "dog") == {3: 5.0, 8: 0.5}
        assert column(found, "black dog") == {8: 3.5}
        assert column(found, "tree") == {3: 127.5}
        assert column(found, "cat") == {}
        assert found.column("unheard") is None
        assert len(found) == 3
        assert found.norms.tolist() == pytest.approx([0.5 * np.hypot(10, 255), 0.5 * np.hypot(1, 7), 0.0])

    def test_each_models_vectors_are_read_through_its_own_vocabulary_and_scale(self) -> None:
        found = matrix(
            (TermVocabulary(("dog", "tree"), 0.5), {5: {"dog": 10}, 9: {"tree": 10, "dog": 2}}),
            (TermVocabulary(("tree", "bird", "dog"), 0.1), {2: {"tree": 50, "bird": 3}, 7: {"dog": 10}}),
        )
        assert column(found, "dog") == {5: 5.0, 9: 1.0, 7: 1.0}
        assert column(found, "tree") == {9: 5.0, 2: 5.0}
        assert column(found, "bird") == {2: 0.3}

    def test_an_id_beyond_the_vocabulary_is_left_out(self) -> None:
        vocabulary = TermVocabulary(("dog",), 1.0)
        wrong = VectorBatch(
            np.array([1, 2]), np.array([2, 1]), np.array([0, 9, 0], np.uint16), np.array([5, 6, 7], np.uint8)
        )
        found = build(STAMP, {1: vocabulary}, lambda _: [wrong])
        assert column(found, "dog") == {1: 5.0, 2: 7.0}
        assert len(found.blocks[0].rows.all()) == 2

    def test_no_vectors_make_an_empty_matrix(self) -> None:
        assert len(build(STAMP, {}, lambda _: [])) == 0
        assert column(matrix((TermVocabulary(WORDS, 1.0), {})), "dog") == {}

    @settings(deadline=None)
    @given(
        st.lists(st.dictionaries(st.integers(0, 4), st.integers(1, 255), max_size=5), max_size=12),
        st.integers(1, 5),
    )
    def test_columns_are_the_rows_turned_round_however_they_come_in_batches(
        self, photos: list[dict[int, int]], size: int
    ) -> None:
        vocabulary = TermVocabulary(WORDS, 1.0)
        vectors = {n: {WORDS[i]: q for i, q in each.items()} for n, each in enumerate(photos, 1)}
        ids = list(vectors)
        parts = [
            batch(vocabulary, {n: vectors[n] for n in ids[start : start + size]}) for start in range(0, len(ids), size)
        ]
        found = build(STAMP, {1: vocabulary}, lambda _: parts)
        for term in WORDS:
            assert column(found, term) == {n: each[term] for n, each in vectors.items() if term in each}


class TestView:
    VOCABULARY = TermVocabulary(WORDS, 1.0)

    def test_what_changed_replaces_what_the_matrix_says(self) -> None:
        base = matrix((self.VOCABULARY, {1: {"dog": 1}, 2: {"dog": 2}, 3: {"dog": 3, "cat": 3}}))
        delta = matrix((self.VOCABULARY, {2: {"dog": 20}, 4: {"dog": 40, "tree": 4}}))
        view = TermView(base, delta, [2, 3, 4])  # 3 has no vector any more
        assert column(view, "dog") == {1: 1.0, 2: 20.0, 4: 40.0}
        assert column(view, "cat") == {}
        assert column(view, "tree") == {4: 4.0}
        assert view.columns(["dog", "nothing"]).by_term.keys() == {"dog"}

    def test_terms_that_only_the_new_vectors_have_are_found(self) -> None:
        view = TermView(
            matrix((TermVocabulary(("dog",), 1.0), {1: {"dog": 1}})),
            matrix((TermVocabulary(("bird",), 1.0), {2: {"bird": 2}})),
            [2],
        )
        assert column(view, "bird") == {2: 2.0}
        assert column(view, "dog") == {1: 1.0}


class TestLikeness:
    VIEW = TermView(
        matrix(
            (
                TermVocabulary(WORDS, 0.01),
                {
                    1: {"dog": 100, "tree": 50},
                    2: {"dog": 200, "tree": 100},
                    3: {"dog": 100},
                    4: {"cat": 9},
                    5: {"dog": 1},
                },
            )
        ),
        matrix((TermVocabulary(("tree",), 3.0), {5: {"tree": 7}})),
        [5],
    )

    def test_photos_come_by_the_angle_between_their_vectors_whatever_their_lengths(self) -> None:
        found = similar(self.VIEW, {"dog": 10.0, "tree": 5.0})
        assert found.photo_ids.tolist() == [1, 2, 3, 5]
        assert found.cosines.tolist() == pytest.approx([1.0, 1.0, 2 / 5**0.5, 1 / 5**0.5])

    def test_what_they_share_adds_up_to_the_cosine(self) -> None:
        weights = {"dog": 10.0, "tree": 5.0, "cat": 1.0}
        found = similar(self.VIEW, weights)
        shared = shared_terms(self.VIEW, weights, found.rows)
        assert [sum(each.values()) for each in shared] == pytest.approx(found.cosines.tolist())
        assert [set(each) for each in shared] == [{"dog", "tree"}, {"dog", "tree"}, {"dog"}, {"tree"}, {"cat"}]

    def test_terms_that_nobody_has_find_nobody(self) -> None:
        assert similar(self.VIEW, {"black": 1.0, "unheard": 1.0}).photo_ids.tolist() == []
