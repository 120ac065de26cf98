"""How smoothly the timeline scrolls, in headless Chromium.

    PYTHONPATH=. python benchmarks/gallery_frames.py [PHOTOS]

Shows a timeline of PHOTOS (1000000) photos, which repeats a few drawn ones, as a page of 1280 by 800 pixels; turns the
wheel through it, jumps from year to year, and prints how far frames were apart (at 60 a second: 16.7 ms), how often one
was missing, the tasks that took longer than 50 ms, and the elements of the page. The server is in this process, the
browser in others.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from photoindex.config import Settings
from photoindex.library import Library
from photoindex.library.gallery import Gallery
from photoindex.web.server import GalleryServer, ServeOptions
from tests.browser.conftest import ARGUMENTS, DESKTOP, PHOTOS, many
from tests.chromium import find_browser
from tests.drawn import DrawnPhotosCaptioner, draw_album

STEPS = 120
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
  return { ...found, elements: document.querySelectorAll("#timeline *").length };
}"""


def scrolled(page: Any, act: Any) -> str:
    """Return a line of figures of what ``act`` does."""
    page.evaluate(MEASURE)
    act()
    found = page.evaluate(MEASURED)
    frames, tasks = sorted(found["frames"]), found["tasks"]
    dropped = sum(max(0, round(each / (1000 / 60)) - 1) for each in frames)
    middle, high = frames[len(frames) // 2], frames[int(0.95 * (len(frames) - 1))]
    return (
        f"{len(frames)} | {middle:.1f} | {high:.1f} | {frames[-1]:.1f} | {dropped} | {len(tasks)}"
        f" | {max(tasks, default=0):.0f} | {found['elements']}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("photos", nargs="?", type=int, default=1_000_000)
    photos = parser.parse_args().photos
    with tempfile.TemporaryDirectory() as temporary:
        album = Path(temporary, "Pictures")
        known = draw_album(album, PHOTOS)
        settings = Settings(Path(temporary, "data"), settle_seconds=0.0, backup_days=0.0)
        with Library(settings, lambda _: DrawnPhotosCaptioner(known)) as library:
            library.index(album)
            gallery = Gallery(library)
            shown = many(gallery.snapshot(), photos)
            gallery.timeline = gallery.snapshot = lambda: shown  # type: ignore[method-assign]
            server = GalleryServer(gallery, ServeOptions(port=0))
            server.start()
            with sync_playwright() as driver:
                browser = driver.chromium.launch(executable_path=find_browser(), args=ARGUMENTS)
                page = browser.new_context(viewport=DESKTOP).new_page()
                page.goto(server.link)
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
                print(
                    "| | frames | median ms | p95 ms | longest ms | missing | tasks over 50 ms | longest | elements |"
                )
                print("|---|---|---|---|---|---|---|---|---|")
                print(f"| first time, the wheel, 100 pixels a turn | {scrolled(page, lambda: wheel(100))} |")
                print(f"| back | {scrolled(page, lambda: wheel(-100))} |")
                print(f"| 2,000 pixels a turn | {scrolled(page, lambda: wheel(2000))} |")
                print(f"| from year to year | {scrolled(page, years)} |")
                browser.close()
            server.stop()
            gallery.close()


if __name__ == "__main__":
    main()
