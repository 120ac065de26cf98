"""The gallery as a person uses it, in a real browser: looking, finding, correcting, by keyboard and on a phone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from photoindex.catalogue import text
from photoindex.errors import FolderError
from photoindex.library.gallery import Edit, Snapshot
from photoindex.media.text.reader_version import TEXT_READER
from photoindex.types import PhotoText, TextLine
from photoindex.web.pages import TYPED_PAGE
from tests.browser.conftest import LOOKS, PHOTOS, SECONDS, Looker, Shown, faults
from tests.drawn import draw_album


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


@pytest.mark.parametrize("look", [{}, LOOKS["phone"]], ids=["desktop", "phone"], indirect=True)
def test_the_line_that_was_found_is_marked_where_it_is(look: Looker, drawn: Shown) -> None:
    box = (2000, 1000, 6000, 1000, 6000, 2000, 2000, 2000)
    lines = TextLine("Mind the gap", 0.9, box), TextLine("Way out", 0.9, (0, 8000, 900, 8000, 900, 9000, 0, 9000), 1)
    with drawn.library.database.write() as connection:
        text.save(connection, {7: PhotoText(lines)}, TEXT_READER)
    drawn.library.finder.sync()
    page = look.open("/photo/7?q=gap")
    look.until("document.getElementById('picture').naturalWidth > 0")
    shares = """() => {
      const around = document.getElementById("picture").getBoundingClientRect();
      return [...document.querySelectorAll("#found polygon")].map(mark => {
        const box = mark.getBoundingClientRect();
        return [(box.left - around.left) / around.width, (box.top - around.top) / around.height,
                (box.right - around.left) / around.width, (box.bottom - around.top) / around.height];
      });
    }"""
    placed = """[["left", "Left"], ["top", "Top"], ["width", "Width"], ["height", "Height"]].every(([side, offset]) =>
      document.getElementById("found").style[side] === document.getElementById("picture")["offset" + offset] + "px")"""
    look.until(placed)  # a browser says a frame later that what is around the picture has got another size
    [mark] = page.evaluate(shares)
    assert mark == pytest.approx([0.2, 0.1, 0.6, 0.2], abs=0.01)
    assert page.locator(".lines li").all_inner_texts() == ["Mind the gap", "Way out"]
    assert page.locator(".lines mark").all_inner_texts() == ["Mind the gap"]
    assert faults(page) == []
    page.set_viewport_size({"width": 700, "height": 900})  # and it stays there when the picture is shown otherwise
    look.until("document.getElementById('picture').getBoundingClientRect().right <= 700")
    look.until(placed)
    assert page.evaluate(shares)[0] == pytest.approx(mark, abs=0.01)
    assert look.open("/photo/7?q=giraffes").locator("#found").count() == 0


def test_a_year_is_jumped_to(look: Looker) -> None:
    page = look.open("/")
    page.locator(".years a", has_text="2023").click()
    look.until("[...document.querySelectorAll('.dayname')].some(h => h.textContent.includes('2023'))")


def test_a_year_in_a_million_photos_is_jumped_to(look: Looker, million: Snapshot) -> None:
    page = look.open("/")
    for year in ("2009", "2022"):
        link = page.locator(".years a", has_text=year)
        first = int(link.get_attribute("data-row"))
        assert str(million.taken[first]).startswith(year)
        link.click()
        look.until(f"document.querySelector('.years .thumb').dataset.label.includes('{year}')")
        look.until(f"document.querySelector('#timeline a[data-photo=\"{first}\"]')")  # it may come after those above it
        look.until("document.querySelectorAll('#timeline img').length > 5")
        shown = "[...document.querySelectorAll('#timeline a')].map(a => Number(a.dataset.photo))"
        years = {str(million.taken[photo])[:4] for photo in page.evaluate(shown)}
        assert year in years
        assert years <= {str(int(year) - 1), year, str(int(year) + 1)}
        assert page.evaluate("document.querySelectorAll('#timeline *').length") < 600
    page.mouse.move(500, 400)
    page.mouse.wheel(0, 300)  # a small step is a small step, however many photos there are
    before = page.evaluate(shown)
    page.wait_for_timeout(200)
    assert abs(min(page.evaluate(shown)) - min(before)) < 60


@pytest.mark.parametrize("look", [LOOKS["phone"]], indirect=True)
def test_a_finger_goes_from_photo_to_photo(look: Looker) -> None:
    page = look.open("/photo/9")
    after = page.locator(".next").get_attribute("href")

    def swipe(x: int, y: int) -> None:
        page.evaluate(
            """([x, y]) => {
              const target = document.getElementById("canvas");
              const at = (left, top) => new Touch({ identifier: 1, target, clientX: left, clientY: top });
              const send = (name, touches, changedTouches) =>
                target.dispatchEvent(new TouchEvent(name, { touches, changedTouches, bubbles: true }));
              send("touchstart", [at(200, 200)], [at(200, 200)]);
              send("touchend", [], [at(200 + x, 200 + y)]);
            }""",
            [x, y],
        )

    swipe(-40, 0)  # too short
    swipe(-90, 80)  # the page is scrolled
    assert page.url.endswith("/photo/9")
    swipe(-120, 10)
    page.wait_for_url(f"**{after}")
    swipe(120, 10)
    page.wait_for_url("**/photo/9")


@pytest.mark.parametrize("look", [LOOKS["phone"]], indirect=True)
def test_two_fingers_zoom_a_photo_and_one_moves_it(look: Looker) -> None:
    page = look.open("/photo/9")
    look.until("document.getElementById('picture').naturalWidth > 0")
    touch = look.context.new_cdp_session(page)
    left, top, width, height = page.evaluate(
        "(({left, top, width, height}) => [left, top, width, height])(canvas.getBoundingClientRect())"
    )
    middle = (left + width / 2, top + height / 2)

    def picture() -> dict[str, float]:
        found: dict[str, float] = page.evaluate("document.getElementById('picture').getBoundingClientRect().toJSON()")
        return found

    def move(*fingers: tuple[float, float], kind: str = "touchMove") -> None:
        points = [{"x": middle[0] + x, "y": middle[1] + y, "id": number} for number, (x, y) in enumerate(fingers)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    before = picture()
    move((-30, 0), (30, 0), kind="touchStart")
    for apart in (40, 60, 75, 90):
        move((-apart, 0), (apart, 0))
    move(kind="touchEnd")
    assert picture()["width"] == pytest.approx(3 * before["width"], rel=0.02)
    assert page.evaluate("visualViewport.scale") == 1
    large = picture()
    move((0, 0), kind="touchStart")
    for far in (30, 80, 120):
        move((-far, -far / 4))
    move(kind="touchEnd")
    assert large["left"] - picture()["left"] == pytest.approx(120, abs=20)
    assert page.url.endswith("/photo/9")  # no swipe to the next one
    page.keyboard.press("Escape")
    assert picture() == before
    page.mouse.move(*middle)
    touch.send(
        "Input.dispatchMouseEvent",
        {"type": "mouseWheel", "x": middle[0], "y": middle[1], "deltaX": 0, "deltaY": -120, "modifiers": 2},
    )
    look.until(f"document.getElementById('picture').getBoundingClientRect().width > {1.9 * before['width']}")


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
    page.wait_for_selector("#edit")  # which is shown when keys are listened for
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


def test_the_orders_are_shut_when_one_was_chosen(look: Looker) -> None:
    page = look.open("/search?q=giraffes")
    page.locator("#order summary").click()
    page.locator("#order a", has_text="Newest").click()
    page.wait_for_selector("#order summary:has-text('Newest')")
    assert page.locator("#order ul").is_hidden()


def test_half_a_word_finds_what_begins_so_until_it_is_sent_off(look: Looker) -> None:
    page = look.open("/search")
    page.locator("#q").type("giraf", delay=20)
    page.wait_for_selector("#results[data-typed=giraf] .hit")
    page.locator("#q").press("Enter")
    page.wait_for_selector("text=Nothing matches")


def test_what_no_window_holds_follows_when_typing_rests(look: Looker) -> None:
    page = look.open("/search")
    with page.expect_response(lambda answer: "typing=first" in answer.url) as first:
        page.locator("#q").fill("taken:2000..")
    assert first.value.text().count('class="hit"') == TYPED_PAGE
    page.wait_for_selector(f".hit:nth-child({TYPED_PAGE + 1})")
    assert page.url.endswith("/search?q=taken%3A2000..")


def test_results_that_stay_keep_their_pictures(look: Looker) -> None:
    page = look.open("/search")
    page.locator("#q").fill("giraffes")
    page.wait_for_selector("#results[data-typed=giraffes] .hit")
    page.locator(".hit img").first.evaluate("async (image) => { await image.decode(); window.picture_ = image; }")
    page.locator("#q").fill("giraffes grass")
    page.wait_for_selector("#results[data-typed='giraffes grass'] .hit")
    assert page.evaluate("window.picture_.isConnected")


def test_all_results_are_tagged_and_it_is_undone(look: Looker) -> None:
    page = look.open("/search?q=balloons")
    page.locator("#tagging summary").click()
    page.locator("#tagall input").fill("festival 2024")
    page.keyboard.press("Enter")
    page.wait_for_selector(".toast:has-text('Tagged 6 photos')")
    page.locator(".toast button").click()
    page.wait_for_selector(".toast:has-text('Undone')")
    look.open("/search?q=tag:festival")
    page.wait_for_selector("text=Nothing matches")


@pytest.fixture
def large(drawn: Shown, look: Looker, tmp_path: Path) -> Iterator[int]:
    """The id of a photo of 1,800 x 2,400 pixels that lies on its side, in a format that no browser shows."""
    draw_album(tmp_path, 1)
    [picture] = tmp_path.rglob("*.jpg")
    place = drawn.album / "large.tif"
    with Image.open(picture) as image:
        exif = Image.Exif()
        exif[0x0112] = 6
        image.convert("RGB").resize((2400, 1800)).save(tmp_path / "large.tif", exif=exif)
    (tmp_path / "large.tif").rename(place)
    deadline = time.monotonic() + SECONDS
    number = None
    while number is None:
        assert time.monotonic() < deadline
        look.page.wait_for_timeout(50)
        with suppress(FolderError):  # the watch has not seen it yet
            found = drawn.library.show(place)
            number = found.id if found and found.caption else None
    yield number
    place.unlink()


SIZE = """(({width, height}) => [width, height])(document.getElementById("picture").getBoundingClientRect())"""


def test_a_photo_is_looked_at_closely_with_its_own_pixels(look: Looker, large: int) -> None:
    page = look.open(f"/photo/{large}")
    look.until("document.getElementById('picture').naturalWidth === 1200")
    fits = page.evaluate(SIZE)
    asked: list[str] = []
    page.on("request", lambda request: "-8192" in request.url and asked.append(request.url))
    page.wait_for_selector("#zoom:not([hidden])")
    page.keyboard.press("z")
    look.until("document.getElementById('picture').naturalWidth === 1800")
    assert page.evaluate(SIZE) == [1800, 2400]
    assert page.locator("#zoom").get_attribute("aria-pressed") == "true"
    assert faults(page) == []
    left, top, width, height = page.evaluate(
        "(({scrollLeft, scrollTop, clientWidth, clientHeight}) => [scrollLeft, scrollTop, clientWidth, clientHeight])"
        "(document.getElementById('canvas'))"
    )
    assert (left + width / 2, top + height / 2) == pytest.approx((900, 1200), abs=2)  # its middle
    page.keyboard.press("ArrowDown")  # the picture is moved, and no other photo shown
    page.keyboard.press("ArrowRight")
    look.until(f"document.getElementById('canvas').scrollTop > {top + 50}")
    look.until(f"document.getElementById('canvas').scrollLeft > {left + 50}")
    assert page.url.endswith(f"/photo/{large}")
    page.keyboard.press("Escape")
    assert page.evaluate(SIZE) == pytest.approx(fits, abs=1)
    page.locator("#zoom").click()
    assert page.evaluate(SIZE) == [1800, 2400]
    page.locator("#zoom").click()
    page.mouse.move(400, 400)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -240)
    page.keyboard.up("Control")
    look.until("document.getElementById('canvas').matches('.enlarged')")
    assert len(asked) <= 2  # by the zoom, and by the picture, which the browser had
    page.keyboard.press("Escape")


def test_the_pixels_for_a_screen_stay_where_the_others_are_not_to_be_had(look: Looker, large: int) -> None:
    page = look.open(f"/photo/{large}")
    look.until("document.getElementById('picture').naturalWidth === 1200")
    page.wait_for_selector("#zoom:not([hidden])")
    page.route("**/*-8192.jpg", lambda route: route.abort())
    page.keyboard.press("z")
    page.wait_for_selector(".toast.bad:has-text('could not be had')")
    assert page.evaluate(SIZE) == [1800, 2400]
    assert page.evaluate("document.getElementById('picture').naturalWidth") == 1200
    look.problems.clear()  # the browser's own line about the answer
    page.unroute_all()
    page.keyboard.press("z")
    page.keyboard.press("z")
    look.until("document.getElementById('picture').naturalWidth === 1800")


@pytest.mark.parametrize(
    "look", [{"device_scale_factor": 2}, {}, LOOKS["phone"]], ids=["two pixels", "one pixel", "phone"], indirect=True
)
def test_100_percent_is_a_pixel_of_the_screen_for_each_of_the_photo(look: Looker, large: int) -> None:
    page = look.open(f"/photo/{large}")
    look.until("document.getElementById('picture').naturalWidth === 1200")
    page.wait_for_selector("#zoom:not([hidden])")
    page.locator("#picture").click()
    assert page.evaluate(f"{SIZE}.map((each) => each * devicePixelRatio)") == [1800, 2400]
    look.open("/photo/9")  # a small photo is no larger, and no smaller than it fits
    look.until("document.getElementById('picture').naturalWidth > 0")
    fits = page.evaluate(SIZE)
    page.wait_for_selector("#zoom:not([hidden])")
    page.keyboard.press("z")
    own = page.evaluate("document.getElementById('picture').getAttribute('width') / devicePixelRatio")
    assert page.evaluate(f"{SIZE}[0]") == pytest.approx(max(own, fits[0]), abs=1)


def test_some_results_are_chosen_and_tagged_and_it_is_undone(look: Looker) -> None:
    page = look.open("/search?q=giraffes")
    page.wait_for_selector(".choose")
    before = page.locator(".hit").count()
    page.locator(".hit .picture").first.focus()
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.locator(".choose").nth(2).check()
    page.locator(".choose").nth(2).uncheck()
    look.until("document.querySelector('.choosing output').innerText === '2 photos chosen'")
    assert faults(page) == []
    page.locator(".choosing input").fill("picked")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Tagged 2 photos “picked”")
    assert page.locator(".choosing").is_hidden()
    look.until(f"document.querySelectorAll('.hit').length === {before} && !document.querySelector('.choose:checked')")
    look.open("/search?q=tag:picked")
    assert page.locator(".hit").count() == 2
    page.keyboard.press("u")
    page.wait_for_selector("text=Nothing matches “tag:picked”")


def test_ten_photos_are_reviewed_by_keyboard(look: Looker) -> None:
    page = look.open("/review")
    for number in range(10):
        page.wait_for_selector("#review[data-ready]")
        seen = page.locator("#review").get_attribute("data-id")
        page.keyboard.press("l" if number % 2 else "y")
        look.until(f"document.querySelector('#review')?.dataset.id !== '{seen}'")
    look.open("/review")
    assert "So far the model was right on" in page.locator(".resulthead").inner_text()


def test_stars_favourite_and_hiding_by_keyboard(look: Looker) -> None:
    page = look.open("/photo/5")
    page.keyboard.press("+")
    page.wait_for_selector(".toast:has-text('★')")
    page.wait_for_selector(".marks[data-rating='1']")
    page.keyboard.press("f")
    page.wait_for_selector("#favourite[aria-pressed=true]")
    page.keyboard.press("h")
    page.wait_for_selector("#hide[aria-pressed=true]")
    look.open("/search?q=is:favourite")
    page.wait_for_selector("text=Nothing matches")  # it is hidden
    look.open("/search?q=is:hidden+is:favourite")
    assert page.locator(".hit").count() == 1
    for _ in range(3):
        look.open("/photo/5")
        page.locator("#history button").first.click()
        page.wait_for_selector(".toast:has-text('Undone')")
    page.wait_for_selector("#hide[aria-pressed=false]")
    page.wait_for_selector(".marks[data-rating='0']")


def test_photos_found_become_an_album_that_is_renamed_deleted_and_brought_back(look: Looker) -> None:
    page = look.open("/search?q=balloons")
    page.locator("#keeping summary").click()
    page.locator("#keep input").fill("Up in the air")
    page.locator("#keep button[value=photos]").click()
    page.locator(".toast a").click()
    page.wait_for_url("**/album/*")
    assert page.locator(".hit").count() == 6
    page.locator("button[data-do=rename]").click()
    page.locator("#newname").fill("Balloons")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('Balloons')")
    page.locator("button[data-do=delete]").click()
    page.locator(".toast button").click()
    page.wait_for_selector(".hit >> nth=5")
    page.locator(".hit .picture").first.click()
    page.locator("#albums a:has-text('Balloons')").wait_for()
    page.locator("#albums button").first.click()
    page.wait_for_selector(".toast:has-text('Taken out')")
    look.open("/albums")
    page.locator("a:has-text('Balloons')").click()
    page.wait_for_selector(".hit")
    assert page.locator(".hit").count() == 5


def test_a_search_is_saved(look: Looker) -> None:
    page = look.open("/search?q=giraffes")
    page.locator("#keeping summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("Long necks")  # the field has the focus
    page.keyboard.press("Enter")
    page.locator(".toast a").click()
    page.wait_for_selector("text=finds now")
    assert page.locator(".hit").count()


def test_the_map_by_keyboard_and_pointer(look: Looker) -> None:
    page = look.open("/map")
    page.wait_for_selector("#map[data-ready]")
    look.until("document.querySelectorAll('.spot').length > 0")
    page.locator("#map").focus()

    def redrawn(act: Callable[[], None]) -> None:
        page.evaluate("document.querySelectorAll('.spot').forEach((each) => { each.dataset.before = 'yes'; })")
        with page.expect_response("**/api/v1/map?*"):
            act()
        look.until("!document.querySelector('.spot[data-before]')")

    for key in ("+", "+", "ArrowLeft", "ArrowUp", "-", "0"):
        redrawn(partial(page.keyboard.press, key))
    largest = page.locator(".spot").first
    total = int(largest.locator("span").inner_text())
    before = page.evaluate("location.hash")
    redrawn(largest.click)
    assert page.evaluate("location.hash") != before
    look.until("[...document.querySelectorAll('.spot span')].length > 1")
    assert sum(map(int, page.locator(".spot span").all_inner_texts())) <= total
    view = "location.hash.slice(1).split(',').map(Number)"
    longitude, latitude, scale = page.evaluate(view)
    page.locator("[data-zoom='2']").dblclick()  # which is none on the map
    assert page.evaluate(view) == pytest.approx([longitude, latitude, 4 * scale], rel=1e-3)
    page.mouse.move(500, 400)
    page.mouse.down()
    page.mouse.move(560, 430, steps=4)
    page.mouse.up()
    page.locator("#here").click()
    page.wait_for_url("**/search?q=bbox*")
    page.wait_for_selector(".hit")


def test_a_batch_is_planned_before_it_is_queued(look: Looker) -> None:
    page = look.open("/jobs")
    look.until("document.documentElement.dataset.revision")
    page.locator("#what").select_option("all")
    page.locator("#batchquery").fill("xylophone")
    page.keyboard.press("Enter")
    page.wait_for_selector("#plan:has-text('0 photos')")
    assert page.locator("#plan button").count() == 0
    page.locator("#batchquery").fill("giraffes")
    page.keyboard.press("Enter")
    page.wait_for_selector("#plan button")


def test_eight_browsers_at_once(chromium: Any, drawn: Shown) -> None:
    base = drawn.base
    contexts = [chromium.new_context(viewport={"width": 1280, "height": 800}) for _ in range(8)]
    try:
        lookers = []
        for context in contexts:
            context.add_cookies([drawn.cookie])
            lookers.append(Looker(context, base))
        words = ("giraffes", "boat", "balloons", "water", "grass", "snow", "dog", "city")
        for looker in lookers:
            looker.page.goto(base + "/", wait_until="commit")
        for looker, word in zip(lookers, words, strict=True):
            looker.page.wait_for_selector("#timeline[data-ready]")
            looker.page.goto(f"{base}/search?q={word}", wait_until="commit")
        for looker, word in zip(lookers, words, strict=True):
            looker.page.wait_for_selector(f"#results[data-query={word}]")
        edited = drawn.gallery.edit([7], Edit(caption="a heron of eight"))[0]
        for looker in lookers:
            looker.open("/search?q=heron")
            assert looker.page.locator(".hit .caption").first.inner_text() == "a heron of eight"
        drawn.gallery.undo(edited)
        assert [problem for looker in lookers for problem in looker.problems] == []
    finally:
        for context in contexts:
            context.close()


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
    page.goto(look.base + "/")
    page.locator("#filters summary").click()
    page.locator("select[name=camera]").select_option("Fujifilm X100V")
    page.locator("#apply").click()
    page.wait_for_url("**camera=Fujifilm+X100V*")
    page.wait_for_selector("#narrowing p:has-text(' of ')")
