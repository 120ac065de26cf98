"""Names of places by positions."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from photoindex.language.place_names import words_of
from photoindex.media.metadata.places import Gazetteer
from photoindex.system.globe import kilometres
from photoindex.types import PhotoFacts, Place
from tests.support import REPOSITORY


@pytest.fixture(scope="module")
def gazetteer() -> Gazetteer:
    return Gazetteer()


@pytest.mark.parametrize(
    ("latitude", "longitude", "part", "country", "code"),
    [
        (38.7139, -9.1394, "Lisbon", "Portugal", "PT"),
        (43.4674, 11.8851, "Arezzo", "Italy", "IT"),
        (-33.8568, 151.2153, "New South Wales", "Australia", "AU"),
        (40.6892, -74.0445, "New York", "United States", "US"),
        (48.8584, 2.2945, "near Paris", "France", "FR"),  # the Eiffel Tower, by the table in Vanves
        (51.0504, 13.7373, "Dresden", "Germany", "DE"),
        (64.1466, -21.9426, "Reykjav", "Iceland", "IS"),  # by degrees alone it would be in Kópavogur
        (-16.79, -179.99, "Northern", "Fiji", "FJ"),  # across the date line from every town
        (-16.79, 179.98, "Northern", "Fiji", "FJ"),
    ],
)
def test_positions_have_names(
    gazetteer: Gazetteer, latitude: float, longitude: float, part: str, country: str, code: str
) -> None:
    place = gazetteer.place_at(latitude, longitude)

    assert place is not None
    assert part in str(place)
    assert (place.country, place.country_code) == (country, code)


@pytest.mark.parametrize("latitude", [-89.9, -54.8, -17.0, 0.0, 41.0, 52.0, 65.0, 69.6, 78.2])
def test_the_nearest_town_is_so_along_the_globe(gazetteer: Gazetteer, latitude: float) -> None:
    gazetteer.place_at(0, 0)  # loads the tables
    assert gazetteer._towns is not None
    towns = gazetteer._towns._degrees
    for longitude in np.random.default_rng(int(latitude) % 100).uniform(-180, 180, 40).tolist() + [-180.0, 180.0]:
        nearest = kilometres(latitude, longitude, towns[:, 0], towns[:, 1]).min()
        _, distance = gazetteer._towns.nearest(latitude, longitude)
        assert distance == pytest.approx(nearest, rel=1e-6, abs=1e-6)


def test_far_from_every_town_there_is_no_place(gazetteer: Gazetteer) -> None:
    assert gazetteer.place_at(30.0, -40.0) is None
    assert gazetteer.place_at(-80.0, 0.0) is None


def test_in_the_wild_only_the_region_and_the_country_are_known(gazetteer: Gazetteer) -> None:
    place = gazetteer.place_at(-24.9, 127.5)  # the Gibson Desert

    assert place is None or (place.city, place.country) == ("", "Australia")


def test_a_position_counts_more_than_what_was_written_of_the_place(gazetteer: Gazetteer) -> None:
    written = Place(country="Ubited Kingdom")

    assert gazetteer.placed(PhotoFacts("JPEG", 1, 1, place=written)).place == written
    placed = gazetteer.placed(PhotoFacts("JPEG", 1, 1, latitude=38.7139, longitude=-9.1394, place=written)).place
    assert placed is not None
    assert placed.country == "Portugal"


def test_a_town_by_itself_is_near_no_large_city(gazetteer: Gazetteer) -> None:
    place = gazetteer.place_at(43.4674, 11.8851)

    assert place is not None
    assert (place.metropolis, str(place)) == ("", "Arezzo, Province of Arezzo, Tuscany, Italy")


def test_the_way_between_two_cities() -> None:
    assert kilometres(38.7223, -9.1393, 41.1579, -8.6291) == pytest.approx(274, abs=3)
    assert kilometres(0, 179.5, 0, -179.5) == pytest.approx(111, abs=1)


def test_a_country_is_found_by_what_people_call_it() -> None:
    words = words_of(Place("Battery Park City", "New York County", "New York", "United States", "US"))

    assert {"USA", "York", "States"} <= set(words.split())


def test_nothing_is_loaded_before_a_position_is_asked_for() -> None:
    program = (
        "import sys; from photoindex.media.metadata.places import Gazetteer; Gazetteer();"
        " print('reverse_geocode' in sys.modules, 'scipy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)

    assert done.stdout == "False False\n"
