"""Pages that keep up with what changes: new photos appear, and nothing that a person typed, opened or chose is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from photoindex.library.gallery import Edit
from tests.browser.conftest import Looker, Shown
from tests.drawn import draw_album

TYPED = {
    "an album's name": ("/album/1", "button[data-do=rename]", "#newname", "live"),
    "a new album": ("/search?q=balloons", "#keeping summary", "#keep input", "results"),
    "a tag for all": ("/search?q=balloons", "#tagging summary", "#tagall input", "results"),
    "a batch": ("/jobs", None, "#batchquery", "live"),
}


@pytest.mark.parametrize(("path", "opener", "field", "part"), TYPED.values(), ids=TYPED.keys())
@pytest.mark.parametrize("begun", ["before the change", "while it is loaded"])
def test_what_is_typed_stays_when_the_page_keeps_up(
    look: Looker, drawn: Shown, path: str, opener: str | None, field: str, part: str, begun: str
) -> None:
    page = look.open(path)
    look.until("document.documentElement.dataset.revision")

    def begin() -> None:
        if opener:
            page.locator(opener).click()
        page.locator(field).fill("half a")
        page.evaluate(f"document.getElementById('{part}').old = document.body.dataset.begun = true")

    def answer(route: Any) -> None:
        if begun == "while it is loaded" and not page.locator(field).input_value().startswith("half"):
            begin()
        route.continue_()

    if begun == "before the change":
        begin()
    page.route("**" + path.split("?", maxsplit=1)[0] + "*", answer)
    # Another tag for each: one that is taken away and given again at once is no change.
    drawn.gallery.edit([50], Edit(tags=(f"{field} {begun}",)))
    look.until(f"document.body.dataset.begun && !document.getElementById('{part}').old")
    page.keyboard.type(" word")
    assert page.locator(field).input_value() == "half a word"


def test_the_plan_of_a_batch_stays_when_the_page_keeps_up(look: Looker, drawn: Shown) -> None:
    page = look.open("/jobs")
    look.until("document.documentElement.dataset.revision")
    page.locator("#what").select_option("all")
    page.locator("#batch button").click()
    page.wait_for_selector("#plan button")
    page.evaluate("document.getElementById('live').old = true")
    drawn.gallery.edit([50], Edit(tags=("planned",)))
    look.until("!document.getElementById('live').old")
    assert page.locator("#what").input_value() == "all"
    page.locator("#plan button").wait_for()
    drawn.gallery.edit([50], Edit(untags=("planned",)))


def test_an_album_is_taken_along_as_one_file(look: Looker, tmp_path: Path) -> None:
    page = look.open("/album/1")
    with page.expect_download() as download:
        page.locator("a[download]").click()
    assert download.value.suggested_filename == "Giraffes.html"
    download.value.save_as(tmp_path / "sheet.html")
    text = (tmp_path / "sheet.html").read_text("utf-8")
    assert text.count("data:image/jpeg;base64,") == 3
    assert "3 photos, last added first" in text


def test_a_photo_that_is_dropped_into_the_folder_appears(look: Looker, drawn: Shown, tmp_path: Path) -> None:
    page = look.open("/")
    page.wait_for_selector("#timeline a")
    before = page.evaluate("document.querySelectorAll('#timeline a').length")
    assert before
    draw_album(tmp_path, 1)
    [picture] = tmp_path.rglob("*.jpg")
    with Image.open(picture) as image:
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = "2026:01:01 10:00:00"
        image.resize((600, 450)).save(tmp_path / "new.jpg", exif=exif)
    (tmp_path / "new.jpg").rename(drawn.album / "new.jpg")
    look.until("document.querySelector('.dayname')?.textContent.includes('January')")
