"""The gallery as a person uses it, in a real browser: looking, finding, correcting, by keyboard and on a phone."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.browser.conftest import PHONE, PHOTOS, Looker, Shown
from tests.drawn import draw_album

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text("utf-8")
PAGES = [
    "/",
    "/search?q=giraffes+in+grass",
    "/search?q=animal",
    "/search?q=water&view=list",
    "/search?q=xylophone",
    "/photo/1?q=giraffes",
    "/photo/1/similar",
    "/review",
    "/albums",
    "/album/1",
    "/map",
    "/place?box=-180,-90,180,90",
    "/duplicates?decided=yes",
    "/failures",
    "/duplicates",
    "/jobs",
    "/stats",
    "/about",
    "/settings",
]
LOOKS = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": PHONE, "is_mobile": True, "has_touch": True},
}


def faults(page: Any) -> list[str]:
    """What axe-core finds against WCAG 2.2 AA and its best practices."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        f"{each['id']}: {node['html']} {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys(), indirect=True)
def test_every_page_is_free_of_barriers_and_fits(look: Looker) -> None:
    for path in PAGES:
        page = look.open(path)
        assert faults(page) == [], path
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, path
        with Image.open(io.BytesIO(page.screenshot())) as picture:
            assert len(picture.convert("RGB").resize((64, 64)).getcolors(4096) or []) > 20, path


def test_the_timeline_shows_all_photos_in_few_elements(look: Looker) -> None:
    page = look.open("/")
    look.until("[...document.querySelectorAll('#timeline img')].length >= 5")
    look.until(
        "[...document.querySelectorAll('#timeline img')].slice(0, 5).every(i => i.complete && i.naturalWidth > 0)"
    )
    assert page.locator("#timeline img").first.get_attribute("alt") == "two giraffes standing in tall grass"
    seen: set[str] = set()
    for _ in range(60):
        page.wait_for_timeout(130)
        seen |= set(page.evaluate("[...document.querySelectorAll('#timeline a')].map(a => a.href)"))
        assert page.evaluate("document.querySelectorAll('#timeline *').length") < 300
        if len(seen) >= PHOTOS:
            break
        page.mouse.wheel(0, 600)
    assert len(seen) >= PHOTOS


def test_a_year_is_jumped_to(look: Looker) -> None:
    page = look.open("/")
    page.locator(".years a", has_text="2023").click()
    look.until("[...document.querySelectorAll('.dayname')].some(h => h.textContent.includes('2023'))")


def test_search_why_correct_find_undo(look: Looker) -> None:
    page = look.open("/")
    page.keyboard.press("/")
    page.keyboard.type("giraffes in grass")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=say it")
    first = page.locator(".hit").first
    assert first.locator("mark").all_inner_texts() == ["giraffes", "grass"]
    assert "Found by giraffes (learned word)" in (first.locator(".bar").get_attribute("aria-label") or "")
    first.locator(".picture").click()
    page.wait_for_selector("text=Why “giraffes in grass” finds it")
    page.keyboard.press("e")
    page.locator("#words").fill("a zebra on the savanna")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Your caption")
    look.open("/search?q=zebra")
    assert page.locator(".hit .caption").first.inner_text() == "a zebra on the savanna"
    page.keyboard.press("u")
    page.wait_for_selector("text=Undone")
    page.wait_for_selector("text=Nothing matches “zebra”")


def test_another_caption_is_taken_by_its_number_and_undone_in_place(look: Looker) -> None:
    page = look.open("/photo/2")
    before = page.locator("#caption").inner_text()
    other = page.locator(".candidates button span").first.inner_text()
    page.keyboard.press("1")
    page.wait_for_selector("text=Your caption")
    assert page.locator("#caption").inner_text() == other
    page.locator(".toast button").click()
    page.wait_for_selector(f"#caption:has-text('{before}')")


def test_results_follow_what_is_typed(look: Looker) -> None:
    page = look.open("/search?q=boat")
    page.locator("#q").fill("")
    page.locator("#q").type("giraffes", delay=20)
    page.wait_for_selector("#results[data-query=giraffes]")
    assert page.url.endswith("/search?q=giraffes")
    page.locator(".word summary").first.click()
    page.locator(".menu a", has_text="Without").first.click()
    page.wait_for_selector("text=-giraffes")


def test_all_results_are_tagged_and_it_is_undone(look: Looker) -> None:
    page = look.open("/search?q=balloons")
    page.locator("#tagall input").fill("festival 2024")
    page.keyboard.press("Enter")
    page.wait_for_selector(".toast:has-text('Tagged 6 photos')")
    page.locator(".toast button").click()
    page.wait_for_selector(".toast:has-text('Undone')")
    look.open("/search?q=tag:festival")
    page.wait_for_selector("text=Nothing matches")


def test_ten_photos_are_reviewed_by_keyboard(look: Looker) -> None:
    page = look.open("/review")
    for number in range(10):
        page.wait_for_selector("#review[data-ready]")
        seen = page.locator("#review").get_attribute("data-id")
        page.keyboard.press("l" if number % 2 else "y")
        look.until(f"document.querySelector('#review')?.dataset.id !== '{seen}'")
    look.open("/review")
    assert "So far the model was right on" in page.locator(".resulthead").inner_text()


def test_a_failure_is_retried(look: Looker) -> None:
    page = look.open("/failures")
    page.locator("li:has-text('broken.jpg') button", has_text="Retry").click()
    page.wait_for_selector("text=1 queued: the next index or watch takes them")


@pytest.mark.parametrize("look", [{"java_script_enabled": False}], indirect=True)
def test_looking_and_finding_need_no_scripts(look: Looker) -> None:
    page = look.page
    page.goto(look.base + "/")
    page.locator("a[rel=next]").first.wait_for() if PHOTOS > 60 else page.locator("#timeline img").first.wait_for()
    page.locator("#q").fill("giraffes in grass")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=giraffes+in+grass")
    page.locator(".hit .picture").first.click()
    page.wait_for_selector("text=Why “giraffes in grass” finds it")


def test_a_photo_that_is_dropped_into_the_folder_appears(look: Looker, drawn: Shown, tmp_path: Path) -> None:
    page = look.open("/")
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
