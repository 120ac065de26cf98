"""Captions found beside pictures: what says something of the photo."""

import pytest

from photoindex.training.cleaning import is_plain


@pytest.mark.parametrize("caption", ["a kitten with a large mouth", "clouds over the ocean during sunset"])
def test_a_sentence_about_what_is_seen_is_plain(caption: str) -> None:
    assert is_plain(caption)


@pytest.mark.parametrize(
    "caption",
    [
        "royalty free vector of a cat in a hat",
        "Stock Photo of a woman at the sea",
        "a yellow 2020 chevrolet camaro on a road",
        "sofa in red for sale at the shop",
        "a kitten",
    ],
)
def test_what_nobody_sees_is_not(caption: str) -> None:
    assert not is_plain(caption)
