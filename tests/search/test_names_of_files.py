"""Files are found by their names without the signs between words, and their suffix is a word of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from photoindex.search import FullText
from photoindex.search.fulltext.document import document_of
from photoindex.search.fulltext.path_names import name_parts, places_of
from tests.search.test_as_typed import photo


@pytest.mark.parametrize(
    ("name", "queries"),
    [
        ("x-ray.jpg", ["xray", "x-ray", "x-ray.jpg", "name:xray", "name:x-ray.jpg", '"x-ray.jpg"', '"ray jpg"']),
        ("t-shirt.jpg", ["tshirt", "t-shirt", "T-Shirt.JPG"]),
        ("U.S.A.jpg", ["usa", "u.s.a.", "U.S.A.jpg"]),
        ("2019-07-04.jpg", ["20190704", "name:20190704", "2019-07-04.jpg", '"2019-07-04"']),
        ("IMG_7001.JPG", ["IMG7001", "img7001", "name:IMG7001", "IMG_7001", "IMG_7001.JPG", "file:img-7001"]),
        ("IMG-0042.jpg", ["IMG0042", "IMG_0042", "name:IMG0042"]),
        ("PXL_20230612_101530.MP.jpg", ["PXL20230612101530MP", "PXL_20230612_101530.MP.jpg"]),
    ],
)
def test_a_file_is_found_without_the_signs_in_its_name(index: FullText, name: str, queries: list[str]) -> None:
    photos = [photo(1, "grass", f"/photos/trip/{name}"), photo(2, "grass", "/photos/other/b.png")]
    index.rebuild([document_of(each, [Path("/photos")]) for each in photos])
    for query in queries:
        assert [match.photo_id for match in index.search(query, None)] == [1], query


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("x-ray.jpg", ["photos", "x-ray jpg"]),
        ("St. Moritz.2019/a.b.jpeg", ["photos", "St. Moritz.2019", "a.b jpeg"]),
        (".hidden", ["photos", ".hidden"]),
        ("no suffix", ["photos", "no suffix"]),
    ],
)
def test_the_suffix_is_a_word_of_its_own(path: str, parts: list[str]) -> None:
    assert name_parts(Path("/photos", path), [Path("/photos")]) == parts


def test_a_file_that_was_indexed_alone_has_its_suffix_apart_too() -> None:
    assert name_parts(Path("/photos/x-ray.jpg"), [Path("/photos/x-ray.jpg")]) == ["x-ray jpg"]


@pytest.mark.parametrize(
    ("path", "roots", "places"),
    [
        ("/a/b/c.jpg", ["/a/b"], {"/a/b/c.jpg", "/a/b", "/a", "/", "c.jpg", "b/c.jpg", "b"}),
        ("/a/b/c.jpg", ["/a", "/a/b"], {"/a/b/c.jpg", "/a/b", "/a", "/", "c.jpg", "b/c.jpg", "b"}),
        ("/a/b/c.jpg", ["/a"], {"/a/b/c.jpg", "/a/b", "/a", "/", "b/c.jpg", "b", "a/b/c.jpg", "a/b", "a"}),
        ("/a/b/c.jpg", ["/"], {"/a/b/c.jpg", "/a/b", "/a", "/", "a/b/c.jpg", "a/b", "a"}),
        ("/a/b/c.jpg", ["/x"], {"/a/b/c.jpg", "/a/b", "/a", "/", "c.jpg", "b/c.jpg", "b"}),
        ("/a/b/c.jpg", ["/a", "/a/b/c.jpg"], {"/a/b/c.jpg", "/a/b", "/a", "/", "c.jpg"}),
        ("/c.jpg", [], {"/c.jpg", "/", "c.jpg"}),
    ],
)
def test_the_places_that_a_photo_is_found_at(path: str, roots: list[str], places: set[str]) -> None:
    assert set(places_of(Path(path), [Path(root) for root in roots])) == places
    # Another file of the folder, which is remembered.
    beside = {place.replace("c.jpg", "d.jpg") for place in places}
    assert (
        set(places_of(Path(path.replace("c.jpg", "d.jpg")), [Path(r.replace("c.jpg", "d.jpg")) for r in roots]))
        == beside
    )
