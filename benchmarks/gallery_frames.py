"""How soon the timeline has its first pictures, how smoothly it scrolls, and how soon results follow what is typed, in
headless Chromium.

    PYTHONPATH=. python benchmarks/gallery_frames.py [PHOTOS]

Shows a timeline of PHOTOS (1000000) photos, which repeats 150 drawn ones whose thumbnails exist, and prints how long
after navigation began 60 of them were there, in a browser that has none of them and in one that has them. Then, in a
window of 1280 by 800 pixels, turns the wheel through it, jumps from year to year, and prints how far frames were apart
(at 60 a second: 16.7 ms), how often one was missing, the tasks that took longer than 50 ms, and the elements of the
page. The server is in this process, the browser in others.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from photoindex.config import Settings
from photoindex.library import Library
from photoindex.library.gallery import Gallery
from photoindex.web.server import GalleryServer, ServeOptions
from tests.browser.conftest import ARGUMENTS, DESKTOP, many
from tests.chromium import find_browser
from tests.drawn import DrawnPhotosCaptioner, draw_album

# Budgets in milliseconds: of the first thumbnails, of a frame and a task; and elements on a screen.
THUMBNAILS, FRAME, TASK, ELEMENTS = 300, 20, 50, 100
DRAWN = 150
FIRST = 60  # thumbnails
OPENED = 7  # times
TALL = {"width": 1280, "height": 3000}  # on which there is room for more
STEPS = 120
WAIT_FOR_FIRST = f"""(() => {{
  window.there_ = new Promise((resolve) => {{
    const look = () => {{
      const all = [...document.querySelectorAll("#timeline img")];
      const there = all.filter((each) => each.complete && each.naturalWidth);
      if (there.length >= {FIRST}) resolve(performance.now()); else requestAnimationFrame(look);
    }};
    requestAnimationFrame(look);
  }});
}})()"""
MEASURE = """() => {
  window.frames_ = []; window.tasks_ = []; window.elements_ = 0;
  let last = performance.now();
  const frame = (now) => {
    window.frames_.push(now - last); last = now;
    if (window.frames_) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  window.observer_ = new PerformanceObserver((list) => {
    for (const each of list.getEntries()) window.tasks_.push(each.duration);
  });
  window.observer_.observe({ type: "longtask" });
}"""
MEASURED = """() => {
  window.observer_.disconnect();
  const found = { frames: window.frames_, tasks: window.tasks_ };
  window.frames_ = null;
  const seen = [...document.querySelectorAll("#timeline > *")].filter((row) => {
    const { top, bottom } = row.getBoundingClientRect();
    return bottom > 0 && top < innerHeight;
  });
  const screen = seen.reduce((sum, row) => sum + 1 + row.querySelectorAll("*").length, 0);
  return { ...found, screen, elements: document.querySelectorAll("#timeline *").length };
}"""


# From the moment that a key is pressed until the results of what then stands in the box are painted.
TYPED = """(wanted) => {
  const box = document.getElementById("q");
  let pressed;
  box.addEventListener("keydown", (event) => { pressed = event.timeStamp; }, { once: true });
  window.painted_ = new Promise((resolve) => {
    const seen = new MutationObserver(() => {
      if (document.getElementById("results")?.dataset.typed !== wanted) return;
      seen.disconnect();
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - pressed)));
    });
    seen.observe(document.getElementById("main"), { childList: true, subtree: true });
  });
}"""


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser that is installed here."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_browser(), args=ARGUMENTS)
        yield browser
        browser.close()


def typed_letters(link: str, text: str) -> list[float]:
    """Return milliseconds from each letter of a text until its results are painted; the text is typed twice.

    ``link`` signs in on a running server. A space changes no results, and is not counted.
    """
    taken = []
    with chromium() as browser:
        page = browser.new_context(viewport=DESKTOP).new_page()
        page.goto(link)
        base = page.url.rstrip("/")
        for _ in range(2):
            page.goto(f"{base}/search")
            page.locator("#q").focus()
            page.wait_for_load_state("load")
            for end, letter in enumerate(text, 1):
                if letter == " ":
                    page.keyboard.press("Space")
                    continue
                page.evaluate(TYPED, text[:end])
                page.keyboard.press(letter)
                taken.append(float(page.evaluate("window.painted_")))
                page.wait_for_timeout(120)  # as a person types, and so that nothing is under way at the next letter
    return taken


def first_thumbnails(browser: Any, server: GalleryServer, *, kept: bool) -> list[float]:
    """Return milliseconds from navigation until the first thumbnails are there, least first: in a browser that has
    shown another page of the gallery, and has its pictures and scripts from before if they are ``kept``."""
    base = server.address.rstrip("/")
    context = browser.new_context(viewport=TALL)
    context.add_cookies([{"name": server.site.cookie, "value": server.access._begin(), "url": base}])
    page = context.new_page()
    page.add_init_script(WAIT_FOR_FIRST)
    tools = context.new_cdp_session(page)
    taken = []
    for number in range(OPENED + 1):
        page.goto(f"{base}/about")
        page.wait_for_timeout(1000)  # until nothing is under way
        if not kept:
            tools.send("Network.clearBrowserCache")
        page.goto(f"{base}/")
        there = page.evaluate("window.there_")
        if number:  # the first time the browser, and the server, load what they keep
            taken.append(float(there))
    context.close()
    return sorted(taken)


def beside(value: float, budget: float, form: str = ".0f") -> str:
    """Return a figure, in bold when it is above its budget."""
    return f"**{value:{form}}**" if value > budget else f"{value:{form}}"


def scrolled(page: Any, act: Any) -> str:
    """Return a line of figures of what ``act`` does."""
    page.evaluate(MEASURE)
    act()
    found = page.evaluate(MEASURED)
    frames, tasks = sorted(found["frames"]), found["tasks"]
    dropped = sum(max(0, round(each / (1000 / 60)) - 1) for each in frames)
    middle, high = frames[len(frames) // 2], frames[int(0.95 * (len(frames) - 1))]
    long = [each for each in tasks if each > TASK]
    return (
        f"{len(frames)} | {middle:.1f} | {beside(high, FRAME, '.1f')} | {frames[-1]:.1f} | {dropped}"
        f" | {beside(len(long), 0)} | {max(tasks, default=0):.0f}"
        f" | {beside(found['screen'], ELEMENTS)} | {found['elements']}"
    )


def scrolling(page: Any, link: str, photos: int) -> None:
    """Print how a timeline scrolls."""
    page.goto(link)
    page.wait_for_selector("#timeline[data-ready]")
    page.mouse.move(600, 400)

    def wheel(step: int) -> None:
        for _ in range(STEPS):
            page.mouse.wheel(0, step)
            page.wait_for_timeout(16)

    def years() -> None:
        for link in page.locator(".years li:not([hidden]) a").all():
            link.click()
            page.wait_for_timeout(150)

    print(f"{photos:,} photos; load of the machine {os.getloadavg()[0]:.1f}\n")
    print(f"| | frames | median ms | p95 ms (budget {FRAME}) | longest ms | missing | tasks over {TASK} ms (budget 0)"
          f" | longest | elements on the screen (budget {ELEMENTS}) | in all |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|")
    print(f"| first time, the wheel, 100 pixels a turn | {scrolled(page, lambda: wheel(100))} |", flush=True)
    print(f"| back | {scrolled(page, lambda: wheel(-100))} |", flush=True)
    print(f"| 2,000 pixels a turn | {scrolled(page, lambda: wheel(2000))} |", flush=True)
    print(f"| from year to year | {scrolled(page, years)} |", flush=True)


def look(photos: int) -> None:
    """Print what a browser sees of a library of drawn photos, and of a timeline of so many."""
    with tempfile.TemporaryDirectory() as temporary:
        album = Path(temporary, "Pictures")
        known = draw_album(album, DRAWN)
        settings = Settings(Path(temporary, "data"), settle_seconds=0.0, backup_days=0.0, read_text="never")
        with Library(settings, lambda _: DrawnPhotosCaptioner(known)) as library:
            library.index(album)
            gallery = Gallery(library)
            server = GalleryServer(gallery, ServeOptions(port=0))
            server.start()
            with chromium() as browser:
                shown = many(gallery.snapshot(), photos)
                gallery.timeline = gallery.snapshot = lambda: shown  # type: ignore[method-assign]
                for kept in (False, True):
                    taken = first_thumbnails(browser, server, kept=kept)
                    where = "kept by the browser" if kept else "not kept by the browser"
                    print(
                        f"{FIRST} thumbnails that exist, from navigation, {where}:"
                        f" {beside(taken[OPENED // 2], THUMBNAILS)} ms ({taken[0]:.0f} to {taken[-1]:.0f};"
                        f" budget {THUMBNAILS})",
                        flush=True,
                    )
                print()
                scrolling(browser.new_context(viewport=DESKTOP).new_page(), server.link, photos)
            server.stop()
            gallery.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("photos", nargs="?", type=int, default=1_000_000)
    look(parser.parse_args().photos)


if __name__ == "__main__":
    main()
