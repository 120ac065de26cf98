"""The pages without a browser: they are whole without scripts, and nothing of the photos can break out of them."""

from __future__ import annotations

import html
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from photoindex.config import Settings
from photoindex.library import Library
from photoindex.library.gallery import Edit, Gallery
from photoindex.system.paths import printable
from photoindex.web.server import GalleryServer, ServeOptions
from tests import postgres
from tests.support import FakeCaptioner, make_photo
from tests.web.conftest import Served

PAGES = [
    "/",
    "/?camera=none&rating=2",
    "/search",
    "/search?q=square",
    "/search?q=warm",
    "/search?q=the",
    "/search?q=xylophone",
    "/search?q=square&view=list&sort=newest",
    "/photo/1",
    "/photo/1?q=square",
    "/photo/1/similar",
    "/review",
    "/review?queue=newest",
    "/review?id=\u00b2",
    "/review?id=" + "9" * 5_000,
    "/failures",
    "/duplicates",
    "/duplicates?near=6",
    "/jobs",
    "/stats",
    "/albums",
    "/map",
    "/search?q=bbox:-180,-90,180,90&sort=newest",
    "/review?queue=wrong",
    "/duplicates?near=6&decided=yes",
    "/about",
    "/settings",
]


class Page(HTMLParser):
    """The elements of a page, by name, with their attributes; and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.mark.parametrize("address", PAGES)
def test_a_page_runs_nothing_inline_and_loads_nothing_from_elsewhere(reader: httpx.Client, address: str) -> None:
    answer = reader.get(address)
    assert answer.status_code == 200
    page = Page(answer.text)
    for tag, attributes in page.elements:
        assert "style" not in attributes, tag
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "href", "action"):
            assert not re.match(r"(?i)(https?:|//|javascript:|data:)", attributes.get(name) or ""), attributes
    assert all("src" in script for script in page.all("script"))
    assert page.all("style") == []
    assert page.all("h1")
    assert page.all("html")[0]["lang"] == "en"
    # A picture beside its own name has an empty text; none lacks one.
    assert all(picture.get("alt") is not None for picture in page.all("img"))


def test_all_links_of_all_pages_lead_somewhere(reader: httpx.Client) -> None:
    seen: set[str] = set()
    waiting = list(PAGES)
    while waiting and len(seen) < 150:
        address = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        answer = reader.get(address)
        assert answer.status_code == 200, address
        if answer.headers["content-type"].startswith("text/html"):
            page = Page(answer.text)
            waiting += [
                href.partition("#")[0] for link in page.all("a") if (href := link.get("href") or "").startswith("/")
            ]
            waiting += [one["src"] or "" for one in page.all("script") + page.all("img")]
    assert len(seen) > 40


@pytest.mark.parametrize(
    ("typed", "asked"),
    [("squ", "squ*"), ("red squ", "red squ*"), ("square", "square"), ("s", "s"), ("name:squ", "name:squ"),
     ("xyloph", "xyloph"), ("red -squ", "red -squ")],
)  # fmt: skip
def test_while_a_word_is_typed_what_begins_so_is_found(reader: httpx.Client, typed: str, asked: str) -> None:
    """And no other spelling is offered. A page that nobody types at asks for the word itself."""
    results = next(one for one in Page(reader.get("/search", params={"q": typed, "typing": "first"}).text).all("div")
                   if one.get("id") == "results")  # fmt: skip
    assert (results["data-typed"], results["data-query"]) == (typed, asked)
    at_rest = reader.get("/search", params={"q": typed}).text
    assert f'data-query="{html.escape(typed).replace("&quot;", "&#34;")}"' in at_rest


def test_a_search_shows_its_reasons_without_scripts(reader: httpx.Client) -> None:
    page = Page(reader.get("/search?q=red square").text)
    assert "1 says it" in page.text
    assert "The photos below say only part of it, or match by learned words only" in page.text
    assert page.all("mark")
    assert [link for link in page.all("a") if link.get("href") == "/search?q=red+square+-square"]
    assert "The photos below match by learned words only" in Page(reader.get("/search?q=warm").text).text


def test_a_photo_that_is_not_found_says_which_part_it_lacks(served: Served, client: httpx.Client) -> None:
    served.gallery.edit([1], Edit(caption="a heron", rating=3))
    served.gallery.find("heron")
    page = Page(client.get("/photo/1", params={"q": "heron rating:5 OR the"}).text)
    assert "does not find it" in page.text
    assert "holds heron" in page.text
    assert "lacks rating:5" in page.text
    assert "lacks the" not in page.text


def test_a_photo_is_asked_once_why_a_query_finds_it(
    served: Served, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    finder, asked = served.library.finder, []
    [number] = served.gallery.find("blue").ids.tolist()
    page = f"/photo/{number}"
    explain = finder.explain
    monkeypatch.setattr(finder, "explain", lambda query, ids: asked.append(query) or explain(query, ids))
    assert "Why “blue” finds it" in Page(client.get(page, params={"q": "blue"}).text).text
    assert asked == ["blue"]
    asked.clear()
    assert "does not find it" not in client.get(page, params={"q": "width:>1"}).text  # found for no word
    assert asked == ["width:>1"]
    asked.clear()
    assert "does not find it" in client.get(page, params={"q": "xylophone"}).text
    assert asked == ["xylophone", "xylophone"]  # and then each of its parts


def test_the_confidence_of_a_caption_is_shown(served: Served, client: httpx.Client) -> None:
    with served.library.database.write() as connection:
        connection.exec_driver_sql("update caption set confidence = 0.345 where photo_id = 1")
    for address in ("/photo/1", "/review?queue=unsure"):
        assert "34 % likely to be right" in Page(client.get(address).text).text
    assert served.gallery.photo(1).caption.confidence == 0.345  # type: ignore[union-attr]


def test_what_photos_say_is_text(served: Served, client: httpx.Client) -> None:
    evil = '<script>alert(1)</script><img src=x onerror=alert(1)> "quoted" \u202e right to left'
    served.gallery.edit([1], Edit(caption=evil, tags=('"><b>tag',)))
    for address in (
        "/",
        "/photo/1",
        "/search?q=alert",
        "/review?queue=newest",
        "/photo/1?q=<script>alert(2)</script>",
        "/search?q=<script>alert(2)</script>",
    ):
        text = client.get(address).text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "<b>tag" not in text
    assert Page(client.get("/photo/1").text).text.count("<script>alert(1)</script>") >= 2


def test_an_empty_library_says_what_to_do(library: Library) -> None:
    gallery = Gallery(library)
    server = GalleryServer(gallery, ServeOptions(port=0))
    server.start()
    with httpx.Client(base_url=server.address) as client:
        client.cookies.set(server.site.cookie, server.access._begin())
        assert "photoindex index ~/Pictures" in client.get("/").text
        for address in PAGES:
            if not address.startswith("/photo/"):
                assert client.get(address).status_code == 200, address
    server.stop()
    gallery.close()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_no_text_are_shown_with_marks(library: Library, album: Path) -> None:
    make_photo(album / "caf\udce9" / "ol\udce9.jpg", "red")
    library.index(album)
    gallery = Gallery(library)
    server = GalleryServer(gallery, ServeOptions(port=0))
    server.start()
    with httpx.Client(base_url=server.address) as client:
        client.cookies.set(server.site.cookie, server.access._begin())
        gallery.albums.put("All", [1])
        for address in ("/", "/photo/1", "/search?q=square", "/stats", "/api/v1/stats", "/api/v1/albums/1/sheet"):
            assert client.get(address).status_code == 200, address
        folder = printable(album / "caf\udce9")
        assert client.get("/api/v1/timeline/choices").json()["folder"] == [{"value": folder, "photos": 1}]
        assert client.get("/api/v1/timeline", params={"folder": folder}).json()["total"] == 1
        assert "1 of 1 photo<" in client.get("/", params={"folder": folder}).text
    server.stop()
    gallery.close()


def test_one_photo_is_counted_as_one(library: Library, album: Path) -> None:
    make_photo(album / "a.jpg")
    library.index(album)
    gallery = Gallery(library)
    gallery.albums.put("Mine", [1])
    server = GalleryServer(gallery, ServeOptions(port=0))
    server.start()
    try:
        with Served(server, gallery, library, album).client() as client:
            for address in ("/stats", "/jobs", "/about", "/albums", "/album/1", "/map", "/search?q=photo", "/?stars=1"):
                page = client.get(address)
                assert page.status_code == 200
                said = re.sub(r"<[^>]+>", "", page.text)
                assert not re.search(r"(?<![\d,.])1 photos\b", said), address
    finally:
        server.stop()
        gallery.close()


def test_the_timeline_in_pages_and_by_day(unchanged: Served, reader: httpx.Client) -> None:
    page = Page(reader.get("/?from=3").text)
    assert len(page.all("img")) == 3
    for day in ("2000-01-01", "2999", "2999-01", "nonsense"):
        assert reader.get("/", params={"day": day}).status_code == 200


def test_a_problem_is_shown_with_its_names_as_they_are(tmp_path: Path, postgres_server: postgres.Server) -> None:
    url = postgres_server.create(f"Fotos_ÄÖ_{tmp_path.name}", template=postgres.TEMPLATE)
    with Library(Settings(tmp_path / "data", catalogue=url), lambda _: FakeCaptioner()) as library:
        gallery = Gallery(library)
        server = GalleryServer(gallery, ServeOptions(port=0))
        server.start()
        postgres_server.drop(url)
        with Served(server, gallery, library, tmp_path).client() as client:
            shown = html.unescape(client.get("/").text)
        server.stop()
        gallery.close()
    assert f"<h1>The catalogue {library.database.place} cannot be reached" in shown


def test_a_box_for_a_query_takes_all_that_is_pasted(reader: httpx.Client) -> None:
    """What is too long is said; a browser would cut it without a word."""
    for path, name in (("/", "q"), ("/jobs", "batchquery")):
        [box] = [each for each in Page(reader.get(path).text).all("input") if each.get("id") == name]
        assert "maxlength" not in box
    kept = reader.get("/photo/1", params={"q": "blue " * 220 + "-square"}).text
    assert "-square" in kept  # the way back to it says why it finds nothing
