"""Choosing photos one by one and as ranges, in lists of results and in the timeline, and acting on them together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from photoindex.library.gallery import Edit
from tests.browser.conftest import LOOKS, Looker, Shown, faults, many


def hits(page: Any) -> list[int]:
    return [int(each.get_attribute("data-id")) for each in page.locator(".hit").all()]


def shown(page: Any) -> list[int]:
    """The photos of the timeline that are there, in order."""
    found: list[int] = page.evaluate("""[...document.querySelectorAll("#timeline a[data-photo]")]
      .sort((a, b) => a.dataset.photo - b.dataset.photo).map((a) => Number(a.closest("li").dataset.id))""")
    return found


CHOSEN = "[...document.querySelectorAll('.choose:checked')].map((box) => Number(box.parentElement.dataset.id))"


def chosen(page: Any) -> list[int]:
    found: list[int] = page.evaluate(CHOSEN)
    return sorted(found)


def are_chosen(look: Looker, ids: Sequence[int]) -> None:
    """Wait until these photos have their boxes checked, and no others: a list that is shown again has none for a
    moment."""
    look.until(f"{CHOSEN}.sort((one, other) => one - other).join() === '{','.join(map(str, sorted(ids)))}'")
    if ids:
        says(look, len(ids))


def says(look: Looker, count: int) -> None:
    """Wait until the bar says how many are chosen."""
    text = "1 photo chosen" if count == 1 else f"{count:,} photos chosen"
    look.until(f"document.querySelector('.choosing:not([hidden]) output')?.textContent === '{text}'")


@pytest.fixture
def boxes(look: Looker) -> Any:
    """The boxes of a page of results."""
    page = look.open("/search?q=format:jpeg")
    page.wait_for_selector(".choose")
    assert len(hits(page)) >= 12
    return page.locator(".choose")


def test_a_range_is_chosen_with_shift_and_a_click(look: Looker, boxes: Any) -> None:
    page, ids = look.page, hits(look.page)
    boxes.nth(2).click()
    boxes.nth(6).click(modifiers=["Shift"])
    says(look, 5)
    are_chosen(look, ids[2:7])
    boxes.nth(4).click(modifiers=["Shift"])  # the range is another one now
    says(look, 3)
    boxes.nth(0).click(modifiers=["Shift"])  # and goes the other way
    says(look, 3)
    are_chosen(look, ids[:3])
    boxes.nth(8).click()  # what was chosen stays, and another range begins
    page.locator(".hit .picture").nth(10).click(modifiers=["Shift"])  # a picture does as well, and opens no window
    says(look, 6)
    are_chosen(look, [*ids[:3], *ids[8:11]])
    assert len(look.context.pages) == 1
    boxes.nth(9).click()
    says(look, 5)
    assert faults(page) == []
    page.keyboard.press("Escape")
    assert page.locator(".choosing").is_hidden()
    are_chosen(look, [])
    assert "/search" in page.url


def test_a_range_is_chosen_by_keyboard(look: Looker, boxes: Any) -> None:
    page, ids = look.page, hits(look.page)
    page.locator(".hit .picture").nth(3).focus()
    for key in ("Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowLeft"):
        page.keyboard.press(key)
    says(look, 3)
    are_chosen(look, ids[3:6])
    for key in ("j", "j", "x", "j", "j", "X"):
        page.keyboard.press(key)
    says(look, 6)
    are_chosen(look, [*ids[3:6], *ids[7:10]])
    for key in ("ArrowRight", "Shift+ArrowRight"):  # from where one is, and not from where the last one began
        page.keyboard.press(key)
    says(look, 8)
    are_chosen(look, [*ids[3:6], *ids[7:12]])
    page.locator(".choosing input").focus()
    page.keyboard.press("Escape")
    says(look, 8)  # it left the field
    page.keyboard.press("Escape")
    assert page.locator(".choosing").is_hidden()


@pytest.mark.parametrize("path", ["/album/1", "/photo/1/similar"])
def test_albums_and_similar_photos_are_lists_too(look: Looker, path: str) -> None:
    page = look.open(path)
    page.wait_for_selector(".choose")
    ids = hits(page)
    assert len(ids) > 2
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    says(look, 2)
    are_chosen(look, ids[:2])
    page.locator(".choosing input").fill(f"of {path}")
    page.keyboard.press("Enter")
    page.wait_for_selector(".toast:has-text('Tagged 2 photos')")
    assert page.locator(".choosing").is_hidden()
    page.locator("#main").focus()
    page.keyboard.press("u")
    page.wait_for_selector(".toast:has-text('Undone')")


def timeline(look: Looker) -> Any:
    page = look.open("/")
    look.until("document.querySelectorAll('#timeline .choose').length > 2")
    return page


def test_photos_of_the_timeline_are_chosen_tagged_and_it_is_undone(look: Looker, drawn: Shown) -> None:
    page = timeline(look)
    ids = shown(page)
    page.locator("#timeline a").first.focus()
    page.keyboard.press("x")
    says(look, 1)
    for _ in range(2):
        page.keyboard.press("Shift+ArrowRight")
    says(look, 3)
    page.locator(f"#timeline li[data-id='{ids[5]}'] .choose").click(modifiers=["Shift"])
    says(look, 6)
    are_chosen(look, ids[:6])
    assert faults(page) == []
    page.locator(".choosing input").fill("of the timeline")
    page.keyboard.press("Enter")
    page.wait_for_selector(".toast:has-text('Tagged 6 photos')")
    assert page.locator(".choosing").is_hidden()
    assert sorted(drawn.gallery.find('tag:"of the timeline"').ids.tolist()) == sorted(ids[:6])
    page.locator("#main").focus()
    page.keyboard.press("u")
    page.wait_for_selector(".toast:has-text('Undone')")
    assert drawn.gallery.find('tag:"of the timeline"').total == 0
    assert page.url == look.base + "/"


def test_hidden_photos_leave_the_timeline_and_the_rest_stays_chosen_by_nobody(look: Looker, drawn: Shown) -> None:
    page = timeline(look)
    ids = shown(page)[:2]
    for number in ids:
        page.locator(f"#timeline li[data-id='{number}'] .choose").check()
    page.locator(".choosing button[value=hide]").click()
    look.until(f'!document.querySelector(\'#timeline li[data-id="{ids[0]}"], #timeline li[data-id="{ids[1]}"]\')')
    are_chosen(look, [])
    page.locator(".toast button").click()
    look.until(f"!!document.querySelector('#timeline li[data-id=\"{ids[0]}\"]')")


def test_down_with_shift_chooses_rows_and_escape_takes_it_back(look: Looker) -> None:
    page = timeline(look)
    page.locator("#timeline a").nth(1).focus()
    page.keyboard.press("Shift+ArrowDown")
    look.until("document.activeElement.dataset.photo > 1")
    to = int(page.evaluate("document.activeElement.dataset.photo"))
    says(look, to)
    page.keyboard.press("Shift+ArrowUp")
    look.until(f"document.activeElement.dataset.photo < {to}")
    at = int(page.evaluate("document.activeElement.dataset.photo"))
    says(look, 2 if at == 0 else at)
    page.keyboard.press("Escape")
    assert page.locator(".choosing").is_hidden()
    assert page.url == look.base + "/"


@pytest.fixture
def years(look: Looker, drawn: Shown, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The gallery shows 3,000 photos, each with an id of its own."""
    found = many(drawn.gallery.snapshot(), 3000)
    found = dataclasses.replace(found, ids=np.arange(1, 3001) * 10)
    state = [found]
    monkeypatch.setattr(drawn.gallery, "timeline", lambda: state[0])
    monkeypatch.setattr(drawn.gallery, "snapshot", lambda: state[0])
    return state


@pytest.mark.parametrize("meanwhile", ["nothing", "new photos"])
def test_a_range_goes_over_photos_that_were_never_on_the_screen(look: Looker, years: Any, meanwhile: str) -> None:
    page = timeline(look)
    first = shown(page)[1]
    page.locator(f"#timeline li[data-id='{first}'] .choose").check()
    page.locator(".years a", has_text="2010").click()
    look.until("document.querySelector('.years .thumb').dataset.label.includes('2010')")
    look.until("document.querySelectorAll('#timeline .choose').length > 2")
    if meanwhile == "new photos":
        [old] = years
        taken = np.concatenate([np.repeat(old.taken[:1] + np.timedelta64(86_400, "s"), 7), old.taken])
        more = many(old, 3007)
        ids = np.concatenate([np.arange(1, 8), old.ids])
        years[0] = dataclasses.replace(more, ids=ids, taken=taken, revision=old.revision + 1)
    last = shown(page)[-1]
    page.locator(f"#timeline li[data-id='{last}'] .choose").click(modifiers=["Shift"])
    says(look, (last - first) // 10 + 1)
    assert (last - first) // 10 > 1000
    assert chosen(page)


class Finger:
    """A finger on the screen of a phone."""

    def __init__(self, look: Looker) -> None:
        self.page = look.page
        self.touch = look.context.new_cdp_session(look.page)

    def down(self, target: Any) -> tuple[float, float]:
        box = target.bounding_box()
        at = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self._send("touchStart", at)
        return at

    def move(self, *at: float) -> None:
        self._send("touchMove", at)

    def up(self) -> None:
        self._send("touchEnd")

    def _send(self, kind: str, at: tuple[float, ...] = ()) -> None:
        points = [{"x": at[0], "y": at[1]}] if at else []
        self.touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


# Whether the browser shows a menu, or drags: a page that knows better prevents it.
ASKS_FOR = '(picture) => picture.dispatchEvent(new Event("{}", {{ bubbles: true, cancelable: true }}))'


@pytest.mark.parametrize("look", [LOOKS["phone"]], indirect=True)
@pytest.mark.parametrize("path", ["/", "/search?q=format:jpeg", "/album/1", "/photo/1/similar"])
def test_a_long_press_chooses_and_taps_go_on(look: Looker, path: str) -> None:
    page = look.open(path)
    page.wait_for_selector(".choose")
    pictures = page.locator(".hit .picture" if path != "/" else "#timeline a")
    finger = Finger(look)
    x, y = finger.down(pictures.nth(2))
    finger.move(x, y + 60)  # the list is moved
    finger.up()
    page.evaluate("scrollTo(0, 0)")
    finger.down(pictures.nth(0))
    says(look, 1)  # while the finger rests there still
    finger.up()
    pictures.nth(1).tap()
    says(look, 2)
    pictures.nth(0).tap()
    says(look, 1)
    finger.down(pictures.nth(1))
    assert not pictures.nth(1).evaluate(ASKS_FOR.format("contextmenu"))  # the finger has rested
    finger.up()
    says(look, 1)  # it was chosen, and is
    assert page.url == look.base + path
    assert len(chosen(page)) == 1
    pictures.nth(1).tap()
    look.until("document.querySelector('.choosing').hidden")
    pictures.nth(1).tap()  # nothing is chosen: it opens the photo
    page.wait_for_selector("#photo")


def middle(target: Any) -> tuple[float, float]:
    box = target.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


TALL = {
    **LOOKS["phone"],
    "viewport": {"width": 390, "height": 1400},
}  # nothing lies near its ends


class Pictures:
    """The pictures of a list, in its order."""

    def __init__(self, page: Any) -> None:
        self.page = page
        page.wait_for_selector(".choose")
        self.is_timeline = page.locator("#timeline").count() > 0

    def nth(self, number: int) -> Any:
        if self.is_timeline:
            return self.page.locator(f'#timeline a[data-photo="{number}"]')
        return self.page.locator(".hit .picture").nth(number)

    def ids(self, first: int, last: int) -> list[int]:
        """The photos from one to another, in ascending order."""
        every = shown(self.page) if self.is_timeline else hits(self.page)
        return sorted(every[first : last + 1])


@pytest.mark.parametrize("look", [TALL], indirect=True)
@pytest.mark.parametrize("path", ["/", "/search?q=format:jpeg"])
def test_a_finger_that_goes_on_after_a_long_press_chooses_what_it_passes(look: Looker, path: str) -> None:
    page = look.open(path)
    pictures = Pictures(page)
    finger = Finger(look)
    x, y = finger.down(pictures.nth(1))
    says(look, 1)
    finger.move(x + 3, y + 3)
    for to, first, last in ((3, 1, 3), (2, 1, 2), (0, 0, 1), (1, 1, 1), (2, 1, 2)):
        finger.move(*middle(pictures.nth(to)))
        are_chosen(look, pictures.ids(first, last))
        assert page.evaluate("scrollY") == 0  # the page does not go with it
    finger.up()
    assert page.url == look.base + path


@pytest.mark.parametrize("look", [TALL], indirect=True)
@pytest.mark.parametrize("path", ["/", "/search?q=format:jpeg"])
def test_a_second_long_press_chooses_all_up_to_there_or_begins_another_range(look: Looker, path: str) -> None:
    page = look.open(path)
    pictures = Pictures(page)
    finger = Finger(look)
    finger.down(pictures.nth(0))
    are_chosen(look, pictures.ids(0, 0))
    finger.up()
    finger.down(pictures.nth(3))
    are_chosen(look, pictures.ids(0, 3))
    finger.move(*middle(pictures.nth(4)))  # all from there, and not up to there
    are_chosen(look, [*pictures.ids(0, 0), *pictures.ids(3, 4)])
    finger.up()
    pictures.nth(3).tap()
    are_chosen(look, [*pictures.ids(0, 0), *pictures.ids(4, 4)])
    finger.down(pictures.nth(1))  # what was let go is no beginning
    are_chosen(look, [*pictures.ids(0, 1), *pictures.ids(4, 4)])
    finger.up()


@pytest.mark.parametrize("look", [LOOKS["phone"]], indirect=True)
@pytest.mark.parametrize("path", ["/", "/search?q=format:jpeg"])
def test_the_page_moves_where_a_finger_that_chooses_comes_to_its_end(look: Looker, path: str) -> None:
    page = look.open(path)
    pictures = Pictures(page)
    finger = Finger(look)
    x, _ = finger.down(pictures.nth(0))
    says(look, 1)
    bar = page.locator(".choosing").bounding_box()
    finger.move(x, bar["y"] - 15)
    look.until("scrollY > 600")
    look.until("Number(document.querySelector('.choosing output').textContent.match(/\\d+/)) > 12")
    top = page.locator(".top").bounding_box()
    finger.move(x, top["y"] + top["height"] + 15)
    look.until("scrollY === 0")
    finger.up()


@pytest.mark.parametrize("look", [LOOKS["phone"]], indirect=True)
@pytest.mark.parametrize("name", ["contextmenu", "dragstart"])
def test_a_long_press_opens_no_menu_of_the_browser(look: Looker, name: str) -> None:
    page = look.open("/search?q=format:jpeg")
    page.wait_for_selector(".choose")
    asks = ASKS_FOR.format(name)
    picture = page.locator(".hit .picture").first
    assert picture.evaluate(asks)  # of a mouse's other button, or a mouse that drags
    are_chosen(look, [])
    finger = Finger(look)
    finger.down(picture)
    assert not picture.evaluate(asks)  # it comes before the time is over
    says(look, 1)
    finger.up()
    assert page.locator(".hit .caption").first.evaluate(asks)


@pytest.mark.parametrize("look", [{**LOOKS["phone"], "viewport": {"width": 360, "height": 740}}], indirect=True)
@pytest.mark.parametrize("path", ["/", "/search?q=giraffes"])
def test_the_bar_fits_on_a_phone(look: Looker, path: str) -> None:
    page = look.open(path)
    page.wait_for_selector(".choose")
    page.locator(".choose").first.check()
    says(look, 1)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    bar, rail = page.locator(".choosing").bounding_box(), page.locator(".rail").bounding_box()
    assert bar
    assert rail
    assert bar["y"] + bar["height"] <= rail["y"] + 1
    assert faults(page) == []


def test_a_gallery_that_only_shows_lets_nothing_be_chosen_and_walks(look: Looker, drawn: Shown) -> None:
    page = look.page
    page.add_init_script("document.addEventListener('readystatechange', () => {"
                         " document.documentElement.dataset.readOnly = ''; });")  # fmt: skip
    look.open("/search?q=giraffes")
    page.keyboard.press("j")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("x")
    assert page.evaluate("document.activeElement.closest('.hit').dataset.id") == str(hits(page)[1])
    assert page.locator(".choose").count() == 0


@pytest.mark.parametrize("path", ["/", "/search?q=format:jpeg"])
def test_chosen_photos_that_are_hidden_or_removed_elsewhere_are_chosen_no_longer(
    look: Looker, drawn: Shown, path: str
) -> None:
    page = look.open(path)
    look.until("document.querySelectorAll('.choose').length > 6")
    ids = (hits(page) or shown(page))[:5]
    for number in ids:
        page.locator(f"[data-id='{number}'] > .choose").check()
    says(look, 5)
    page.locator(".choosing input").fill("half a word")
    hidden = drawn.gallery.edit(ids[:2], Edit(hidden=True))[0]
    says(look, 3)
    are_chosen(look, ids[2:])
    place = drawn.gallery.photo(ids[2]).paths[0]
    place.rename(drawn.album.parent / "away.jpg")
    says(look, 2)
    assert page.locator(".choosing input").input_value() == "half a word"
    page.locator(".choosing button[value=favourite]").click()
    page.wait_for_selector(".toast:has-text('2 photos: favourite')")
    page.locator(".toast button").click()
    page.wait_for_selector(".toast:has-text('Undone')")
    page.locator(f"[data-id='{ids[3]}'] > .choose").check()
    page.locator(".choosing input").focus()
    again = drawn.gallery.edit([ids[3]], Edit(hidden=True))[0]
    look.until("document.querySelector('.choosing').hidden")
    assert page.evaluate("document.activeElement !== document.body")
    (drawn.album.parent / "away.jpg").rename(place)
    for edit in (again, hidden):
        drawn.gallery.undo(edit)
    while drawn.gallery.present(ids) != (ids, []):  # the watch has seen it
        page.wait_for_timeout(50)
    look.problems = [each for each in look.problems if "/api/v1/t/" not in each]  # a picture of the file that was gone


def test_photos_that_were_hidden_before_stay_chosen_until_they_are_shown_again(look: Looker, drawn: Shown) -> None:
    edits = [drawn.gallery.edit([number], Edit(hidden=True))[0] for number in (31, 32)]
    drawn.gallery._snapshots.latest(now=True)  # lists show who is hidden a moment later
    page = look.open("/search?q=is:hidden")
    page.wait_for_selector(".choose")
    for number in (31, 32):
        page.locator(f"[data-id='{number}'] .choose").check()
    says(look, 2)
    before = page.evaluate("Number(document.documentElement.dataset.revision)")
    favourite = drawn.gallery.edit([33], Edit(favourite=True))[0]
    look.until(f"Number(document.getElementById('results').dataset.revision) > {before}")
    drawn.gallery.undo(edits[0])
    says(look, 1)
    are_chosen(look, [32])
    for edit in (edits[1], favourite):
        drawn.gallery.undo(edit)
    look.until("document.querySelector('.choosing').hidden")


def test_what_is_asked_twice_while_the_server_is_slow_is_done_once(look: Looker, boxes: Any) -> None:
    page = look.page
    boxes.nth(1).check()
    held: list[Any] = []
    page.route("**/api/v1/photos", lambda route: held.append(route))
    page.locator(".choosing button[value=favourite]").dblclick()
    while not held:
        page.wait_for_timeout(20)
    page.locator(".choosing button[value=favourite]").click()
    assert len(held) == 1
    held[0].continue_()
    page.wait_for_selector(".toast:has-text('1 photo: favourite') button")  # which undoes it
    page.unroute_all()
    page.locator(".toast button").click()
    page.wait_for_selector(".toast:has-text('Undone')")
