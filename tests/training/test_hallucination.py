"""What a caption names and the people did not."""

from dataclasses import astuple

import pytest

from photoindex.training.hallucination import (
    Hallucination,
    PersonErrors,
    Variety,
    objects_in,
    score_hallucination,
    score_persons,
    score_variety,
)


def test_a_thing_is_there_when_people_name_it_by_any_of_its_words() -> None:
    assert score_hallucination(["a man rides a bike"], [["a boy on a bicycle", "a child outside"]]) == Hallucination(
        0, 0, 2
    )


def test_invented_things_are_counted_by_thing_and_by_caption() -> None:
    found = score_hallucination(
        ["a dog with a frisbee", "two dogs on a couch", "grass"],
        [["a dog runs"], ["a cat sleeps on a sofa"], ["a lawn"]],
    )
    assert found.named == 4
    assert found.objects == pytest.approx(50)
    assert found.captions == pytest.approx(200 / 3)


def test_a_hot_dog_is_no_dog_and_a_teddy_bear_no_bear() -> None:
    assert objects_in("a hot dog") == set()
    assert objects_in("a teddy bear") == objects_in("a teddy") != objects_in("a bear")


def test_captions_that_name_nothing_invent_nothing() -> None:
    assert score_hallucination(["a close up of grass"], [["a lawn"]]) == Hallucination(0, 0, 0)


def test_a_person_is_invented_where_nobody_named_one_and_missed_where_somebody_did() -> None:
    found = score_persons(
        ["a man on a beach", "a beach", "a dog", "two women at a table", "a lake"],
        [["a beach"], ["waves", "an empty beach"], ["a boy with a dog", "a dog"], ["people eat"], ["children swim"]],
    )
    assert astuple(found) == pytest.approx((50, 200 / 3, 2, 3))


@pytest.mark.parametrize("said", ["a couple of zebras", "a ceiling fan", "a king size bed", "a family of ducks"])
def test_words_that_are_said_of_people_and_of_things_are_no_mistake(said: str) -> None:
    assert score_persons([said], [["something else"]]).invented == 0
    assert score_persons([said], [["a man and a woman"]]).missed == 0
    assert score_persons(["a man"], [[said]]) == PersonErrors(0, 0, 0, 0)


def test_where_nobody_and_nothing_is_there_no_share_is_wrong() -> None:
    assert score_persons([], []) == PersonErrors(0, 0, 0, 0)
    assert score_variety([]) == Variety(0, "", 0)


def test_variety_counts_captions_and_the_most_frequent_one() -> None:
    assert score_variety(["a dog", "a cat", "a dog", "a bird"]) == Variety(3, "a dog", 50)
