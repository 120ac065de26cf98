"""What photos are found by besides what they show: words of people, places, numbers, formats and paths."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from photoindex.errors import QueryError
from photoindex.search import Document, FullText
from photoindex.search.fulltext.document import document_of
from photoindex.types import Caption, Photo, PhotoFacts, Place, Term

NOW = datetime(2024, 5, 1)
FACTS = PhotoFacts("JPEG", 4000, 3000, taken_at=datetime(2019, 7, 4), taken_source="exif")
LISBON = Place("Baixa", "Lisbon", "Lisbon", "Portugal", "PT")


def photo(
    number: int,
    *terms: tuple[str, str],
    path: str = "/photos/2019/Trip to Lisbon/a.jpg",
    caption: str = "a dog on the beach",
    source: str = "model",
    facts: PhotoFacts = FACTS,
) -> Photo:
    said = Caption(caption, source, NOW)  # type: ignore[arg-type]
    found = tuple(Term(text, 1.0, kind) for kind, text in terms)
    return Photo(number, f"hash {number}", 100, facts, (Path(path),), (), said, terms=found)


Search = Callable[..., Callable[[str], list[int]]]


@pytest.fixture
def search_in(tmp_path: Path) -> Iterator[Search]:
    """Index photos of the root /photos; returns how to search them: by a query, the numbers found, best first."""
    with FullText.open(tmp_path / "fulltext") as index:

        def of(*photos: Photo) -> Callable[[str], list[int]]:
            index.rebuild([document_of(each, [Path("/photos")]) for each in photos])
            return lambda query: [match.photo_id for match in index.search(query)]

        yield of


class TestPeoplesWords:
    @pytest.mark.parametrize("kind", ["keyword", "tag", "person", "title"])
    def test_a_word_of_a_person_comes_before_one_of_the_model_in_all_its_fields(
        self, search_in: Search, kind: str
    ) -> None:
        by_model = photo(1, ("label", "zebra"), ("kind", "zebra"), caption="a zebra")
        by_model = replace(by_model, candidates=(Caption("one zebra", "model", NOW), Caption("a zebra", "model", NOW)))
        by_person = photo(2, (kind, "zebra"), caption="a horse")
        others = [photo(number) for number in range(3, 9)]

        assert search_in(by_model, by_person, *others)("zebra") == [2, 1]

    def test_so_does_a_caption_of_a_person(self, search_in: Search) -> None:
        by_model = photo(1, ("label", "zebra"), ("kind", "zebra"), caption="a zebra")
        by_person = photo(2, caption="our zebra", source="sidecar")

        assert search_in(by_model, by_person, *[photo(n) for n in range(3, 9)])("zebra") == [2, 1]

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("tag:holiday", [1]), ("keyword:holiday", [1]), ("keywords:holiday", [1]), ("person:ana", [2]),
            ("people:ana", [2]), ('person:"ana sousa"', [2]), ("title:regatta", [3]), ("tag:ana", []),
            ("person:holiday", []), ("has:keywords", [1]), ("has:tags", [1]), ("has:people", [2]), ("has:title", [3]),
            ("has:caption", [4]), ("caption:words", [4]), ("dog -has:caption -has:people", [1, 3]),
        ],
    )  # fmt: skip
    def test_each_has_its_field(self, search_in: Search, query: str, found: list[int]) -> None:
        search = search_in(
            photo(1, ("keyword", "Holiday")), photo(2, ("person", "Ana Sousa")), photo(3, ("title", "Regatta")),
            photo(4, caption="words of mine", source="user"),
        )  # fmt: skip

        assert search(query) == found


class TestPlaces:
    @pytest.mark.parametrize(
        "query",
        ["beach in Portugal", "place:lisbon", 'place:"lisbon"', "place:baixa", "portugal", "has:place", "place:sintra"],
    )
    def test_a_photo_is_found_by_its_place(self, search_in: Search, query: str) -> None:
        there = photo(1, ("place", "Sintra"), path="/photos/a.jpg", facts=replace(FACTS, place=LISBON))
        elsewhere = photo(2, path="/photos/b.jpg", caption="a car", facts=replace(FACTS, place=Place(country="Spain")))

        assert search_in(there, elsewhere)(query)[0] == 1

    def test_a_place_is_no_phrase_across_its_parts(self, search_in: Search) -> None:
        search = search_in(photo(1, facts=replace(FACTS, place=LISBON)))

        assert search('place:"lisbon portugal"') == []

    def test_a_country_by_what_people_call_it(self, search_in: Search) -> None:
        search = search_in(photo(1, facts=replace(FACTS, place=Place(country="United States", country_code="US"))))

        assert search("place:usa") == search("place:america") == [1]


class TestNumbers:
    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("rating:5", [3]), ("rating:>=4", [2, 3]), ("rating:3..", [1, 2, 3]), ("rating:3..4", [1, 2]),
            ("rating:<4", [1, 4]), ("rating:-1", [4]), ("stars:4", [2]), ("has:rating", [1, 2, 3, 4]),
            ("-has:rating", [5]), ("-rating:>=4", [1, 4, 5]), ("rating:5 OR rating:3", [1, 3]), ("rating:>5", []),
            ("width:4000", [1, 2, 3, 4]), ("width:>4000", [5]), ("height:..3000", [1, 2, 3, 4]),
            ("mp:12", [1, 2, 3, 4]), ("megapixels:>=24", [5]), ("dog rating:5", [3]),
        ],
    )  # fmt: skip
    def test_filters(self, search_in: Search, query: str, found: list[int]) -> None:
        stars = [photo(n, facts=replace(FACTS, rating=rating)) for n, rating in enumerate((3, 4, 5, -1), 1)]

        assert sorted(search_in(*stars, photo(5, facts=PhotoFacts("PNG", 8000, 4000)))(query)) == found

    @pytest.mark.parametrize("query", ["rating:many", "width:", "mp:>=x", "rating:.."])
    def test_what_is_no_number_is_refused_with_advice(self, search_in: Search, query: str) -> None:
        search = search_in(photo(1))
        with pytest.raises(QueryError, match=r"is not a number: write .*>=4|nothing stands behind width:"):
            search(query)

    def test_a_panorama_wider_than_the_index_counts_to_is_found_as_very_wide(self, search_in: Search) -> None:
        search = search_in(photo(1, facts=PhotoFacts("JPEG", 100_000, 2000)))

        assert search("width:>=60000") == [1]


class TestFormats:
    @pytest.mark.parametrize("query", ["format:jpeg", "format:JPG", "format:.jpg", "dog format:jpeg"])
    def test_by_any_of_their_names(self, search_in: Search, query: str) -> None:
        assert search_in(photo(1), photo(2, facts=PhotoFacts("PNG", 1, 1)))(query) == [1]

    def test_a_format_nobody_has_finds_nothing(self, search_in: Search) -> None:
        assert search_in(photo(1))("format:tiff") == []


class TestPaths:
    @pytest.mark.parametrize(
        "query",
        [
            "path:/photos", "path:/photos/2019/", "path:2019", 'path:"2019/Trip to Lisbon"', "path:/PHOTOS/2019",
            'path:"/photos/2019/trip to lisbon/a.jpg"', "path:photos/2019", "path:./2019",
            r"path:\photos\2019", "path:/",
        ],
    )  # fmt: skip
    def test_photos_at_or_below_it(self, search_in: Search, query: str) -> None:
        search = search_in(photo(1), photo(2, path="/other/b.jpg"))

        assert search(query) == ([1, 2] if query == "path:/" else [1])

    @pytest.mark.parametrize("query", ["path:/photos/20", "path:/phot", "path:Lisbon", "path:a.jpg", "path:/2019"])
    def test_a_part_of_a_name_is_no_path(self, search_in: Search, query: str) -> None:
        assert search_in(photo(1))(query) == []

    def test_however_the_letters_are_composed(self, search_in: Search) -> None:
        assert search_in(photo(1, path="/photos/Cafe\u0301/a.jpg"))("path:caf\u00e9") == [1]

    def test_the_home_folder(self, search_in: Search, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/photos")

        assert search_in(photo(1))("path:~/2019") == [1]


class TestDates:
    def test_a_files_own_time_is_no_date(self, search_in: Search) -> None:
        search = search_in(photo(1), photo(2, facts=replace(FACTS, taken_source="mtime")))

        assert search("taken:2019") == search("has:date") == [1]


class TestCameras:
    def test_a_lens_has_its_field_and_camera_finds_both(self, search_in: Search) -> None:
        facts = replace(FACTS, camera="Canon EOS R", lens="RF50mm F1.8")
        search = search_in(photo(1, facts=facts), photo(2, facts=replace(FACTS, camera="NIKON D90")))

        assert search("lens:rf50mm") == search("camera:rf50mm") == search("camera:canon") == search("has:lens") == [1]
        assert search("lens:canon") == []


def test_documents_written_by_hand_need_none_of_this(tmp_path: Path) -> None:
    with FullText.open(tmp_path / "fulltext") as index:
        index.rebuild([Document(1, "a dog")])

        assert [match.photo_id for match in index.search("dog -has:rating -has:place")] == [1]
