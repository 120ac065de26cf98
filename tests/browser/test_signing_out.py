"""Signing out of a gallery that has a password, by its button; and what the other tabs show then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from photoindex.web.server import GalleryServer, ServeOptions
from tests.browser.conftest import DESKTOP, LOOKS, Looker, Shown, faults

PASSWORD = "correct horse"
NARROW = {**LOOKS["phone"], "viewport": {"width": 320, "height": 640}}


@pytest.fixture(scope="module")
def guarded(drawn: Shown) -> Iterator[Shown]:
    """The same photos behind a password."""
    server = GalleryServer(drawn.gallery, ServeOptions(port=0, password=PASSWORD))
    server.start()
    yield Shown(server, drawn.gallery, drawn.library, drawn.album)
    server.stop()


@pytest.fixture(scope="module")
def only_shown(drawn: Shown) -> Iterator[Shown]:
    """The same, read-only, as it is by default for a network."""
    server = GalleryServer(drawn.gallery, ServeOptions(port=0, password=PASSWORD, read_only=True))
    server.start()
    yield Shown(server, drawn.gallery, drawn.library, drawn.album)
    server.stop()


@pytest.fixture
def visit(chromium: Any, guarded: Shown) -> Iterator[Callable[..., Looker]]:
    """Signs in, in a browser of its own."""
    contexts = []

    def begin(at: Shown = guarded, **options: Any) -> Looker:
        context = chromium.new_context(**{"viewport": DESKTOP, "reduced_motion": "reduce", **options})
        contexts.append(context)
        looker = Looker(context, at.base)
        looker.page.goto(looker.base + "/login")
        sign_in(looker.page)
        looker.page.wait_for_selector("#timeline[data-ready]", state="attached")
        return looker

    yield begin
    for context in contexts:
        context.close()


def sign_in(page: Any) -> None:
    page.locator("#password").fill(PASSWORD)
    page.locator("#password").press("Enter")


def asks_to_sign_in(looker: Looker, page: Any) -> None:
    page.wait_for_selector("#password")
    assert page.locator("img").count() == 0
    looker.page = page
    looker.until("document.activeElement.id === 'password'")


@pytest.mark.parametrize("options", [{}, LOOKS["phone"]], ids=["keys", "finger"])
def test_who_signs_out_leaves_no_photo_on_any_tab(visit: Callable[..., Looker], options: dict[str, Any]) -> None:
    looker = visit(**options)
    page = looker.open("/stats")
    looker.open("/")
    beside = looker.context.new_page()
    beside.goto(looker.base + "/photo/1")
    beside.wait_for_selector("#photo")
    [cookie] = looker.context.cookies()
    button = page.get_by_role("button", name="Sign out")
    if options:
        button.tap()
    else:
        button.focus()
        page.keyboard.press("Enter")
    page.wait_for_url("**/login")
    asks_to_sign_in(looker, page)
    asks_to_sign_in(looker, beside)
    assert looker.context.cookies() == []
    with httpx.Client(cookies={cookie["name"]: cookie["value"]}) as thief:
        assert thief.get(looker.base + "/api/v1/photos/1").status_code == 401
    page.go_back()
    asks_to_sign_in(looker, page)
    sign_in(beside)
    beside.wait_for_selector("#photo")  # it was there


def test_what_another_tab_writes_outlives_the_session(visit: Callable[..., Looker], guarded: Shown) -> None:
    looker = visit()
    page = looker.page
    beside = looker.context.new_page()
    beside.goto(looker.base + "/photo/2")
    beside.locator("#edit").click()
    beside.locator("#words").fill("a photo of two tabs")
    page.get_by_role("button", name="Sign out").click()
    beside.wait_for_selector(".toast.bad:has-text('sign in by another tab')")
    page.wait_for_url("**/login")
    sign_in(page)
    page.wait_for_selector("#timeline[data-ready]", state="attached")
    assert beside.locator("#words").input_value() == "a photo of two tabs"
    beside.locator("#words").press("Enter")
    beside.wait_for_selector("#caption:has-text('a photo of two tabs')")
    beside.wait_for_selector(".toast:has-text('Caption changed')")
    beside.get_by_role("button", name="Undo").first.click()
    beside.wait_for_selector("#caption:not(:has-text('a photo of two tabs'))")


def test_a_server_that_does_not_answer_signs_nobody_out(visit: Callable[..., Looker]) -> None:
    looker = visit()
    page = looker.page
    page.route("**/api/v1/logout", lambda route: route.abort())
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_selector(".toast.bad:has-text('the server does not answer')")
    page.unroute_all()
    page.get_by_role("button", name="Sign out").click()
    asks_to_sign_in(looker, page)


@pytest.mark.parametrize(
    "options", [{}, LOOKS["dark"], LOOKS["phone"], NARROW], ids=["light", "dark", "phone", "narrow"]
)
@pytest.mark.parametrize("path", ["/stats", "/search"])
@pytest.mark.parametrize("gallery", ["guarded", "only_shown"])
def test_the_button_has_room_beside_the_search(
    visit: Callable[..., Looker], request: pytest.FixtureRequest, gallery: str, path: str, options: dict[str, Any]
) -> None:
    looker = visit(request.getfixturevalue(gallery), **options)
    page = looker.open(path)
    button = page.get_by_role("button", name="Sign out").bounding_box()
    search = page.locator("#q").bounding_box()
    assert button
    assert search
    assert min(button["width"], button["height"]) >= 24
    assert button["x"] + button["width"] <= page.viewport_size["width"]
    assert search["width"] >= 150
    assert search["x"] + search["width"] <= button["x"]
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert faults(page) == []


def test_a_gallery_without_a_password_offers_no_way_out_of_it(look: Looker) -> None:
    page = look.open("/stats")
    assert page.get_by_role("button", name="Sign out").count() == 0
