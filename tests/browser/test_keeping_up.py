"""Pages that keep up with what changes: new photos appear, and nothing that a person typed, opened or chose is lost."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from photoindex.library.gallery import Edit, Snapshot
from photoindex.web.server import GalleryServer, ServeOptions
from tests.browser.conftest import Looker, Shown, many
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


def test_a_tab_that_is_opened_beside_another_hears_of_the_first_change(look: Looker, drawn: Shown) -> None:
    """One tab has the stream of events; the other knows of which state its results are, and what the state is."""
    look.open("/")
    look.until("document.documentElement.dataset.revision")
    beside = look.context.new_page()
    beside.goto(look.base + "/search?q=balloons")
    beside.wait_for_selector("html[data-revision]")
    number = int(beside.locator(".hit").first.get_attribute("data-id"))
    name, _ = drawn.gallery.edit([number], Edit(favourite=True))
    beside.wait_for_selector(f".hit[data-id='{number}']:has-text('favourite')")
    drawn.gallery.undo(name)
    beside.wait_for_selector(f".hit[data-id='{number}']:not(:has-text('favourite'))")
    beside.close()


FOCUSED = "document.activeElement.pathname ?? document.activeElement.id"


@pytest.mark.parametrize("change", ["another photo gets stars", "a photo before it goes", "it goes itself"])
def test_the_focus_stays_with_its_photo_of_the_timeline(look: Looker, drawn: Shown, change: str) -> None:
    page = look.open("/")
    page.wait_for_selector("#timeline a[data-photo]")
    links = page.locator("#timeline a[data-photo]")
    numbers = [int(link.get_attribute("href").rpartition("/")[2]) for link in links.all()[:5]]
    links.nth(3).focus()
    edited, change_of = {
        "another photo gets stars": (numbers[0], Edit(rating=4)),
        "a photo before it goes": (numbers[1], Edit(hidden=True)),
        "it goes itself": (numbers[3], Edit(hidden=True)),
    }[change]
    page.evaluate("document.querySelector('#timeline .row').old = true")
    name, _ = drawn.gallery.edit([edited], change_of)
    look.until("document.querySelector('#timeline .row') && !document.querySelector('#timeline .row').old")
    wanted = numbers[4 if change == "it goes itself" else 3]
    look.until(f"({FOCUSED}) === '/photo/{wanted}'")
    page.keyboard.press("ArrowLeft")
    look.until(f"({FOCUSED}) === '/photo/{numbers[2]}'")
    drawn.gallery.undo(name)


NEW = 30
SHOWN = """[...document.querySelectorAll("#timeline li")].filter((item) => {
  const box = item.getBoundingClientRect();
  return box.bottom > 0 && box.top < innerHeight;
})"""
FILLED = f"{SHOWN}.length > 3 && {SHOWN}.every((item) => item.querySelector('img')?.naturalWidth)"
# The first photo below the search box, and where it is.
LOOKED_AT = f"""(() => {{
  const first = {SHOWN}.find((item) => item.getBoundingClientRect().top > 80);
  return [first.firstChild.pathname, Math.round(first.getBoundingClientRect().top)];
}})()"""


@pytest.fixture
def growing(drawn: Shown, monkeypatch: pytest.MonkeyPatch) -> dict[str, Snapshot]:
    """Three thousand photos, a dozen each day, before and after newer ones came; ``now`` is what the gallery shows."""
    days = (np.arange(3_000 + NEW) // 12).astype("timedelta64[D]")
    after = dataclasses.replace(
        many(drawn.gallery.snapshot(), days.size),
        revision=10**9 + 1,
        taken=np.datetime64("2024-12-31T12:00:00", "s") - days,
    )
    before = dataclasses.replace(after.taking(np.arange(NEW, 3_000 + NEW)), revision=10**9)
    states = {"before": before, "after": after, "now": before}
    monkeypatch.setattr(drawn.gallery, "timeline", lambda: states["now"])
    monkeypatch.setattr(drawn.gallery, "snapshot", lambda: states["now"])
    return states


def scrolled_to(look: Looker, height: int) -> Any:
    look.page.evaluate(f"scrollTo(0, {height})")
    look.until(FILLED)
    return look.page.evaluate(LOOKED_AT)


def test_photos_are_shown_wherever_one_scrolls_while_new_ones_come(
    look: Looker, drawn: Shown, growing: dict[str, Snapshot]
) -> None:
    page = look.open("/")
    place = scrolled_to(look, 9_000)
    growing["now"] = growing["after"]
    name, _ = drawn.gallery.edit([50], Edit(tags=("a change",)))
    page.wait_for_selector(f"#fresh:has-text('{NEW} new')")
    assert page.evaluate(LOOKED_AT) == place
    # Photos that are not there yet are those of the new state, which is taken over where one is.
    scrolled_to(look, 60_000)
    assert page.locator("#fresh").inner_text() == f"{NEW} new"
    deep = page.evaluate(LOOKED_AT)
    growing["now"] = growing["before"]
    drawn.gallery.undo(name)
    page.wait_for_selector("#fresh", state="hidden")
    look.until(FILLED)
    assert page.evaluate(LOOKED_AT) == deep
    growing["now"] = growing["after"]
    drawn.gallery.edit([50], Edit(tags=("another change",)))
    page.wait_for_selector(f"#fresh:has-text('{NEW} new')")
    page.locator("#fresh").focus()
    page.keyboard.press("Enter")
    look.until(f"scrollY === 0 && {FILLED}")
    assert page.evaluate("document.activeElement.id") == "main"
    assert page.locator("#fresh").is_hidden()
    drawn.gallery.edit([50], Edit(untags=("another change",)))


def test_what_one_looks_at_stays_when_the_window_gets_another_shape(look: Looker, growing: dict[str, Snapshot]) -> None:
    page = look.open("/")
    scrolled_to(look, 20_000)
    # The heading of a day is at the top: what is looked at is the row below it.
    page.evaluate("scrollBy(0, document.querySelectorAll('.dayname')[1].getBoundingClientRect().top + 10)")
    look.until(FILLED)
    number, _ = page.evaluate(LOOKED_AT)
    page.set_viewport_size({"width": 900, "height": 1100})
    look.until(f"innerWidth === 900 && {FILLED}")
    assert number in page.evaluate(f"{SHOWN}.map((item) => item.firstChild.pathname)")
    headings = page.evaluate(
        "[...document.querySelectorAll('.dayname')].map((each) => each.getBoundingClientRect().top)"
    )
    assert any(abs(top + 10) < 3 for top in headings)


def test_a_timeline_that_was_scrolled_while_the_server_was_away_is_filled_when_it_is_back(
    look: Looker, drawn: Shown, growing: dict[str, Snapshot]
) -> None:
    server = GalleryServer(drawn.gallery, ServeOptions(port=0))
    server.start()
    port, base = server.port, server.address.rstrip("/")
    look.base = base
    look.context.add_cookies(
        [{"name": server.site.cookie, "value": server.access._begin(), "url": base, "sameSite": "Strict"}]
    )
    page = look.open("/")
    look.until("document.documentElement.dataset.revision")
    server.stop()
    with page.expect_event("requestfailed", lambda request: "/api/v1/timeline/" in request.url):
        page.evaluate("scrollTo(0, 60000)")
    look.until(f"{SHOWN}.length > 3 && !{SHOWN}.some((item) => item.firstChild)")
    server = GalleryServer(drawn.gallery, ServeOptions(port=port))
    server.start()
    look.until(FILLED)
    look.open("/about")  # the stream is left
    server.stop()
    refused = [each for each in look.problems if "Failed to load resource" in each]
    assert refused == look.problems
    look.problems.clear()


ON_TOP = """() => {
  const top = document.querySelector("header.top").getBoundingClientRect().bottom;
  const seen = [...document.querySelectorAll("#timeline a[data-photo]")]
    .find((link) => link.getBoundingClientRect().bottom > top + 40);
  return seen && [seen.pathname, Math.round(seen.getBoundingClientRect().top)];
}"""


def scrolled(look: Looker, by: int) -> Any:
    """Scroll the timeline, and return the photo that is on top then, and where."""
    look.page.mouse.move(500, 400)
    look.page.mouse.wheel(0, by)
    look.until(f"scrollY >= {by // 2}")
    look.until("![...document.querySelectorAll('#timeline .row')].some((row) => !row.dataset.filled)")
    look.page.wait_for_timeout(150)  # the wheel has come to rest
    return look.page.evaluate(ON_TOP)


def begins_at(look: Looker, place: Any) -> None:
    """Wait until the timeline shows a photo where it was."""
    look.page.wait_for_selector("#timeline[data-ready]")
    look.until(f"(({ON_TOP})())?.[0] === '{place[0]}'")
    assert look.page.evaluate(ON_TOP)[1] == pytest.approx(place[1], abs=2)


@pytest.mark.parametrize("path", ["/", "/?camera=Fujifilm+X100V", "/?day=2023-06-01"])
@pytest.mark.parametrize("how", ["reload", "back from a photo"])
@pytest.mark.parametrize("look", [{"viewport": {"width": 700, "height": 420}}], indirect=True)
def test_a_timeline_begins_where_one_was(look: Looker, drawn: Shown, path: str, how: str) -> None:
    page = look.open(path)
    began = page.evaluate("scrollY")
    place = scrolled(look, began + 500)
    if how == "reload":
        page.reload()
    else:
        page.evaluate("(path) => document.querySelector(`#timeline a[href^='${path}']`).click()", place[0])
        page.wait_for_url("**/photo/*")
        page.wait_for_load_state("load")
        page.keyboard.press("Escape")
        look.until(f"location.pathname + location.search === '{path}'")
    begins_at(look, place)
    look.open(path)  # by its address it begins as ever
    assert page.evaluate("scrollY") == began
    if "camera" in path:
        return
    scrolled(look, began + 500)
    page.goto(look.base + "/stats")
    page.locator(".rail a").first.click()  # nor does a link to the timeline lead elsewhere than to its newest photos
    page.wait_for_selector("#timeline[data-ready]")
    assert page.evaluate("scrollY") == 0


def test_a_timeline_that_is_loaded_again_shows_the_same_photo_though_new_ones_came(
    look: Looker, drawn: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = many(drawn.gallery.snapshot(), 3000)
    monkeypatch.setattr(drawn.gallery, "timeline", lambda: shown)
    monkeypatch.setattr(drawn.gallery, "snapshot", lambda: shown)
    page = look.open("/")
    page.locator(".years a", has_text="2015").click()
    look.until("document.querySelector('.years .thumb').dataset.label.includes('2015')")
    day = page.locator(".dayname").first.inner_text()
    more = many(drawn.gallery.snapshot(), 3040)
    taken = np.concatenate([np.repeat(shown.taken[:1] + np.timedelta64(86_400, "s"), 40), shown.taken])
    more = dataclasses.replace(more, taken=taken, revision=shown.revision + 1)
    monkeypatch.setattr(drawn.gallery, "timeline", lambda: more)
    monkeypatch.setattr(drawn.gallery, "snapshot", lambda: more)
    page.reload()
    page.wait_for_selector("#timeline[data-ready]")
    look.until(f"[...document.querySelectorAll('.dayname')].some((each) => each.innerText === {day!r})")
    assert "2015" in page.evaluate("document.querySelector('.years .thumb').dataset.label")


@pytest.mark.parametrize("look", [{"viewport": {"width": 700, "height": 420}}], indirect=True)
def test_back_to_a_wider_timeline_leads_to_where_one_was_in_it(look: Looker) -> None:
    page = look.open("/")
    place = scrolled(look, 600)
    page.keyboard.press("f")
    page.locator("select[name=camera]").select_option("Fujifilm X100V")
    page.wait_for_selector("#narrowing .chips")
    page.wait_for_selector("#timeline[data-ready]")
    assert page.evaluate("scrollY") == 0
    page.go_back()
    page.wait_for_selector("#narrowing .chips", state="detached")
    begins_at(look, place)
    page.evaluate("location.hash = 'main'")  # as by "Skip to the content": no other photos are asked for
    assert page.locator("#timeline[data-ready]").count() == 1


def revision(page: Any) -> int:
    """The state of the library that a page knows of."""
    return int(page.evaluate("parseInt(document.documentElement.dataset.revision ?? 0)"))


@pytest.mark.parametrize("status", [502, 401])
def test_a_page_keeps_up_again_after_another_answer_than_the_stream(look: Looker, drawn: Shown, status: int) -> None:
    """A proxy answers while the server is started again; who is not signed in any more may be so later."""
    refused: list[Any] = []

    def refuse(route: Any) -> None:
        refused.append(route)
        route.fulfill(status=status, content_type="text/html", body="<p>not now")

    look.page.route("**/api/v1/events", refuse)
    page = look.open("/jobs")
    while not refused:
        page.wait_for_timeout(20)
    page.unroute_all()
    look.until("document.documentElement.dataset.revision > 0")
    before = revision(page)
    drawn.gallery.edit([50], Edit(tags=(f"after {status}",)))
    look.until(f"document.documentElement.dataset.revision > {before}")
    drawn.gallery.edit([50], Edit(untags=(f"after {status}",)))
    assert all(f"the server responded with a status of {status}" in each for each in look.problems)
    look.problems.clear()


def test_tabs_leave_connections_to_one_another_where_they_cannot_agree(look: Looker, drawn: Shown) -> None:
    """Over plain HTTP from another machine there are no locks; a browser opens six connections to one host."""
    context = look.context
    context.add_init_script("""
      Object.defineProperty(Navigator.prototype, "locks", { value: undefined });
      window.seen_ = "visible";
      Object.defineProperty(Document.prototype, "visibilityState", { get: () => window.seen_ });
    """)

    def be(page: Any, seen: str) -> None:
        page.evaluate(
            f"window.seen_ = '{seen}'; document.dispatchEvent(new Event('visibilitychange', {{bubbles: true}}))"
        )

    tabs: list[Any] = []
    for _ in range(8):
        tabs.append(context.new_page())
        tabs[-1].goto(f"{look.base}/jobs")
        look.page = tabs[-1]
        look.until("document.documentElement.dataset.revision > 0")
        be(tabs[-1], "hidden")
    be(tabs[0], "visible")
    before = revision(tabs[0])
    drawn.gallery.edit([50], Edit(tags=("of many tabs",)))
    for tab in tabs:  # one listens, and tells the others
        look.page = tab
        look.until(f"document.documentElement.dataset.revision > {before}")
    drawn.gallery.edit([50], Edit(untags=("of many tabs",)))


def test_why_a_page_cannot_be_shown_again_is_said(look: Looker, drawn: Shown) -> None:
    page = look.open("/search?q=boat")
    look.context.clear_cookies()
    page.locator("#q").fill("giraffes")
    page.wait_for_selector(".toast.bad:has-text('you are not signed in: open the link that')")
    assert all("401" in each for each in look.problems)
    look.problems.clear()


def knows_of(look: Looker, part: str, least: int) -> None:
    """Wait until a part of a page shows the library as it was at a revision, or later."""
    look.until(f"Number(document.getElementById('{part}').dataset.revision) >= {least}")


def test_a_photo_shows_what_another_tab_says_of_it(look: Looker) -> None:
    look.open("/photo/22")
    beside = look.context.new_page()
    beside.goto(look.base + "/photo/22")
    beside.wait_for_selector("#edit")
    before = beside.locator("#caption").text_content()
    page = look.page
    page.keyboard.press("e")
    page.locator("#words").fill("said by the other tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#caption:has-text('said by the other tab')")
    beside.wait_for_selector("#caption:has-text('said by the other tab')")
    assert "said by the other tab" in beside.title()
    beside.wait_for_selector("#history :text('said by the other tab')")
    page.keyboard.press("f")
    beside.wait_for_selector("#favourite[aria-pressed=true]")
    for wanted in ("#favourite[aria-pressed=false]", f"#caption:text-is('{before}')"):
        page.locator("#history [data-undo]").first.click()
        beside.wait_for_selector(wanted)


def test_what_is_half_written_on_a_photo_stays_when_another_tab_changes_it(look: Looker, drawn: Shown) -> None:
    page = look.open("/photo/23")
    page.locator("#albumname").fill("half an album")
    page.locator("#edit").click()
    page.keyboard.type("half a caption")
    page.keyboard.press("ArrowLeft")
    page.evaluate("document.getElementById('photo').old = true")
    name, _ = drawn.gallery.edit([23], Edit(caption="another one", tags=("elsewhere",)))
    page.wait_for_selector(".tags :text('elsewhere')")
    assert not page.evaluate("document.getElementById('photo').old")
    assert page.locator("#caption").text_content() == "another one"
    assert page.locator("#albumname").input_value() == "half an album"
    page.keyboard.type("X")  # the focus and the place in the text are where they were
    assert page.locator("#words").input_value() == "half a captioXn"
    drawn.gallery.undo(name)
    page.wait_for_selector(".tags:not(:has-text('elsewhere'))", state="attached")


def test_a_photo_of_which_nothing_is_new_is_left_alone(look: Looker, drawn: Shown) -> None:
    page = look.open("/photo/24")
    for number in range(2):
        name, _ = drawn.gallery.edit([50], Edit(tags=(f"of another {number}",)))
        knows_of(look, "photo", drawn.gallery.version()[1])
        page.evaluate("getSelection().selectAllChildren(document.getElementById('caption'))")
        drawn.gallery.undo(name)
        knows_of(look, "photo", drawn.gallery.version()[1])
        assert page.evaluate("String(getSelection())") == page.locator("#caption").text_content()


def test_a_photo_that_is_gone_stays_on_the_screen_and_is_said_to_be(look: Looker, drawn: Shown, tmp_path: Path) -> None:
    page = look.open("/photo/25")
    page.wait_for_selector("#edit")
    page.route("**/photo/25", lambda route: route.continue_(url=look.base + "/photo/999999"))
    name, _ = drawn.gallery.edit([50], Edit(tags=("gone",)))
    page.wait_for_selector(".toast.bad:has-text('999999')")
    assert page.locator("#picture").is_visible()
    drawn.gallery.undo(name)
    assert all("404" in each for each in look.problems)
    look.problems.clear()


def test_a_verdict_is_of_the_caption_that_is_there_by_now(look: Looker, drawn: Shown) -> None:
    page = look.open("/review?queue=newest")
    page.wait_for_selector("#review[data-ready]")
    number = int(page.locator("#review").get_attribute("data-id"))
    page.keyboard.press("t")
    page.keyboard.type("half a tag")
    name, _ = drawn.gallery.edit([number], Edit(tags=("looked at",)))
    knows_of(look, "review", drawn.gallery.version()[1])
    assert page.locator("#tag").input_value() == "half a tag"
    page.keyboard.type("!")
    assert page.locator("#tag").input_value() == "half a tag!"
    said, _ = drawn.gallery.edit([number], Edit(caption="said by another"))
    page.wait_for_selector("#caption:text-is('said by another')")
    drawn.gallery.undo(said)
    drawn.gallery.undo(name)


def test_nobody_is_led_away_from_a_photo_that_another_tab_reviewed(look: Looker, drawn: Shown) -> None:
    page = look.open("/review")
    page.wait_for_selector("#review[data-ready]")
    number = page.locator("#review").get_attribute("data-id")
    page.keyboard.press("e")
    page.keyboard.type("half a caption")
    name, _ = drawn.gallery.edit([int(number)], Edit(review="later"))
    page.wait_for_selector(".toast:has-text('reviewed elsewhere')")
    assert page.locator("#review").get_attribute("data-id") == number
    assert page.locator("#words").input_value() == "half a caption"
    drawn.gallery.undo(name)


def test_a_correction_that_is_half_written_stays_when_its_button_is_pressed_again(look: Looker) -> None:
    page = look.open("/review?queue=newest")
    page.wait_for_selector("#review[data-ready]")
    page.keyboard.press("e")
    page.keyboard.type("half a caption")
    page.locator("[data-do=edit]").click()
    assert page.locator("#words").input_value() == "half a caption"
    page.keyboard.type("!")
    assert page.locator("#words").input_value() == "half a caption!"


def test_similar_photos_keep_up(look: Looker, drawn: Shown) -> None:
    page = look.open("/photo/1/similar")
    number = int(page.locator(".hit").first.get_attribute("data-id"))
    name, _ = drawn.gallery.edit([number], Edit(favourite=True))
    page.wait_for_selector(f".hit[data-id='{number}']:has-text('favourite')")
    drawn.gallery.undo(name)
    page.wait_for_selector(f".hit[data-id='{number}']:not(:has-text('favourite'))")


@pytest.mark.parametrize(
    "change", [Edit(caption="a kite in another tab"), Edit(tags=("kite",))], ids=["caption", "tag"]
)
def test_results_show_another_caption_and_tag(look: Looker, drawn: Shown, change: Edit) -> None:
    page = look.open("/search?q=kite")
    before = page.locator("#results h1").text_content()
    name, _ = drawn.gallery.edit([30], change)
    page.wait_for_selector(".hit[data-id='30']")
    drawn.gallery.undo(name)
    page.wait_for_selector(".hit[data-id='30']", state="detached")
    assert page.locator("#results h1").text_content() == before


def test_results_show_what_the_timeline_learns_a_moment_later(look: Looker, drawn: Shown) -> None:
    """Stars, favourites and hidden photos are those of the timeline, which is brought up to date once a second."""
    page = look.open("/search?q=format:jpeg")
    number = int(page.locator(".hit").first.get_attribute("data-id"))
    look.until("document.documentElement.dataset.revision")
    for _ in range(3):
        page.evaluate("fetch('/api/v1/timeline')")  # it was brought up to date just now
        name, _ = drawn.gallery.edit([number], Edit(favourite=True))
        page.wait_for_selector(f".hit[data-id='{number}']:has-text('favourite')")
        drawn.gallery.undo(name)
        page.wait_for_selector(f".hit[data-id='{number}']:not(:has-text('favourite'))")


def test_a_character_that_is_being_put_together_is_left_alone(look: Looker, drawn: Shown) -> None:
    """As by an input method for Chinese, which is lost when its field is replaced by another one."""
    page = look.open("/photo/26")
    page.locator("#tag").focus()
    typing = look.context.new_cdp_session(page)
    typing.send("Input.imeSetComposition", {"text": "ni", "selectionStart": 2, "selectionEnd": 2})
    name, _ = drawn.gallery.edit([26], Edit(tags=("elsewhere",)))
    look.until(f"parseInt(document.documentElement.dataset.revision) >= {drawn.gallery.version()[1]}")
    assert page.locator(".tags :text('elsewhere')").count() == 0
    typing.send("Input.insertText", {"text": "\u4f60"})
    page.wait_for_selector(".tags :text('elsewhere')")
    assert page.locator("#tag").input_value() == "\u4f60"
    drawn.gallery.undo(name)
