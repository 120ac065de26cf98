"""Every page as people see it: light, dark and on a telephone; without barriers; and as pictures.

    python -m pytest -n 0 tests/browser/test_pages.py --screenshots FOLDER

keeps a picture of each page in each look, and those of the documentation: ``-k documentation --screenshots docs`` makes
them alone. The photos are drawn, and so are their captions: pictures show the pages and not the model.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from PIL import Image

from photoindex.library.gallery import Edit
from photoindex.web.static import FOLDER
from tests.browser.conftest import LOOKS, PHONE, Looker, Shown, faults

PAGES = [
    "/",
    "/?camera=Fujifilm+X-T5&rating=1",
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
    "/search?q=bbox:-180,-90,180,90&sort=newest",
    "/duplicates?decided=yes",
    "/failures",
    "/duplicates",
    "/jobs",
    "/stats",
    "/about",
    "/settings",
]
# Of the pictures on the screen.
LOADED = """[...document.querySelectorAll("main img")]
  .filter((img) => img.getBoundingClientRect().top < innerHeight).every((img) => img.complete)"""
BRITISH: dict[str, Any] = {"locale": "en-GB", "reduced_motion": "reduce", "viewport": {"width": 1360, "height": 850}}


@pytest.fixture
def kept_in(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where pictures are put: the folder of the option, or one that is thrown away."""
    folder = Path(request.config.getoption("--screenshots") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def pictured(look: Looker) -> Image.Image:
    """The screen, once its pictures are there."""
    look.until(LOADED)
    with Image.open(io.BytesIO(look.page.screenshot())) as picture:
        shown: Image.Image = picture.convert("RGB")
        return shown


@pytest.mark.parametrize(("look", "name"), [(options, name) for name, options in LOOKS.items()], ids=LOOKS.keys(),
                         indirect=["look"])  # fmt: skip
def test_every_page_is_free_of_barriers_and_fits(look: Looker, name: str, kept_in: Path) -> None:
    for path in PAGES:
        page = look.open(path)
        assert faults(page) == [], path
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, path
        picture = pictured(look)
        assert len(picture.resize((64, 64)).getcolors(4096) or []) > 20, path
        picture.save(kept_in / f"{re.sub('[^a-z0-9]+', '-', path.lower()).strip('-') or 'timeline'}-{name}.png")


def in_few_colours(picture: Image.Image) -> Image.Image:
    """A picture in 256 colours: those of the style sheet, which stay as they are, and what is left for the photos."""
    sheet = (FOLDER / "style.css").read_text("utf-8")
    own = [int(pair, 16) for colour in dict.fromkeys(re.findall(r"#([0-9a-f]{6})\b", sheet))
           for pair in re.findall("..", colour)]  # fmt: skip
    left = 256 - len(own) // 3
    palette = Image.new("P", (1, 1))
    palette.putpalette(own + (picture.quantize(left).getpalette() or [])[: 3 * left])
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


def test_the_pictures_of_the_documentation(chromium: Any, drawn: Shown, kept_in: Path) -> None:
    found = drawn.gallery.find("giraffes in grass")
    tagged, _ = drawn.gallery.edit([int(found.ids[0])], Edit(tags=("safari",)))

    def seen(path: str, **options: Any) -> Image.Image:
        context = chromium.new_context(**{**BRITISH, **options})
        context.add_cookies([drawn.cookie])
        look = Looker(context, drawn.base)
        look.open(path)
        look.until("document.querySelectorAll('main img').length > 0")
        picture = pictured(look)
        context.close()
        assert look.problems == []
        return picture

    in_few_colours(seen("/search?q=giraffes+in+grass")).save(kept_in / "gallery-search.png", optimize=True)
    dark = seen("/", color_scheme="dark")
    phone = seen(f"/photo/{int(found.ids[0])}?q=giraffes", viewport=PHONE)
    phone = phone.resize((round(phone.width * dark.height / phone.height), dark.height))
    both = Image.new("RGB", (dark.width + phone.width + 16, dark.height), "#808080")
    both.paste(dark, (0, 0))
    both.paste(phone, (dark.width + 16, 0))
    in_few_colours(both).save(kept_in / "gallery-more.png", optimize=True)
    drawn.gallery.undo(tagged)
    for name in ("gallery-search.png", "gallery-more.png"):
        with Image.open(kept_in / name) as picture:
            assert picture.height == BRITISH["viewport"]["height"]


@pytest.mark.parametrize("path", ["/photo/9", "/review"])
@pytest.mark.parametrize("width", [1280, 1000])
def test_the_picture_keeps_its_place_beside_text_of_twice_the_size(look: Looker, path: str, width: int) -> None:
    page = look.page
    page.set_viewport_size({"width": width, "height": 800})
    look.open(path)
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    share = "document.querySelector('.canvas').clientWidth / document.getElementById('main').clientWidth"
    assert page.evaluate(share) > 0.3


# What is beyond the screen has the size of a guess until it comes near, and would seem to lie upon what follows.
LAY_OUT = "for (const each of document.querySelectorAll('.hit')) each.style.contentVisibility = 'visible'"
LARGE = "addEventListener('DOMContentLoaded', () => { document.documentElement.style.fontSize = '200%'; })"
# What a person sees of two things lies upon each other.
COVERED = """([one, other]) => [...document.querySelectorAll(one)].some((each) => {
  const a = each.getBoundingClientRect();
  return [...document.querySelectorAll(other)].some((that) => {
    const b = that.getBoundingClientRect();
    return a.width && b.width && Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
      && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  });
})"""


@pytest.mark.parametrize("look", [{}, {**LOOKS["phone"], "viewport": {"width": 360, "height": 740}}],
                         ids=["desktop", "phone"], indirect=True)  # fmt: skip
def test_text_of_twice_the_size_has_room_on_every_page(look: Looker) -> None:
    look.page.add_init_script(LARGE)
    for path in PAGES:
        page = look.open(path)
        assert page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") == 30, path
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0, path
        page.evaluate(f"() => {{ {LAY_OUT} }}")
        for pair in ([".dayname time", "#timeline li"], [".hit", ".facets"], [".hit .picture", ".hit .text"],
                     [".years li:nth-child(odd)", ".years li:nth-child(even)"]):  # fmt: skip
            assert not page.evaluate(COVERED, pair), (path, pair)


@pytest.mark.parametrize("look", [LOOKS["phone"]], indirect=True)
@pytest.mark.parametrize("size", [(12000, 300), (1, 1), (300, 9000)])
def test_a_photo_of_any_shape_leaves_room_for_its_buttons_on_a_phone(look: Looker, size: tuple[int, int]) -> None:
    page = look.page
    drawn = io.BytesIO()
    Image.new("RGB", size, "#4a90d9").save(drawn, "JPEG")
    page.route("**/api/v1/t/*", lambda route: route.fulfill(content_type="image/jpeg", body=drawn.getvalue()))
    page.route(
        "**/photo/9",
        lambda route: route.fulfill(
            response=(given := route.fetch()),
            body=re.sub(
                r'(id="picture"[^>]*) width="\d+" height="\d+"',
                rf'\1 width="{size[0]}" height="{size[1]}"',
                given.text(),
            ),
        ),
    )
    look.open("/photo/9")
    look.until(f"document.getElementById('picture').naturalWidth === {size[0]}")
    for control in ("#zoom", "a.prev", "a.next"):
        page.locator(control).click(trial=True, timeout=60_000)  # nothing covers it
    page.locator("#zoom").click()
    assert page.locator("#zoom").get_attribute("aria-pressed") == "true"


@pytest.mark.parametrize("look", [LOOKS["phone"]], indirect=True)
@pytest.mark.parametrize("path", ["/", "/search?q=giraffes", "/photo/9", "/album/1", "/jobs", "/review"])
def test_no_field_is_so_small_that_a_telephone_enlarges_the_page(look: Looker, path: str) -> None:
    page = look.open(path)
    sizes = page.evaluate("""[...document.querySelectorAll("input:not([type=checkbox]), select, textarea")]
      .map((each) => parseFloat(getComputedStyle(each).fontSize))""")
    assert len(sizes) > (path == "/photo/9")
    assert min(sizes) >= 16


@pytest.mark.parametrize("look", [{"forced_colors": "active"}], indirect=True)
def test_what_is_chosen_is_seen_in_the_colours_of_the_reader(look: Looker, drawn: Shown) -> None:
    page = look.open("/search?q=giraffes")
    dots = "[...document.querySelectorAll('.legend .dot')].map((dot) => getComputedStyle(dot).backgroundColor)"
    assert len(set(page.evaluate(dots))) == 5
    outline = "(element) => getComputedStyle(element).outlineStyle"
    assert [each.evaluate(outline) for each in page.locator(".views a").all()] == ["solid", "none"]
    hidden, _ = drawn.gallery.edit([9], Edit(hidden=True))
    page = look.open("/photo/9")
    assert page.locator("#hide").evaluate(outline) == "solid"
    assert page.locator("#favourite").evaluate(outline) == "none"
    drawn.gallery.undo(hidden)


COVERED_FOCUS = """() => {
  const has = document.activeElement, box = has.getBoundingClientRect();
  return [".top", ".rail", ".choosing:not([hidden])"].filter((selector) => {
    const over = document.querySelector(selector), edge = over?.getBoundingClientRect();
    return edge && !over.contains(has) && !has.matches(".skip, body, html")
      && Math.min(box.right, edge.right) > Math.max(box.left, edge.left)
      && Math.min(box.bottom, edge.bottom) - Math.max(box.top, edge.top) > box.height - 1;
  });
}"""


@pytest.mark.parametrize(
    "look",
    [{"viewport": {"width": width, "height": 600}} for width in (400, 1000)],
    ids=["narrow", "wide"],
    indirect=True,
)
@pytest.mark.parametrize("path", ["/stats", "/photo/9", "/search?q=giraffes", "/search?q=giraffes and one chosen"])
def test_nothing_covers_what_has_the_focus(look: Looker, path: str) -> None:
    page = look.open(path.removesuffix(" and one chosen"))
    if path.endswith("chosen"):
        page.wait_for_selector(".choose")
        page.locator(".choose").first.check()
    page.locator("#q").focus()
    seen = set()
    for key in ("Tab", "Shift+Tab"):
        for _ in range(40):
            page.keyboard.press(key)
            assert page.evaluate(COVERED_FOCUS) == [], page.evaluate("document.activeElement.outerHTML")
            seen.add(page.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))
    assert len(seen) > 20


def test_what_only_a_screen_can_do_is_not_printed(look: Looker, drawn: Shown) -> None:
    edits = [drawn.gallery.edit([9], Edit(tags=("on paper",)))[0]]
    for path, stays in (("/photo/9", "on paper"), ("/duplicates", "Duplicates"), ("/failures", "broken.jpg")):
        page = look.open(path)
        page.emulate_media(media="print")
        shown = page.evaluate("""[...document.querySelectorAll("button, input, .button, summary")]
          .filter((each) => each.checkVisibility()).map((each) => each.outerHTML)
          .filter((html) => !html.includes("data-caption") && !/"(star|favourite|hide)"/.test(html))""")
        assert shown == [], path
        assert stays in page.locator("main").inner_text()
        page.emulate_media(media="screen")
    for edit in edits:
        drawn.gallery.undo(edit)


HEBREW = "עוגה (2024)!"
# Whether the sign at the end of a text is drawn at its left, as in a text from right to left.
ENDS_LEFT = """(element) => {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT), range = document.createRange();
  let node = walker.nextNode();
  while (node && !node.data.includes("!")) node = walker.nextNode();
  const box = (at) => { range.setStart(node, at); range.setEnd(node, at + 1); return range.getBoundingClientRect(); };
  const text = node.data, end = text.indexOf("!"), first = text.indexOf("ע");
  return box(end).left < box(first).left;
}"""


def test_text_from_right_to_left_is_shown_so_within_sentences(look: Looker, drawn: Shown) -> None:
    name, _ = drawn.gallery.edit([3], Edit(caption=HEBREW, tags=(HEBREW,)))
    kept = drawn.gallery.edit([3], Edit(lock=True))[0]
    page = look.open("/photo/3")
    for selector in ("#caption", ".tags li", "#history li >> nth=0", "#history li >> nth=1",
                     "#history li:has-text('Tags')"):  # fmt: skip
        assert page.locator(selector).first.evaluate(ENDS_LEFT), selector
    page.locator("#tag").fill(f"{HEBREW}!")
    assert page.locator("#tag").evaluate("(field) => getComputedStyle(field).direction") == "rtl"
    page.keyboard.press("Enter")
    page.wait_for_selector(".toast:has-text('Tagged')")
    assert page.locator(".toast span").first.evaluate(ENDS_LEFT)
    page.locator(".toast button").click()
    page.wait_for_selector(".toast:has-text('Undone')")
    look.open(f"/search?q={quote(HEBREW)}")
    assert page.locator("#results h1").evaluate(ENDS_LEFT)
    assert page.locator("#q").evaluate("(field) => getComputedStyle(field).direction") == "rtl"
    look.open("/photo/3/similar")
    assert page.locator("h1").evaluate(ENDS_LEFT)
    for edit in (kept, name):
        drawn.gallery.undo(edit)
