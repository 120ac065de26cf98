"""What narrows and orders: the filters of the timeline, and the tools above the results of a search."""

from __future__ import annotations

import pytest

from photoindex.library.gallery import Edit, Snapshot, TimelineFilter
from tests.browser.conftest import LOOKS, Looker, Shown, faults

WIDTHS = [{"viewport": {"width": wide, "height": 800}} for wide in (1280, 1360)]


def test_the_timeline_is_narrowed_and_its_address_holds_that(look: Looker, drawn: Shown) -> None:
    page = look.open("/")
    look.until("document.documentElement.dataset.revision")
    page.keyboard.press("f")
    page.keyboard.press("Escape")
    page.wait_for_selector("#filters:not([open])")
    page.keyboard.press("f")
    look.until("document.activeElement.name === 'folder'")
    assert faults(page) == []
    whole, safari = drawn.gallery.timeline().count, str(drawn.album / "safari")
    page.locator("select[name=folder]").select_option(safari)
    page.wait_for_url("**/?folder=*safari")
    page.wait_for_selector("#timeline[data-ready]")
    alts = "[...document.querySelectorAll('#timeline img')].map(i => i.alt)"
    look.until(f"{alts}.length > 3 && {alts}.every(alt => alt.includes('giraffes'))")
    page.locator("select[name=camera]").select_option("Fujifilm X-T5")  # still open, and by what is left
    page.wait_for_url("**camera=Fujifilm*")
    page.wait_for_selector("#narrowing p:has-text('3 of')")
    look.until(f"{alts}.length === 3")
    page.keyboard.press("Escape")
    assert faults(page) == []
    photos = page.evaluate("[...document.querySelectorAll('#timeline a')].map(a => a.pathname)")
    page.locator("#timeline a").first.click()
    page.wait_for_selector("#photo")
    page.locator("a.next").click()  # the next of those
    page.wait_for_url(f"**{photos[1]}?*")
    page.go_back()  # to the list, from whichever of its photos
    page.wait_for_selector("#timeline[data-ready]")
    look.until(f"{alts}.length === 3")
    page.locator(".chips a[aria-label='Any folder']").click()
    page.wait_for_selector("#narrowing p:has-text(' of ')")
    page.wait_for_selector("#narrowing .chips li:only-child:has-text('Fujifilm X-T5')")
    page.go_back()
    page.wait_for_selector("#narrowing p:has-text('3 of')")
    page.locator(".chips a[aria-label='Any folder']").click()
    page.locator(".chips a[aria-label='Any camera']").click()
    look.until(f"!location.search && !document.querySelector('.chips') && {alts}.length > 5")
    assert page.locator("#narrowing").inner_text().strip() == "Filter"
    assert whole > 3


def test_years_and_days_follow_what_the_timeline_is_narrowed_to(look: Looker, drawn: Shown) -> None:
    look.open("/?rating=5")
    assert look.page.locator("#narrowing p").inner_text() == "No photo is all of this."
    snapshot = drawn.gallery.timeline()
    oldest = int(snapshot.ids[snapshot.count - 1])
    edited, _ = drawn.gallery.edit([oldest], Edit(rating=5))
    drawn.gallery.changes.notify()
    look.until("document.querySelectorAll('#timeline a').length === 1")  # by itself
    assert look.page.locator(".years a").all_inner_texts() == [str(snapshot.taken[-1])[:4]]
    assert look.page.locator(".dayname").count() == 1
    drawn.gallery.undo(edited)
    look.until("document.querySelectorAll('#timeline a').length === 0")


def test_a_narrowed_million_is_scrolled(look: Looker, drawn: Shown, million: Snapshot) -> None:
    page = look.open("/?camera=Fujifilm+X-T5")
    narrowed = drawn.gallery.narrowed(TimelineFilter(camera="Fujifilm X-T5"))
    assert page.locator("#narrowing p").inner_text() == f"{narrowed.count:,} of 1,000,000 photos"
    assert 400_000 < narrowed.count < 600_000
    page.locator(".years a", has_text="2011").click()
    look.until("document.querySelector('.years .thumb').dataset.label.includes('2011')")
    look.until("document.querySelectorAll('#timeline img').length > 5")
    shown = page.evaluate("[...document.querySelectorAll('#timeline a')].map(a => Number(a.dataset.photo))")
    assert str(million.taken[narrowed.rows(min(shown), 1)[0]])[:4] in ("2010", "2011", "2012")
    assert page.evaluate("document.querySelectorAll('#timeline *').length") < 600


@pytest.mark.parametrize("look", WIDTHS, indirect=True)
def test_the_tools_of_a_search_are_one_line(look: Looker) -> None:
    page = look.open("/search?q=water&sort=newest")
    page.wait_for_selector("#keeping:not([hidden])")
    middles = page.evaluate(
        "[...document.querySelectorAll('.tools > *')].map(e => e.getBoundingClientRect())"
        ".map(box => Math.round(box.top + box.height / 2))"
    )
    assert len(middles) == 5
    assert max(middles) - min(middles) <= 1
    for opener in ("#order", "#tagging", "#keeping"):
        page.locator(f"{opener} summary").click()
        assert page.locator(".pop[open]").count() == 1  # each closes the one before
        assert faults(page) == []
        box = page.locator(f"{opener} .sheet").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= page.viewport_size["width"]
    page.locator("#order summary").click()
    page.locator("#order a", has_text="Rating").click()
    page.wait_for_url("**sort=rating*")
    page.wait_for_selector("#order summary:has-text('Rating')")


PHONES = [{**LOOKS["phone"], "viewport": {"width": wide, "height": 700}} for wide in (320, 390)]


@pytest.mark.parametrize("look", PHONES, indirect=True)
def test_a_search_is_narrowed_on_a_phone(look: Looker, drawn: Shown) -> None:
    page = look.open("/search?q=format:jpeg")
    page.wait_for_selector(".choose")
    lists = page.locator(".facets details")
    assert lists.count() > 1
    look.until("!document.querySelector('.facets details[open]')")
    assert page.locator(".hit").first.bounding_box()["y"] < 700  # they leave the results on the screen
    camera = page.locator(".facets summary", has_text="Camera")
    camera.tap()
    page.wait_for_selector(".facets a[href*=camera]")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert faults(page) == []
    page.evaluate("document.getElementById('results').old = true")
    number = int(page.locator(".hit").last.get_attribute("data-id"))
    name, _ = drawn.gallery.edit([number], Edit(favourite=True))
    look.until("!document.getElementById('results').old")
    assert page.locator(".facets details[open]").count() == 1  # as it was opened
    drawn.gallery.undo(name)
    page.locator(".facets a[href*=camera]").first.tap()
    page.wait_for_selector(".chips")
    assert "camera" in page.url


@pytest.mark.parametrize("look", PHONES, indirect=True)
@pytest.mark.parametrize("path", ["/", "/map", "/jobs", "/settings"])
def test_the_link_to_the_page_that_is_shown_is_in_sight_on_a_phone(look: Looker, path: str) -> None:
    page = look.open(path)
    here = page.locator(".rail [aria-current]").bounding_box()
    assert here["x"] >= 0
    assert here["x"] + here["width"] <= page.viewport_size["width"] + 1


@pytest.mark.parametrize("look", [{}, *PHONES], indirect=True)
def test_a_caption_of_a_page_leaves_room_for_other_photos(look: Looker, drawn: Shown) -> None:
    name, _ = drawn.gallery.edit([7], Edit(caption="a receipt of many lines " * 400))
    page = look.open("/search?q=receipt")
    assert page.locator(".hit[data-id='7']").bounding_box()["height"] < 600
    look.open("/photo/7/similar")
    assert page.locator("h1").bounding_box()["height"] < 300
    look.open("/photo/7")
    assert page.locator("#caption").text_content().count("receipt") == 400
    assert page.locator("#caption").bounding_box()["height"] > 1000  # all of it
    drawn.gallery.undo(name)


def test_what_is_found_while_one_types_is_said(look: Looker) -> None:
    page = look.open("/search")
    page.locator("#q").focus()
    page.keyboard.type("giraffes")
    page.wait_for_selector("[role=status]:has-text('for “giraffes”')", state="attached")
    page.keyboard.type("zzzz")
    page.wait_for_selector("[role=status]:has-text('Nothing matches')", state="attached")
    page.locator("#main").focus()
    assert faults(page) == []


@pytest.mark.parametrize("look", [{}, PHONES[1]], indirect=True)
@pytest.mark.parametrize("path", ["/review", "/duplicates"])
def test_queues_and_kinds_of_duplicates_stand_in_a_line(look: Looker, path: str) -> None:
    page = look.open(path)
    links = [link.bounding_box() for link in page.locator(".resulthead > .orders a").all()]
    assert links[0]["y"] == links[1]["y"] == links[2]["y"]
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert faults(page) == []
