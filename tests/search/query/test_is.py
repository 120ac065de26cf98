"""``is:`` and ``confidence:``: what a photo looks like, its shape, and how sure the model is of its caption."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from photoindex.errors import QueryError
from photoindex.search import FullText
from photoindex.search.fulltext.document import document_of
from photoindex.search.query.parser import parse_query
from photoindex.types import Caption, Photo, PhotoFacts
from photoindex.types.looks import LOOKS, SHAPES, facts_shown, shapes_of

WHEN = datetime(2024, 5, 1)
PHOTOS: tuple[tuple[frozenset[str] | None, int, int, float | None], ...] = (
    (frozenset(), 4000, 3000, 0.92),
    (frozenset({"bw", "dark"}), 3000, 4000, 0.4),
    (frozenset({"screenshot"}), 1080, 2400, 0.399),
    (frozenset({"document"}), 1240, 2754, 0.0),
    (frozenset({"blurred"}), 1000, 1010, 1.0),
    (None, 9000, 2000, None),
)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FullText]:
    photos = [
        Photo(number, f"hash {number}", 1, PhotoFacts("JPEG", width, height), (Path(f"/photos/{number}.jpg"),), (),
              Caption("a thing", "model", WHEN, confidence=sure), looks=looks)
        for number, (looks, width, height, sure) in enumerate(PHOTOS, 1)
    ]  # fmt: skip
    with FullText.open(tmp_path_factory.mktemp("index")) as index:
        index.rebuild([document_of(photo, [Path("/photos")]) for photo in photos])
        yield index


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("is:bw", {2}), ('is:"black and white"', {2}), ("is:B&W", {2}), ("is:black-and-white", {2}), ("is:dark", {2}),
        ("is:blurred", {5}), ("is:blurry", {5}), ("is:screenshot", {3}), ('is:"screen shot"', {3}),
        ("is:Document", {4}),
        ("is:panorama", {6}), ("is:landscape", {1, 6}), ("is:portrait", {2, 3, 4}), ("is:square", {5}),
        ("thing -is:portrait", {1, 5, 6}), ("is:bw OR is:blurred", {2, 5}), ("is:bw is:blurred", set()),
        ("confidence:<0.4", {3, 4}), ("confidence:<=0.4", {2, 3, 4}), ("confidence:>.9", {1, 5}), ("confidence:1", {5}),
        ("confidence:0..0.39", {3, 4}), ("confidence:0", {4}), ("thing -confidence:<0.5", {1, 5, 6}),
    ],
)  # fmt: skip
def test_a_fact_finds_the_photos_that_have_it(index: FullText, query: str, expected: set[int]) -> None:
    assert {match.photo_id for match in index.search(query)} == expected


@pytest.mark.parametrize(
    ("asked", "meant"),
    [("blured", "blurred"), ("screnshot", "screenshot"), ("Panaroma", "panorama"), ("monocrome", "bw"),
     ("dokument", "document"), ("potrait", "portrait"), ("sqare", "square"), ("black an white", "bw")],
)  # fmt: skip
def test_an_unknown_fact_names_the_one_that_was_meant(asked: str, meant: str) -> None:
    with pytest.raises(QueryError, match=f"did you mean is:{meant}[?]"):
        parse_query(f'is:"{asked}"')


@pytest.mark.parametrize("asked", ["raining", "x", '""', "selfie"])
def test_a_fact_that_is_like_none_lists_them_all(asked: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse_query(f"is:{asked}")
    assert all(f"is:{name}" in str(caught.value) for name in (*LOOKS, *SHAPES))


@pytest.mark.parametrize("asked", ["sure", "50%", "high..low", "<"])
def test_a_confidence_is_a_number(asked: str) -> None:
    with pytest.raises(QueryError, match="not a number"):
        parse_query(f"confidence:{asked}")


@pytest.mark.parametrize(
    ("width", "height", "shapes"),
    [(4000, 3000, {"landscape"}), (3000, 4000, {"portrait"}), (1000, 1000, {"square"}), (1000, 1029, {"square"}),
     (1000, 1040, {"portrait"}), (8000, 2000, {"panorama", "landscape"}), (2000, 8000, {"panorama", "portrait"}),
     (1920, 1080, {"landscape"}), (1, 1, {"square"})],
)  # fmt: skip
def test_the_shape_follows_from_the_size(width: int, height: int, shapes: set[str]) -> None:
    assert set(shapes_of(width, height)) == shapes


@pytest.mark.parametrize("looks", ["screenshot", "document"])
def test_a_long_screenshot_or_page_is_no_panorama(looks: str) -> None:
    assert facts_shown(frozenset({looks}), 1080, 9000) == (looks, "portrait")


def test_a_photo_that_was_never_decoded_has_no_facts() -> None:
    assert facts_shown(None, None, None) == ()
