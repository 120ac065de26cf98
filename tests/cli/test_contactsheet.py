"""The page that ``search --html`` writes, as a browser sees it."""

from __future__ import annotations

import dataclasses
import html.parser
import io
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from photoindex.cli.contactsheet import write_contact_sheet
from photoindex.cli.main import main
from photoindex.errors import ConfigError
from photoindex.library import Library, contact_sheet
from photoindex.types import Hit, Matched
from tests.chromium import open_page, screenshot
from tests.support import make_photo

ON_BOTH = True

NASTY = """<script>document.title = "owned"</script>" onerror="alert(1)' & <b>\x1b[2J\u202etxt"""


def picture(colour: tuple[int, int, int] = (220, 20, 20)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (160, 120), colour).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def hit(tmp_path: Path) -> Hit:
    path = tmp_path / "holiday" / "one.jpg"
    return Hit(
        path=path, score=1.0, caption="a red square on a red wall", caption_source="model",
        matched=(Matched("caption", "red", 1.0),), terms=(), taken_at=None, camera=None, width=4, height=3, photo_id=1,
    )  # fmt: skip


def sheet(title: str, hits: list[Hit], pictures: list[bytes | None]) -> str:
    return "".join(contact_sheet.contact_sheet(title, hits, pictures))


class Parsed(html.parser.HTMLParser):
    """The elements of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def test_words_that_were_found_are_marked_and_pictures_have_a_text(hit: Hit) -> None:
    page = sheet("red wall", [hit], [picture()])
    assert "a <mark>red</mark> square on a <mark>red</mark> wall" in page
    [image] = Parsed(page).all("img")
    assert image["alt"] == "a red square on a red wall"
    [link] = Parsed(page).all("a")
    assert link["href"] == hit.path.as_uri()


def test_a_word_is_marked_within_what_looks_like_markup(hit: Hit) -> None:
    tricky = dataclasses.replace(hit, caption="<i>a</i> <b>", matched=(Matched("caption", "b", 1.0),))
    assert "&lt;i&gt;a&lt;/i&gt; &lt;<mark>b</mark>&gt;" in sheet("b", [tricky], [None])


def test_a_page_needs_nothing_but_itself(hit: Hit) -> None:
    page = sheet("red", [hit], [picture()])
    sources = [value for _, attributes in Parsed(page).found for name, value in attributes.items() if name == "src"]
    assert [str(source)[:23] for source in sources] == ["data:image/jpeg;base64,"]
    assert not re.search(r"https?:|@import|url\(|<script", page)


def test_nothing_in_a_name_or_caption_becomes_part_of_the_page(hit: Hit) -> None:
    nasty = dataclasses.replace(hit, caption=NASTY, path=hit.path.with_name(NASTY.replace("/", "_")), camera=NASTY)
    plain, escaped = (Parsed(sheet(query, [each], [picture()])) for query, each in (("x", hit), (NASTY, nasty)))
    assert [tag for tag, _ in escaped.found if tag not in ("small", "mark")] == [
        tag for tag, _ in plain.found if tag not in ("small", "mark")
    ]
    assert {name for _, attributes in escaped.found for name in attributes} == {
        name for _, attributes in plain.found for name in attributes
    }
    assert "\x1b" not in sheet(NASTY, [nasty], [None])


def test_a_photo_that_cannot_be_read_now_is_said(hit: Hit) -> None:
    assert "cannot be read" in sheet("red", [hit], [None])


def test_a_page_that_cannot_be_written_is_one_line(hit: Hit, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot write"):
        write_contact_sheet(tmp_path / "none" / "page.html", "red", [hit], [None])


class TestInABrowser:
    def test_pictures_and_marks_are_seen_in_light_and_in_dark(self, hit: Hit, tmp_path: Path) -> None:
        page = tmp_path / "page.html"
        write_contact_sheet(page, "red", [hit], [picture()])
        for dark in (False, True):
            seen = screenshot(page, tmp_path / "seen.png", dark=dark)
            colours: dict[Any, int] = {colour: count for count, colour in seen.getcolors(1 << 24) or []}
            red = sum(n for (r, g, b), n in colours.items() if abs(r - 220) < 8 and abs(g - 20) < 8 and abs(b - 20) < 8)
            assert red > 20_000  # the photo itself
            assert (0x6B, 0x56, 0x00) in colours if dark else (0xFF, 0xE5, 0x8A) in colours  # the mark
            corner = seen.getpixel((2, 690))
            assert isinstance(corner, tuple)
            assert sum(corner) < 150 if dark else sum(corner) == 3 * 255

    def test_a_script_in_a_caption_is_read_and_not_run(self, hit: Hit, tmp_path: Path) -> None:
        page = tmp_path / "page.html"
        nasty = dataclasses.replace(hit, caption=NASTY, matched=())
        write_contact_sheet(page, "pictures", [nasty], [picture()])
        seen = open_page(page, tmp_path / "profile", "--dump-dom")
        assert "<title>pictures</title>" in seen
        assert Parsed(seen).all("script") == []


def test_the_command_writes_a_page_from_photos_and_keeps_their_thumbnails(library: Library, album: Path) -> None:
    make_photo(album / "one.jpg", "red")
    make_photo(album / "two.png", "blue")
    (album / "bad.jpg").write_bytes(b"")
    library.index(album)
    library.close()
    before = sorted(path.name for path in album.iterdir())
    page = album.parent / "page.html"
    result = CliRunner().invoke(
        main, ["--data-dir", str(library.settings.data_dir), "search", "square", "--html", str(page)]
    )
    assert result.exit_code == 0
    assert page.read_text().count("data:image/jpeg;base64,") == 2
    assert sorted(path.name for path in album.iterdir()) == before
    assert len(list((library.settings.data_dir / "thumbnails").glob("*/*-320.jpg"))) == 2
