"""What a caption names and the people did not."""

import pytest

from photoindex.training.hallucination import Hallucination, objects_in, score_hallucination


def test_a_thing_is_there_when_people_name_it_by_any_of_its_words():
    assert score_hallucination(["a man rides a bike"], [["a boy on a bicycle", "a child outside"]]) == Hallucination(
        0, 0, 2
    )


def test_invented_things_are_counted_by_thing_and_by_caption():
    found = score_hallucination(
        ["a dog with a frisbee", "two dogs on a couch", "grass"],
        [["a dog runs"], ["a cat sleeps on a sofa"], ["a lawn"]],
    )
    assert found.named == 4
    assert found.objects == pytest.approx(50)
    assert found.captions == pytest.approx(200 / 3)


def test_a_hot_dog_is_no_dog_and_a_teddy_bear_no_bear():
    assert objects_in("a hot dog") == set()
    assert objects_in("a teddy bear") == objects_in("a teddy") != objects_in("a bear")


def test_captions_that_name_nothing_invent_nothing():
    assert score_hallucination(["a close up of grass"], [["a lawn"]]) == Hallucination(0, 0, 0)
