"""The links of facets, statistics and a photo's page find the photos that they count; the parts of a query."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from photoindex.library.gallery import Edit
from photoindex.web.query_parts import chips, condition, parts_of, with_more
from tests.support import make_photo
from tests.web.conftest import Served

PHOTOS: dict[int, dict[str, Any]] = {
    1: {"city": "Paris", "region": "Île-de-France", "country": "France", "country_code": "FR", "camera": "NIKON D70s"},
    2: {"city": "Paris", "region": "Île-de-France", "country": "France", "country_code": "FR", "camera": "Canon"},
    3: {"city": "Vanves", "region": "Île-de-France", "country": "France", "metropolis": "Paris", "camera": "Canon"},
    4: {"country": "Brazil", "camera": "Canon EOS 5D"},
    5: {"city": "São Paulo", "country": "Brazil", "camera": "Canon EOS 5D"},
    6: {"city": "Washington, D.C.", "region": "District of Columbia", "country": "United States"},
    7: {"city": "Buffalo", "region": "New York", "country": "United States", "camera": 'Leica "Q" (2)'},
    8: {"city": "New York", "region": "New York", "country": "United States", "format": "PNG"},
}
TERMS = [
    (1, "sea", "tag"), (1, "sea", "keyword"), (2, "sea", "tag"), (3, "Sea", "keyword"), (1, "Sea", "keyword"),
    (2, "sea side", "tag"), (4, "It", "keyword"), (1, "Anna Sousa", "person"), (2, "Anna Sousa", "person"),
    (3, "Anna", "person"), (5, "Black & White", "tag"), (6, "harbour", "tag"), (6, 'say "hi"', "tag"),
    (7, "hot dog", "label"), (6, "dog", "label"), (5, "dog", "tag"), (6, "Dog", "tag"),
    (4, "The Harvest", "title"),
]  # fmt: skip


class Links(HTMLParser):
    """The links of a page to a search, each with its text; and how many photos were found."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self.total = 0
        self._link: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "a":
            link = values.get("href") or ""
            self._link = link if "search?q=" in link else None
        self.total = int(values.get("data-total") or self.total)

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._link = None

    def handle_data(self, data: str) -> None:
        if self._link:
            self.found[self._link] = " ".join(f"{self.found.get(self._link, '')} {data}".split())

    def counted(self) -> dict[str, int]:
        """The links whose text ends with a number of photos."""
        ends = {link: re.search(r" ([\d,]+)$", text) for link, text in self.found.items()}
        return {link: int(end[1].replace(",", "")) for link, end in ends.items() if end}


@pytest.fixture
def filled(served: Served) -> Served:
    """Eight photos in folders within each other, of all that links ask for; the last one is hidden."""
    make_photo(served.album / "trip" / "7.jpg")
    make_photo(served.album / "trip" / "day (1)" / "8.jpg")
    served.library.index(served.album)
    with served.library.database.write() as connection:
        for number, values in PHOTOS.items():
            values = {"taken_at": f"20{10 + number // 3}-05-01 10:00:00.000000", "taken_source": "exif", **values}
            if number == 5:
                values["taken_source"] = "mtime"
            names = ", ".join(f"{name} = :{name}" for name in values)
            connection.execute(text(f"update photo set {names} where id = {number}"), values)
        for number, said, source in TERMS:
            sql = "insert into term (photo_id, text, weight, source) values (:photo, :said, 1.0, :source)"
            connection.execute(text(sql), {"photo": number, "said": said, "source": source})
    served.gallery.edit([8], Edit(hidden=True))
    served.library.rebuild_full_text()
    served.gallery._snapshots.latest(now=True)
    return served


def follow(client: httpx.Client, page: str) -> dict[str, tuple[int, int]]:
    """For each link of a page that counts photos: how many it counts, and how many it finds."""
    links = Links(client.get(page).text).counted()
    return {link: (count, Links(client.get(link).text).total) for link, count in links.items()}


def test_every_bar_of_the_statistics_finds_what_it_counts(filled: Served, client: httpx.Client) -> None:
    found = follow(client, "/stats")
    assert {link: pair for link, pair in found.items() if pair[0] != pair[1]} == {}
    texts = " ".join(Links(client.get("/stats").text).found.values())
    for bar in (
        "Paris, France 3",
        "Brazil 2",
        "Anna Sousa 2",
        "sea 3",
        "NIKON D70s 1",
        "Canon 4",
        "2010 2",
        "JPEG 7",
        "dog 3",
        "hot dog 1",
    ):
        assert f" {bar} " in f" {texts} ", (bar, texts)
    counts = client.get("/api/v1/stats").json()
    assert (counts["photos"], counts["hidden"], counts["undated"]) == (7, 1, 1)
    assert Links(client.get("/search?q=is:hidden").text).total == 1


@pytest.mark.parametrize(
    "query", ["square", "square OR sea", "(square OR sea) -harbour", "camera:canon OR camera:nikon", "square NOT sea",
              "square AND tag:sea", "(square OR sea", 'square "', "is:hidden OR square", "tag:sea"]
)  # fmt: skip
def test_every_facet_finds_what_it_counts(filled: Served, client: httpx.Client, query: str) -> None:
    page = str(httpx.URL("/search", params={"q": query, "view": "list"}))
    found = follow(client, page)
    assert found
    assert {link: pair for link, pair in found.items() if pair[0] != pair[1]} == {}


def test_a_folder_is_found_by_its_name_with_all_its_spaces(served: Served, client: httpx.Client) -> None:
    for name, number in (("two  spaces", 2), ("two spaces", 3)):
        for each in range(number):
            make_photo(served.album / name / f"{name} {each}.jpg", "blue")
    served.library.index(served.album)
    served.gallery._snapshots.latest(now=True)
    for page in ("/stats", "/search?q=square"):
        found = follow(client, page)
        counts = {link.partition("two")[2]: pair for link, pair in found.items() if "two" in link}
        assert len(counts) == 2, page
        assert {link: pair for link, pair in found.items() if pair[0] != pair[1]} == {}


def test_without_a_word_leaves_out_what_has_it(filled: Served, client: httpx.Client) -> None:
    asked = "caption:red OR caption:blue square"
    links = Links(client.get("/search", params={"q": asked}).text)
    said = {text: link for link, text in links.found.items()}
    blue = Links(client.get("/search", params={"q": "caption:blue"}).text).total
    assert 0 < blue < links.total
    assert Links(client.get(said["Without “blue”"]).text).total == links.total - blue
    assert Links(client.get(said["Only with “blue”"]).text).total == blue


def test_every_word_on_a_photo_s_page_finds_it(filled: Served, client: httpx.Client) -> None:
    for number in range(1, 8):
        links = Links(client.get(f"/photo/{number}").text).found
        for link, said in links.items():
            ids = client.get(link.replace("/search?", "/api/v1/search?")).json()["items"]
            assert number in [item["id"] for item in ids], (number, link, said)
    assert {"It", "The Harvest"} <= set(Links(client.get("/photo/4").text).found.values())


@pytest.mark.parametrize(
    ("query", "parts"),
    [
        ("dog", ["dog"]),
        ("(dog OR man) grass", ["(dog OR man)", "grass"]),
        ("-(dog OR man) grass", ["-(dog OR man)", "grass"]),
        ("a (b (c OR d)) e", ["a", "(b (c OR d))", "e"]),
        ("dog NOT cat", ["dog", "NOT cat"]),
        ("dog NOT (cat OR man) x", ["dog", "NOT (cat OR man)", "x"]),
        ('tag:"a OR (b" dog', ['tag:"a OR (b"', "dog"]),
        ("\u201cbrown dog\u201d cat", ["\u201cbrown dog\u201d", "cat"]),
        (":) dog", [":)", "dog"]),
        ("dog or man", ["dog", "or", "man"]),
        (r'tag:"say \"hi\" (x" dog', [r'tag:"say \"hi\" (x"', "dog"]),
        (r'path:"C:\photos\" dog', [r'path:"C:\photos\"', "dog"]),
        ("(dog cat", ["(dog cat"]),
        ('dog "cat man', ["dog", '"cat', "man"]),
        ("", []),
    ],
)
def test_the_parts_of_a_query(query: str, parts: list[str]) -> None:
    assert parts_of(query) == parts
    found = chips(query, ())
    assert [part for part, _ in found] == (parts if len(parts) > 1 else [])
    for place, (_, rest) in enumerate(found):
        assert parts_of(rest) == parts[:place] + parts[place + 1 :]


@pytest.mark.parametrize(
    ("query", "parts"),
    [
        ("dog OR man", ["dog", "man"]),
        ("dog grass OR man", ["dog", "grass", "man"]),
        ("(dog)OR(man)", ["(dog)", "(man)"]),
        ("dog AND (a OR b) OR NOT man", ["dog", "(a OR b)", "NOT man"]),
    ],
)
def test_nothing_is_taken_away_from_what_or_joins(query: str, parts: list[str]) -> None:
    assert parts_of(query) == parts
    assert chips(query, ()) == []


def test_and_goes_with_the_last_of_what_it_joins() -> None:
    rests = dict(chips("dog AND cat brown AND (a AND b)", ()))
    assert rests == {
        "dog": "cat brown AND (a AND b)",
        "cat": "dog AND brown AND (a AND b)",
        "brown": "dog AND cat AND (a AND b)",
        "(a AND b)": "dog AND cat brown",
    }
    assert chips("dog in grass", {"in"}) == [("dog", "in grass"), ("grass", "dog in")]


@pytest.mark.parametrize(
    ("query", "narrowed"),
    [
        ("dog", "dog x:y"),
        ("dog -cat", "dog -cat x:y"),
        ("dog OR cat", "(dog OR cat) x:y"),
        ("(dog OR cat)", "(dog OR cat) x:y"),
        ("(dog OR cat) OR man", "((dog OR cat) OR man) x:y"),
        ('"dog OR cat"', '"dog OR cat" x:y'),
        ("dog or cat", "dog or cat x:y"),
        ("dog OR", "(dog OR) x:y"),
        ("dog NOT", "(dog NOT) x:y"),
        ("((dog OR cat", "((dog OR cat)) x:y"),
        ('dog "', "dog x:y"),
    ],
)
def test_a_condition_holds_for_all_of_a_query(query: str, narrowed: str) -> None:
    assert with_more(query, "x:y") == narrowed


@pytest.mark.parametrize(("opening", "closing"), ["()", "\uff08\uff09", "\ufe59\ufe5a", "\u207d\u207e", "\ufe35)"])
def test_parentheses_of_all_kinds_are_one_part(opening: str, closing: str) -> None:
    query = f"dog {opening}cat OR cow{closing}"
    assert parts_of(query) == ["dog", f"{opening}cat OR cow{closing}"]
    assert with_more(query, "x:y") == f"{query} x:y"


@pytest.mark.parametrize(
    ("field", "value", "query"),
    [
        ("tag", "sea", 'tag:"sea"'),
        ("place", "Paris, France", 'place:"Paris" place:"France"'),
        ("place", "Brazil", 'place:"Brazil"'),
        ("taken", "2019", "taken:2019"),
        ("format", "JPEG 2000", 'format:"JPEG 2000"'),
        ("camera", "Leica (Q)", 'camera:"Leica (Q)"'),
        ("", "sea", '"sea"'),
    ],
)
def test_links_ask_for_values_as_they_are_written(field: str, value: str, query: str) -> None:
    assert condition(field, value) == query
