"""Positions as people ask for them, and the photos that were taken there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoindex.errors import QueryError
from photoindex.search import FullText
from photoindex.search.fulltext.document import Document
from photoindex.search.query import positions
from photoindex.search.query.positions import Distanced

LISBON, CASCAIS, PORTO = (38.7223, -9.1393), (38.6979, -9.4215), (41.1579, -8.6291)
FIJI, SAMOA = (-17.7, 179.9), (-17.7, -179.9)
POLE = (89.99, 10.0)
PLACES = {1: LISBON, 2: CASCAIS, 3: PORTO, 4: FIJI, 5: SAMOA, 6: POLE, 7: None}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> FullText:
    index = FullText.open(tmp_path_factory.mktemp("index"))
    names = {1: "Lisbon . Portugal", 2: "Cascais . Portugal", 3: "Porto . Portugal", 7: "Lisbon . Portugal"}
    index.rebuild(
        [Document(number, "a dog", position=where, place=names.get(number, "")) for number, where in PLACES.items()]
    )
    return index


def found(index: FullText, query: str) -> Sequence[int]:
    return sorted(match.photo_id for match in index.search(query))


@pytest.mark.parametrize(
    ("query", "photos"),
    [
        ("near:38.72,-9.14", [1]),
        ("near:38.72,-9.14,30", [1, 2]),
        ("near:38.72,-9.14,30km", [1, 2]),
        ('near:"38.72, -9.14, 30 km"', [1, 2]),
        ("near:38.7223,-9.1393,10m", [1]),
        ("near:38.73,-9.1393,500m", []),
        ("near:lisbon", [1]),
        ("near:lisbon,30", [1, 2]),
        ('near:"lisbon, portugal, 300 km"', [1, 2, 3]),
        ("near:nowhere", []),
        ("near:-17.7,180,30", [4, 5]),
        ("near:-17.7,-180,30", [4, 5]),
        ("near:90,0,2", [6]),
        ("near:90,-170,2", [6]),
        ("near:0,0,20040", [1, 2, 3, 4, 5, 6]),
        ("bbox:-9.5,38.6,-9,38.8", [1, 2]),
        ("bbox:-9.1393,38.7223,-9.1393,38.7223", [1]),
        ("bbox:179,-20,-179,-10", [4, 5]),
        ("bbox:-180,-90,180,90", [1, 2, 3, 4, 5, 6]),
        ("dog -bbox:-180,-90,180,90", [7]),
        ("dog -near:lisbon,400", [4, 5, 6, 7]),
        ("bbox:-9.5,38.6,-9,38.8 OR near:porto", [1, 2, 3]),
    ],
)
def test_photos_are_found_by_where_they_were_taken(index: FullText, query: str, photos: list[int]) -> None:
    assert found(index, query) == photos


def test_a_place_that_is_named_is_no_reason(index: FullText) -> None:
    [match] = index.search("dog near:lisbon")
    assert {reason.layer for reason in match.matched} == {"caption"}


def test_photos_are_found_after_an_update(tmp_path: Path) -> None:
    with FullText.open(tmp_path) as index:
        index.rebuild([Document(1, "a dog", position=LISBON)])
        index.update([Document(2, "a dog", position=CASCAIS), Document(1, "a dog", position=PORTO)], [])
        assert found(index, "near:38.72,-9.14,30") == [2]
        assert found(index, "near:porto") == []


@pytest.mark.parametrize(
    "query",
    [
        "near:12", "near:91,0", "near:0,181", "near:1,2,3,4", "near:1,2,-3", "near:1,2,0", "near:1,2,x", "near:,",
        'near:""', "bbox:1,2,3", "bbox:1,2,3,x", "bbox:-181,0,0,0", "bbox:0,10,10,0", "bbox:nan,0,0,0",
        "bbox:inf,0,0,0", "bbox:lisbon", "bbox:1,2,3,4,5",
        "near:nan,nan", "near:inf,-inf", "near:38.7,nan", "near:NaN,-9.1", "near:nan,nan,5", "near:38.7,-9.1,nan",
        "near:38.7,-9.1,inf", "near:lisbon,nan", "near:lisbon,inf", "near:lisbon,1e5", "near:1e1,2e1",
        "near:38.7,lisbon", 'near:"new york, infinity"',
    ],
)  # fmt: skip
def test_what_is_no_place_is_refused(index: FullText, query: str) -> None:
    with pytest.raises(QueryError):
        index.search(query)


def test_how_a_distance_is_read() -> None:
    assert positions.distanced("38.7,-9.1") == Distanced((38.7, -9.1), "", positions.DEFAULT_KM)
    assert positions.distanced("38.7,-9.1,250m") == Distanced((38.7, -9.1), "", 0.25)
    assert positions.distanced("new york, 5 km") == Distanced(None, "new york", 5.0)
    assert positions.distanced("nan") == Distanced(None, "nan", positions.DEFAULT_KM)  # a town in Thailand
    assert positions.distanced("nan,5") == Distanced(None, "nan", 5.0)
    assert positions.distanced("nan, thailand, 5") == Distanced(None, "nan, thailand", 5.0)
    assert positions.distanced("paris, 8th arrondissement").place == "paris, 8th arrondissement"
    assert positions.distanced("paris, texas") == Distanced(None, "paris, texas", positions.DEFAULT_KM)


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_degrees_come_back_from_the_index(latitude: float, longitude: float) -> None:
    import numpy as np

    for field, value in zip(positions.FIELDS, (latitude, longitude), strict=True):
        number = positions.stored(field, value)
        assert 0 <= number < 2**32 - 1
        assert abs(float(positions.degrees(field, np.array([number], np.float64))[0]) - value) <= 0.5e-5 + 1e-9
