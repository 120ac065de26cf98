"""What someone does on a page leaves what they typed, and the focus, where it was; and is undone, or says why not."""

from __future__ import annotations

import itertools
import json
import shutil
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from photoindex.library.gallery import Edit
from photoindex.web import pages
from tests.browser.conftest import PHOTOS, SECONDS, Looker, Shown, faults


def replaced(look: Looker, part: str, act: Callable[[], object]) -> None:
    """Do something, and wait until another state of a page's part is shown."""
    look.page.evaluate(f"document.getElementById('{part}').old = true")
    act()
    look.until(f"!document.getElementById('{part}').old")


@pytest.mark.parametrize(
    "control", [".star >> nth=2", "#favourite", "#hide", ".candidates button >> nth=0", "a new tag", "undo", "u"]
)
def test_a_half_written_caption_stays_when_something_else_of_the_photo_is_changed(look: Looker, control: str) -> None:
    page = look.open("/photo/20")
    page.wait_for_selector("#edit")
    if control in ("undo", "u"):
        replaced(look, "photo", lambda: page.keyboard.press("f"))
    page.keyboard.press("e")
    page.keyboard.type("half a caption")
    page.locator("#albumname").fill("half an album")

    def act() -> None:
        if control == "a new tag":
            page.locator("#tag").fill("whole")
            page.keyboard.press("Enter")
        elif control == "undo":
            page.locator(".toast button").click()
        elif control == "u":
            page.locator("#main").focus()
            page.keyboard.press("u")
        else:
            page.locator(control).click()

    replaced(look, "photo", act)
    assert page.locator("#words").is_visible()
    assert page.locator("#words").input_value() == "half a caption"
    assert page.locator("#albumname").input_value() == "half an album"
    assert page.locator("#tag").input_value() == ""  # which is stored
    page.locator("#main").focus()
    page.keyboard.press("e")
    page.keyboard.press("End")
    page.keyboard.type(" more")
    assert page.locator("#words").input_value() == "half a caption more"
    if control not in ("undo", "u"):
        replaced(look, "photo", lambda: page.locator(".toast button").click())


@pytest.mark.parametrize("fault", ["refused", "no answer"])
def test_a_caption_that_is_not_saved_stays_in_its_editor(look: Looker, fault: str) -> None:
    page = look.open("/photo/21")
    page.wait_for_selector("#edit")
    before = page.locator("#caption").inner_text()
    page.keyboard.press("e")
    page.locator("#words").fill("a word\u0001 that is refused" if fault == "refused" else "a word on its way")
    if fault == "no answer":
        page.route("**/api/v1/photos", lambda route: route.abort())
    page.keyboard.press("Enter")
    page.wait_for_selector("#unsaved:has-text('Not saved: ')")
    page.wait_for_selector(".toast.bad")
    assert page.locator("#words").input_value().startswith("a word")
    assert page.locator("#caption").inner_text() == before
    assert len(look.problems) == 1  # the browser's own line about the answer
    look.problems.clear()
    page.unroute_all()
    page.locator("#words").fill("a word that is saved")
    page.locator("#editor .primary").click()
    page.wait_for_selector("#caption:has-text('a word that is saved')")
    assert page.locator("#editor").is_hidden()
    page.locator(".toast button").click()
    # Not any other state: the saved one may be shown twice, as its page follows all changes.
    look.until(f"document.getElementById('caption').innerText === {json.dumps(before)}")


@pytest.fixture
def batch(drawn: Shown, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A batch that goes on until it is paused."""
    batch = SimpleNamespace(
        id=1, kind="stale", query=None, state="running", total=9, done=3, failed=0, left=6, rate=None, seconds_left=None
    )
    states = {"pause": "paused", "resume": "running", "cancel": "cancelled"}
    monkeypatch.setattr(drawn.gallery, "batches", lambda: [batch])
    monkeypatch.setattr(drawn.gallery, "change_batch", lambda _, action: setattr(batch, "state", states[action]))
    return batch


def test_the_query_of_a_batch_stays_when_another_is_paused(look: Looker, batch: SimpleNamespace) -> None:
    page = look.open("/jobs")
    page.locator("#batchquery").fill("half a")
    replaced(look, "live", lambda: page.locator("[data-action=pause]").click())
    assert batch.state == "paused"
    assert page.locator("#batchquery").input_value() == "half a"


def focused(look: Looker, selector: str) -> bool:
    """Return that an element has the focus, or gets it: what keeps up with the library may be shown before an answer
    is."""
    look.until(f"document.activeElement.matches({json.dumps(selector)})")
    return True


@pytest.mark.parametrize(
    ("control", "then"),
    [
        ("[aria-label='3 stars']", "[aria-label='3 stars']"),
        ("#favourite", "#favourite"),
        ("#hide", "#hide"),
        (".candidates li:nth-child(2) button", ".candidates li:nth-child(2) button"),
        ("[data-untag=first]", "[data-untag=second]"),
        ("[data-untag=second]", "[data-untag=first]"),
        ("#history button", "#history button, #history h2"),
    ],
)
def test_the_focus_stays_with_what_was_pressed_on_a_photo(look: Looker, drawn: Shown, control: str, then: str) -> None:
    edits = drawn.gallery.edit([22], Edit(tags=("first", "second")))
    page = look.open("/photo/22")
    page.wait_for_selector("#edit")
    page.locator(control).first.focus()
    replaced(look, "photo", lambda: page.keyboard.press("Space"))
    assert focused(look, then)
    if control != "#history button":
        replaced(look, "photo", lambda: page.keyboard.press("u"))
        assert focused(look, then)
    drawn.gallery.undo(edits[0])


def test_the_focus_goes_to_the_pen_when_a_caption_is_saved_and_to_a_heading_when_no_tag_is_left(
    look: Looker, drawn: Shown
) -> None:
    drawn.gallery.edit([23], Edit(tags=("only",)))
    page = look.open("/photo/23")
    page.wait_for_selector("#edit")
    page.keyboard.press("e")
    page.keyboard.type("words of the test")
    replaced(look, "photo", lambda: page.keyboard.press("Enter"))
    assert focused(look, "#edit")
    page.locator(".toast button").focus()
    replaced(look, "photo", lambda: page.keyboard.press("Enter"))
    assert focused(look, "#edit")
    page.locator("[data-untag=only]").focus()
    replaced(look, "photo", lambda: page.keyboard.press("Enter"))
    assert page.evaluate("document.activeElement.textContent") == "Tags"


def test_the_focus_stays_on_failures_and_jobs(look: Looker, batch: SimpleNamespace) -> None:
    page = look.open("/failures")
    retry = page.locator("li:has-text('broken.jpg') button", has_text="Retry")
    retry.focus()
    replaced(look, "live", lambda: page.keyboard.press("Enter"))
    assert page.evaluate("document.activeElement.textContent") == "Retry"
    look.open("/jobs")
    page.locator("[data-action=pause]").focus()
    replaced(look, "live", lambda: page.keyboard.press("Enter"))
    assert focused(look, "[data-action=resume]")
    replaced(look, "live", lambda: page.keyboard.press("Enter"))
    assert focused(look, "[data-action=pause]")
    assert batch.state == "running"
    page.locator("#what").select_option("all")
    page.locator("#batchquery").fill("giraffes")
    page.keyboard.press("Enter")
    page.locator("#plan button").focus()
    replaced(look, "live", lambda: page.keyboard.press("Enter"))
    assert page.evaluate("document.activeElement.textContent") == "Plan"
    assert page.locator("#batchquery").input_value() == ""


@pytest.mark.parametrize("control", [".picture", ".choose"])
def test_the_focus_stays_at_its_photo_when_the_results_keep_up(look: Looker, drawn: Shown, control: str) -> None:
    page = look.open("/search?q=giraffes")
    look.until("document.documentElement.dataset.revision")
    for _ in range(2):
        page.keyboard.press("j")
    page.locator(".hit").nth(1).locator(control).focus()
    at = "document.activeElement.closest('.hit').dataset.id"
    photo = page.evaluate(at)
    edits: list[str] = []
    replaced(look, "results", lambda: edits.extend(drawn.gallery.edit([7], Edit(tags=(f"kept {control}",)))[:1]))
    assert focused(look, control)
    assert page.evaluate(at) == photo
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert page.evaluate(at) == photo
    drawn.gallery.undo(edits[0])


def test_an_album_that_cannot_be_brought_back_says_why_and_can_later(look: Looker, drawn: Shown) -> None:
    first = drawn.gallery.albums.put("Twice", [1, 2])[0]
    page = look.open(f"/album/{first.id}")
    page.locator("button[data-do=delete]").click()
    page.wait_for_selector(".toast:has-text('is gone')")
    second = drawn.gallery.albums.put("Twice", [3])[0]
    page.locator(".toast button").click()
    page.wait_for_selector(".toast.bad:has-text('there is an album')")
    assert page.locator(".hit").count() == 2
    [problem] = look.problems  # the browser's own line about the answer
    assert "409" in problem or "400" in problem
    look.problems.clear()
    drawn.gallery.albums.delete(second.id)
    page.locator(".toast button").click()
    page.wait_for_selector("#live:not([inert]) .hit >> nth=1")
    number = page.locator("#live").get_attribute("data-id")
    drawn.gallery.albums.delete(int(number or ""))


def test_u_undoes_the_last_change_of_albums_and_duplicates_as_well(look: Looker, drawn: Shown) -> None:
    page = look.open("/photo/24")
    page.wait_for_selector("#edit")
    replaced(look, "photo", lambda: page.keyboard.press("f"))
    page.locator("#albumname").fill("For the key")
    replaced(look, "photo", lambda: page.keyboard.press("Enter"))
    page.locator("#albums a:has-text('For the key')").wait_for()
    page.locator("#main").focus()
    replaced(look, "photo", lambda: page.keyboard.press("u"))
    assert page.locator("#albums a:has-text('For the key')").count() == 0
    page.wait_for_selector("#favourite[aria-pressed=true]")
    page.keyboard.press("u")  # there is nothing more that it knows of
    page.locator("#favourite").click()
    page.wait_for_selector("#favourite[aria-pressed=false]")
    assert "For the key" not in {each.name for each in drawn.gallery.albums.all()}  # nothing is left of it


def test_copies_that_are_wanted_are_counted_no_more_and_u_brings_them_back(look: Looker, drawn: Shown) -> None:
    copied = sorted(drawn.album.rglob("*.jpg"))[3]
    copy = copied.with_name("a copy.jpg")
    shutil.copy2(copied, copy)
    look.open("/duplicates")
    look.until("fetch(location.href).then((page) => page.text()).then((text) => text.includes('data-distinct'))")
    page = look.open("/duplicates")
    page.wait_for_selector("#counted:has-text('1 group.')")
    page.locator("[data-distinct]:enabled").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#counted:has-text('0 groups.')")
    assert page.locator("#live").inner_text().startswith("None")
    assert focused(look, "#live h2, .resulthead h1")
    page.keyboard.press("u")
    page.wait_for_selector("#counted:has-text('1 group.')")
    copy.unlink()


def test_all_groups_of_duplicates_are_reached_page_by_page(
    look: Looker, drawn: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "GROUPS", 2)
    copies = []
    for number, copied in enumerate(sorted(drawn.album.rglob("*.jpg"))[5:10]):
        copies.append(copied.with_name(f"again {number}.jpg"))
        shutil.copy2(copied, copies[-1])
    look.open("/duplicates")
    look.until(
        "fetch(location.href).then((page) => page.text()).then((text) => text.includes('5 groups'))"
    )  # the watch has found them
    page = look.open("/duplicates")
    seen: list[str] = []
    for shown in (2, 2, 1):
        assert page.locator("section.card").count() == shown
        seen += [each.get_attribute("aria-label") or "" for each in page.locator("section.card").all()]
        following = page.locator("a[rel=next]")
        if following.count():
            following.click()
            look.until(f"document.querySelector('.card')?.getAttribute('aria-label') === 'Group {len(seen) + 1}'")
    assert seen == [f"Group {number}" for number in range(1, 6)]
    assert faults(page) == []
    page.locator("[data-distinct]:enabled").click()  # the last one of the last page
    page.wait_for_selector("#counted:has-text('4 groups.')")
    assert [each.get_attribute("aria-label") for each in page.locator("section.card").all()] == ["Group 3", "Group 4"]
    page.keyboard.press("u")
    page.wait_for_selector("#counted:has-text('5 groups.')")
    look.open("/duplicates?near=0&from=2")
    assert page.locator("a[rel=prev]").get_attribute("href") == "/duplicates?near=0"
    for copy in copies:
        copy.unlink()


def test_keys_that_are_pressed_quickly_each_count(look: Looker) -> None:
    page = look.open("/photo/25")
    page.wait_for_selector("#edit")
    for key in "+++":
        page.keyboard.press(key)
    page.wait_for_selector(".marks[data-rating='3']")
    page.keyboard.press("-")
    page.keyboard.press("u")
    page.wait_for_selector("#history .undone")
    assert page.locator("#marks").get_attribute("data-rating") == "3"
    before = page.locator("#history li").count()  # others may have changed it, too
    for key in "fff":
        page.keyboard.press(key)
    page.wait_for_selector(f"#history li >> nth={before + 2}")
    assert page.locator("#favourite").get_attribute("aria-pressed") == "true"
    page.keyboard.press("f")
    page.locator("[aria-label='3 stars']").click()  # takes them away
    page.wait_for_selector(".marks[data-rating='0']")
    assert page.locator("#favourite").get_attribute("aria-pressed") == "false"


LONG = "kilometrelangeswortdasnirgendsgetrenntwerdenkann"  # 48 letters


@pytest.mark.parametrize(
    "look", [{"viewport": {"width": 360, "height": 740}}, {}], ids=["phone", "desktop"], indirect=True
)
def test_a_word_without_an_end_fits_on_every_page(look: Looker, drawn: Shown) -> None:
    longest = LONG * 4
    edits = [drawn.gallery.edit([26], each)[0] for each in (Edit(tags=(LONG, longest)), Edit(caption=longest))]
    picked = drawn.gallery.albums.put(longest, [26])[0]
    saved = drawn.gallery.albums.add(f"{LONG} too", longest)
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    paths = ("/photo/26", f"/photo/26?q={longest}", "/albums", f"/album/{picked.id}", f"/album/{saved.id}")
    for path in (*paths, f"/search?q={longest}", f"/search?q=tag:{longest}", f"/review?queue=search&q={longest}"):
        look.open(path)
        assert look.page.evaluate(wide) <= 0, path
    page = look.open("/photo/26")
    page.wait_for_selector("#edit")
    page.locator("#albumname").fill(longest)
    page.keyboard.press("Enter")
    page.wait_for_selector(".toast")
    page.locator(f"[data-untag={LONG}]").click()
    toast = page.locator(".toast:has-text('Took away')").bounding_box()
    page.locator(".toast button").click()
    page.wait_for_selector(".toast:has-text('Undone')")
    assert page.evaluate(wide) <= 0
    assert toast
    assert toast["x"] >= 0
    assert toast["x"] + toast["width"] <= page.evaluate("innerWidth")
    for album in (picked, saved):
        drawn.gallery.albums.delete(album.id)
    for edit in reversed(edits):
        drawn.gallery.undo(edit)


def test_photos_stay_chosen_until_their_album_has_them_and_u_takes_them_out(look: Looker, drawn: Shown) -> None:
    page = look.open("/search?q=giraffes")
    page.wait_for_selector(".choose")
    page.locator(".hit .picture").first.focus()
    for key in "xjx":
        page.keyboard.press(key)
    page.locator(".choosing input").fill("Chosen ones")
    page.route("**/api/v1/albums/fill", lambda route: route.abort())
    page.locator(".choosing button[value=album]").click()
    page.wait_for_selector(".toast.bad:has-text('the server does not answer')")
    assert page.locator(".choosing input").input_value() == "Chosen ones"
    assert page.locator(".choose:checked").count() == 2
    assert len(look.problems) == 1  # the browser's own line about the answer
    look.problems.clear()
    page.unroute_all()
    page.locator(".choosing button[value=album]").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".toast:has-text('2 added to “Chosen ones”')")
    assert focused(look, ".hit .picture")
    page.keyboard.press("u")
    page.wait_for_selector(".toast:has-text('Undone')")
    assert "Chosen ones" not in {each.name for each in drawn.gallery.albums.all()}  # it was made for them
    album = drawn.gallery.albums.add("Chosen ones")
    page.locator("#keeping summary").click()
    page.locator("#keep input").fill("Chosen ones")
    page.locator("#keep button[value=photos]").click()
    page.wait_for_selector(".toast:has-text('added to')")
    page.keyboard.press("u")
    page.wait_for_selector(".toast:has-text('Undone')")
    assert drawn.gallery.albums.photos(album.id) == []
    drawn.gallery.albums.delete(album.id)


@pytest.mark.parametrize("how", ["all results", "chosen ones"])
@pytest.mark.parametrize("undone", ["u", "its button"])
def test_of_many_put_into_an_album_those_are_taken_out_that_were_not_in_it(
    look: Looker, drawn: Shown, how: str, undone: str
) -> None:
    look.open("/search?q=giraffes")
    look.page.wait_for_selector(".choose")
    hits = [int(hit.get_attribute("data-id") or "") for hit in look.page.locator(".hit").all()]
    other, later = [number for number in range(1, PHOTOS) if number not in hits][:2]
    name = f"Some before {how} {undone}"
    album = drawn.gallery.albums.put(name, [hits[0], other])[0]
    page = look.page
    if how == "all results":
        page.locator("#keeping summary").click()
        page.locator("#keep input").fill(name)
        page.locator("#keep button[value=photos]").click()
    else:
        for number in range(3):
            page.locator(".choose").nth(number).check()
        page.locator(".choosing input").fill(name)
        page.locator(".choosing button[value=album]").click()
    page.wait_for_selector(f".toast:has-text('added to “{name}”')")
    after = drawn.gallery.albums.photos(album.id)
    assert len(after) >= 4
    drawn.gallery.albums.put(name, [later])  # by another tab, meanwhile
    drawn.gallery.albums.remove(album.id, [after[-1]])
    drawn.gallery.albums.put(name, [after[-1]])  # taken out and put in again: by someone else now
    if undone == "u":
        page.locator("#main").focus()
        page.keyboard.press("u")
    else:
        page.locator(".toast button").click()
    page.wait_for_selector(".toast:has-text('Undone')")
    assert set(drawn.gallery.albums.photos(album.id)) == {hits[0], other, later, after[-1]}
    drawn.gallery.albums.delete(album.id)


def test_what_changes_nothing_is_not_what_u_undoes(look: Looker) -> None:
    page = look.open("/photo/27")
    page.wait_for_selector("#edit")
    for text in ("Tagged “same”", "Nothing to change: it is so already"):
        page.locator("#tag").fill("same")
        page.keyboard.press("Enter")
        page.wait_for_selector(f".toast:has-text('{text}')")
        look.until("document.getElementById('tag').value === ''")
    assert page.locator(".toast button").count() == 0
    page.locator("#main").focus()
    page.keyboard.press("u")
    page.wait_for_selector("[data-untag=same]", state="detached")


def test_what_another_tab_did_to_an_album_and_the_same_name_are_not_what_u_undoes(look: Looker, drawn: Shown) -> None:
    album = drawn.gallery.albums.put("Twice", [28])[0]
    page = look.open("/photo/28")
    page.wait_for_selector("#edit")
    replaced(look, "photo", lambda: page.keyboard.press("f"))
    drawn.gallery.albums.remove(album.id, [28])
    replaced(look, "photo", lambda: page.locator(f"[data-album='{album.id}']").click())
    page.wait_for_selector(".toast:has-text('It is not in “Twice” any more')")
    look.open(f"/album/{album.id}")
    page.locator("[data-do=rename]").click()
    page.keyboard.press("Enter")
    look.until("document.getElementById('renamer').hidden")
    page = look.open("/photo/28")
    page.wait_for_selector("#edit")
    replaced(look, "photo", lambda: page.keyboard.press("u"))
    assert page.locator("#favourite").get_attribute("aria-pressed") == "false"
    drawn.gallery.albums.delete(album.id)


def test_keys_change_no_photo_that_is_left(look: Looker) -> None:
    """They are pressed for the next one, which is on its way."""
    page = look.open("/photo/30")
    page.wait_for_selector("#edit")
    changed, held = [], []
    page.on("request", lambda request: request.method == "PATCH" and changed.append(request.post_data))
    following = page.locator(".next").get_attribute("href")
    look.context.route(f"**{following}", lambda route: held.append(route))
    with page.expect_event("request", lambda request: request.url.endswith(str(following))):
        page.keyboard.press("ArrowRight")
    for key in ("f", "ArrowRight", "h", "1"):
        page.keyboard.press(key)
    arrived(look, held).abort("aborted")
    page.keyboard.press("Escape")  # it is not waited for any more
    page.keyboard.press("+")
    page.wait_for_selector(".toast:has-text('★')")
    assert changed == ['{"ids":[30],"rating":1}']
    look.context.unroute_all()
    page.keyboard.press("u")
    page.wait_for_selector(".toast:has-text('Undone')")
    page.keyboard.press("ArrowRight")
    page.wait_for_url(f"**{following}")
    page.wait_for_selector("#edit")
    replaced(look, "photo", lambda: page.keyboard.press("f"))
    replaced(look, "photo", lambda: page.keyboard.press("u"))


def arrived(look: Looker, held: list[Any]) -> Any:
    """Wait for a request that is held back, and return it."""
    deadline = time.monotonic() + SECONDS
    while not held:
        assert time.monotonic() < deadline
        look.page.wait_for_timeout(20)
    return held.pop(0)


def test_a_verdict_is_of_one_photo(look: Looker, drawn: Shown) -> None:
    page = look.open("/review?queue=newest")
    page.wait_for_selector("#review[data-ready]")
    number = int(page.locator("#review").get_attribute("data-id"))
    changed, held = [], []
    page.on("request", lambda request: request.method == "PATCH" and changed.append(request.post_data))
    page.route("**/api/v1/photos", lambda route: held.append(route))
    page.keyboard.press("y")
    page.keyboard.press("w")
    page.locator("[data-do=later]").click()
    arrived(look, held).abort()
    page.wait_for_selector(".toast.bad")
    look.problems.clear()  # the browser's own line about the answer
    page.keyboard.press("l")
    page.locator("[data-do=wrong]").click()
    arrived(look, held).continue_()
    page.unroute_all()
    look.until(f"!!document.querySelector('#review[data-ready]:not([data-id=\"{number}\"])')")
    assert changed == [f'{{"ids":[{number}],"lock":true}}', f'{{"ids":[{number}],"review":"later"}}']
    page.keyboard.press("u")
    look.until("!sessionStorage.getItem('last-change')")


def test_half_a_word_finds_the_same_when_one_comes_back(look: Looker) -> None:
    page = look.open("/search")
    page.locator("#q").type("giraf", delay=20)
    page.wait_for_selector("#results[data-typed=giraf] .hit")
    look.until("location.search === '?q=giraf*'")
    assert page.locator("#q").input_value() == "giraf"
    found = page.locator("h1").first.inner_text()
    page.locator(".hit .picture").first.click()
    page.wait_for_selector("#photo")
    page.go_back()
    page.wait_for_selector(".hit")
    assert page.locator("h1").first.inner_text() == found
    page.locator("#q").fill("giraffe")
    page.wait_for_selector("#results[data-query=giraffe] .hit")
    assert page.url.endswith("?q=giraffe")


def test_a_map_says_that_the_server_does_not_answer(look: Looker) -> None:
    page = look.open("/map")
    page.wait_for_selector("#map[data-ready]")
    page.route("**/api/v1/map?*", lambda route: route.abort())
    page.locator("[data-zoom='2']").click()
    page.wait_for_selector(".toast.bad:has-text('the server does not answer')")
    assert all("Failed to load resource" in each for each in look.problems)
    look.problems.clear()
    page.unroute_all()
    page.route(
        "**/api/v1/map?*", lambda route: route.fulfill(status=502, content_type="text/html", body="<p>Bad gateway")
    )
    page.locator("[data-zoom='2']").click()
    page.wait_for_selector(".toast.bad:has-text('status 502')")
    look.problems.clear()


def test_the_timeline_is_printed_on_as_much_paper_as_it_has_rows(look: Looker) -> None:
    page = look.open("/")
    page.wait_for_selector("#timeline a[data-photo]")
    page.emulate_media(media="print")
    rows = (
        "[...document.querySelectorAll('#timeline .row, #timeline .dayname')].map((row) => row.getBoundingClientRect())"
    )
    boxes = page.evaluate(f"{rows}.map(({{ top, bottom }}) => [top, bottom])")
    assert all(above[1] <= below[0] + 1 for above, below in itertools.pairwise(boxes))
    tall = page.evaluate("document.getElementById('timeline').getBoundingClientRect().height")
    assert tall <= sum(bottom - top for top, bottom in boxes) + 40 * len(boxes)
    page.emulate_media(media="screen")


def steps(page: Any, how: str) -> None:
    """Go on to the next photo."""
    before = page.url
    if how == "key":
        page.keyboard.press("ArrowRight")
    else:
        page.locator("a.next").click()
    page.wait_for_url(lambda url: url != before)
    page.wait_for_load_state("load")  # its scripts have run


@pytest.mark.parametrize("how", ["key", "click"])
@pytest.mark.parametrize("back", ["Escape", "the browser"])
@pytest.mark.parametrize("path", ["/", "/search?q=giraffe&sort=oldest"])
def test_back_leads_to_the_list_from_whichever_of_its_photos(look: Looker, path: str, how: str, back: str) -> None:
    page = look.open(path)
    page.locator(".hit .picture, #timeline a[data-photo]").first.click()
    page.wait_for_url("**/photo/*")
    page.wait_for_load_state("load")
    for _ in range(3):
        steps(page, how)
    if back == "Escape":
        page.keyboard.press("Escape")
    else:
        page.go_back()
    look.until(f"location.pathname + location.search === '{path}'")


@pytest.mark.parametrize(
    ("photo", "path"),
    [
        ("20?q=giraffe&sort=oldest", "/search?q=giraffe&sort=oldest"),
        ("20?like=21", "/photo/21/similar"),
        ("20", "/"),
    ],
)
def test_escape_leads_to_the_list_of_a_photo_that_was_opened_in_a_tab_of_its_own(
    look: Looker, photo: str, path: str
) -> None:
    page = look.page.context.new_page()
    page.goto(f"{look.base}/photo/{photo}")
    page.wait_for_load_state("load")
    steps(page, "key")
    page.keyboard.press("Escape")
    page.wait_for_url(look.base + path)
    page.close()


def test_an_album_that_was_undone_away_is_left_for_the_others(look: Looker, drawn: Shown) -> None:
    page = look.open("/photo/29")
    page.wait_for_selector("#edit")
    page.locator("#albumname").fill("Made by mistake")
    page.keyboard.press("Enter")
    page.locator(".toast a", has_text="Made by mistake").click()
    page.wait_for_selector("[data-do=rename]:enabled")
    page.keyboard.press("u")
    page.wait_for_url("**/albums")
    assert page.locator(".albumcard", has_text="Made by mistake").count() == 0
    look.problems.clear()  # the browser's own line about the page that is gone


@pytest.fixture
def closely_looked_at(look: Looker, drawn: Shown) -> Any:
    """A photo that is larger than its place, with its marks, shown at 100 % and moved; what tells how it is shown."""
    page = look.page
    page.set_viewport_size({"width": 900, "height": 500})
    look.open("/photo/12")
    look.until("document.getElementById('picture').naturalWidth > 0")
    page.wait_for_selector("#zoom:not([hidden])")
    return page


LOOKED_AT = """(() => {
  const canvas = document.getElementById("canvas"), picture = document.getElementById("picture");
  const { left, top, width } = picture.getBoundingClientRect();
  return [left, top, width, canvas.className, canvas.tabIndex, document.getElementById("zoom").ariaPressed]
    .map((each) => typeof each === "number" ? Math.round(each) : each);
})()"""


def enlarge(page: Any, share: float) -> None:
    """Enlarge a photo as two fingers on a pad do, at this share of its place from the upper left."""
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] * share)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -150)
    page.keyboard.up("Control")


@pytest.mark.parametrize("how", ["100 %", "fingers"])
def test_a_zoom_stays_when_something_of_the_photo_is_changed(look: Looker, closely_looked_at: Any, how: str) -> None:
    page = closely_looked_at
    if how == "100 %":
        page.keyboard.press("z")
        page.evaluate("document.getElementById('canvas').scrollTo(37, 23)")
    else:
        enlarge(page, 1 / 3)
    look.until("document.getElementById('canvas').matches('.zoomed, .enlarged')")
    before = page.evaluate(LOOKED_AT)
    page.keyboard.press("e")
    page.locator("#words").fill("what one sees closely")
    replaced(look, "photo", lambda: page.keyboard.press("Enter"))
    page.wait_for_selector("#caption:has-text('what one sees closely')")
    assert page.evaluate(LOOKED_AT) == before
    assert page.locator("#picture").get_attribute("alt") == "what one sees closely"
    page.locator("#main").focus()
    replaced(look, "photo", lambda: page.keyboard.press("u"))
    assert page.evaluate(LOOKED_AT) == before
    page.keyboard.press("Escape")
    assert page.evaluate(LOOKED_AT)[3:] == ["canvas", -1, "false"]
    assert page.url.endswith("/photo/12")


def test_fingers_end_what_the_button_for_100_percent_says(look: Looker, closely_looked_at: Any) -> None:
    page = closely_looked_at
    page.keyboard.press("z")
    enlarge(page, 1 / 2)
    look.until("document.getElementById('canvas').matches('.enlarged')")
    assert page.evaluate(LOOKED_AT)[3:] == ["canvas enlarged", -1, "false"]


def test_an_enlarged_picture_stays_within_its_place_when_the_screen_is_turned(look: Looker) -> None:
    page = look.page
    page.set_viewport_size({"width": 700, "height": 360})
    look.open("/photo/12")
    look.until("document.getElementById('picture').naturalWidth > 0")
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] - 2)  # which stays where it is
    page.keyboard.down("Control")
    for _ in range(3):
        page.mouse.wheel(0, -120)
    page.keyboard.up("Control")
    look.until("document.getElementById('canvas').matches('.enlarged')")
    page.set_viewport_size({"width": 360, "height": 700})
    look.until("""(() => {
      const canvas = document.getElementById("canvas"), { style } = document.getElementById("picture");
      const [, x, y, scale] = style.transform.match(/translate\\((.*)px, (.*)px\\) scale\\((.*)\\)/).map(Number);
      const [left, top] = [canvas.clientWidth * (1 - scale), canvas.clientHeight * (1 - scale)];
      return x >= left - 1 && y >= top - 1 && x <= 0 && y <= 0;
    })()""")
