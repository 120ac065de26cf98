"""Make the pictures of the gallery that the documentation shows: python -m tests.gallery_screenshots docs

The photos are drawn here, and so are their captions: they show the pages and not the model.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from photoindex.config import Settings
from photoindex.library import Library
from photoindex.library.gallery import Edit, Gallery
from photoindex.web.server import GalleryServer, ServeOptions
from tests.browser.conftest import ARGUMENTS, PHONE
from tests.chromium import find_browser
from tests.drawn import DrawnPhotosCaptioner, draw_album

PHOTOS = 90
# Of the pictures on the screen.
LOADED = """(() => { const seen = [...document.querySelectorAll('main img')]
    .filter((img) => img.getBoundingClientRect().top < innerHeight);
  return seen.length > 0 && seen.every((img) => img.complete && img.naturalWidth > 0); })()"""
WIDE = {"width": 1360, "height": 850}


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        album, data = Path(temporary, "Pictures"), Path(temporary, "data")
        known = draw_album(album, PHOTOS)
        settings = Settings(data, settle_seconds=0.0, backup_days=0.0, read_text="never")
        with Library(settings, lambda _: DrawnPhotosCaptioner(known)) as library:
            library.index(album)
            gallery = Gallery(library)
            server = GalleryServer(gallery, ServeOptions(port=0))
            server.start()
            with sync_playwright() as driver:
                browser = driver.chromium.launch(executable_path=find_browser(), args=ARGUMENTS)
                found = gallery.find("giraffes in grass")
                gallery.edit([int(found.ids[0])], Edit(tags=("safari",)))
                search = _picture(browser, server, "/search?q=giraffes+in+grass", viewport=WIDE)
                search.quantize(256).save(folder / "gallery-search.png", optimize=True)
                dark = _picture(browser, server, "/", viewport=WIDE, color_scheme="dark")
                phone = _picture(browser, server, f"/photo/{int(found.ids[0])}?q=giraffes", viewport=PHONE)
                phone = phone.resize((round(phone.width * dark.height / phone.height), dark.height))
                both = Image.new("RGB", (dark.width + phone.width + 16, dark.height), "#808080")
                both.paste(dark, (0, 0))
                both.paste(phone, (dark.width + 16, 0))
                both.quantize(256).save(folder / "gallery-more.png", optimize=True)
                browser.close()
            server.stop()
            gallery.close()


def _picture(browser: Any, server: GalleryServer, path: str, **options: Any) -> Image.Image:
    context = browser.new_context(locale="en-GB", reduced_motion="reduce", **options)
    base = server.address.rstrip("/")
    session = server.access._begin()
    context.add_cookies([{"name": server.site.cookie, "value": session, "url": base, "sameSite": "Strict"}])
    page = context.new_page()
    page.goto(base + path)
    page.wait_for_timeout(1000)
    while not page.evaluate(LOADED):
        page.wait_for_timeout(200)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    context.close()
    return picture


if __name__ == "__main__":
    main(Path(sys.argv[1]))
