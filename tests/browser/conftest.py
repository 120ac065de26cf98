"""Headless Chromium on a gallery of drawn photos, by playwright, which drives the browser that is installed here."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from photoindex.catalogue.photos import mark_text_stale
from photoindex.config import Settings
from photoindex.library import Library
from photoindex.library.gallery import Gallery, Snapshot
from photoindex.web.server import GalleryServer, ServeOptions
from tests.chromium import find_browser
from tests.drawn import DrawnPhotosCaptioner, draw_album

PHOTOS = 54
ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
).split()
DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
SECONDS = 30.0
AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text("utf-8")
LOOKS: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": PHONE, "is_mobile": True, "has_touch": True},
}


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser. Tests are skipped where there is none, or no playwright."""
    found = find_browser()
    if found is None:
        pytest.skip("no Chromium, Chrome or Edge here (PHOTOINDEX_BROWSER names one elsewhere)")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass(frozen=True)
class Shown:
    """A gallery that a browser can open."""

    server: GalleryServer
    gallery: Gallery
    library: Library
    album: Path

    @property
    def base(self) -> str:
        """Its address."""
        return self.server.address.rstrip("/")

    @property
    def cookie(self) -> dict[str, Any]:
        """What signs a browser in, as playwright takes it: a session of its own each time."""
        session = self.server.access._begin()
        return {"name": self.server.site.cookie, "value": session, "url": self.base, "sameSite": "Strict"}


@pytest.fixture(scope="session")
def drawn(warm: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """A gallery of drawn photos, which is watched."""
    folder = tmp_path_factory.mktemp("drawn")
    album = folder / "Pictures"
    known = draw_album(album, PHOTOS)
    (album / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0" + b"x" * 100)
    settings = Settings(folder / "data", settle_seconds=0.0, backup_days=0.0, unload_seconds=3600, read_text="never")
    stop, ready = threading.Event(), threading.Event()
    with ExitStack() as stack:
        library = stack.enter_context(Library(settings))
        watching = stack.enter_context(Library(settings, lambda _: DrawnPhotosCaptioner(known)))
        watch = threading.Thread(
            target=lambda: watching.watch(album, stop=stop, ready=lambda _: ready.set()), daemon=True
        )
        watch.start()
        assert ready.wait(120)
        gallery = Gallery(library)
        gallery.albums.put("Giraffes", [1, 2, 3])
        gallery.albums.add("Water", "water")
        with library.database.write() as connection:
            connection.exec_driver_sql(
                "update photo set latitude = 38.7 + id % 3, longitude = -9.1 + id % 7 where id % 2"
            )
            mark_text_stale(connection, list(range(1, PHOTOS, 2)))
        library.finder.sync()
        server = GalleryServer(gallery, ServeOptions(port=0))
        server.start()
        yield Shown(server, gallery, library, album)
        stop.set()
        watch.join()
        server.stop()
        gallery.close()


def many(snapshot: Snapshot, count: int) -> Snapshot:
    """The timeline of a library with so many photos: those of a small one again and again, over twenty years."""
    repeated = snapshot.taking(np.arange(count) % snapshot.count)
    newest = np.datetime64("2024-12-31T12:00:00", "s")
    taken = newest - (np.arange(count) * (20 * 365 * 86_400) // count).astype("timedelta64[s]")
    return dataclasses.replace(repeated, revision=10**9, taken=taken)


@pytest.fixture
def million(drawn: Shown, monkeypatch: pytest.MonkeyPatch) -> Snapshot:
    """The gallery shows a million photos."""
    shown = many(drawn.gallery.snapshot(), 1_000_000)
    monkeypatch.setattr(drawn.gallery, "timeline", lambda: shown)
    monkeypatch.setattr(drawn.gallery, "snapshot", lambda: shown)
    return shown


class Looker:
    """Opens pages in one browser context, and keeps what went wrong in them."""

    def __init__(self, context: Any, base: str) -> None:
        self.context = context
        self.base = base
        self.problems: list[str] = []
        self.page = context.new_page()
        self.page.set_default_timeout(SECONDS * 1000)
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("request", self._check)

    def _note(self, message: Any) -> None:
        changed = "409" in message.text and "/api/v1/timeline" in message.location["url"]  # the page asks again
        if message.type in ("error", "warning") and not changed:
            self.problems.append(f"{message.type}: {message.text} ({message.location['url']})")

    def _check(self, request: Any) -> None:
        if not request.url.startswith((self.base, "data:", "blob:")):
            self.problems.append(f"a request to {request.url}")

    def until(self, expression: str) -> None:
        """Wait until an expression is true, also over a navigation. playwright's own way evaluates a text in the page,
        which the page's policy forbids."""
        deadline = time.monotonic() + SECONDS
        while not self._is_true(expression):
            assert time.monotonic() < deadline, expression
            self.page.wait_for_timeout(50)

    def _is_true(self, expression: str) -> bool:
        try:
            return bool(self.page.evaluate(expression))
        except Exception as error:
            if "context was destroyed" in str(error):  # another page is being loaded
                return False
            raise

    def open(self, path: str) -> Any:
        """Load a page, and wait until its scripts have run."""
        self.page.goto(self.base + path)
        self.page.wait_for_load_state("load")
        if path.startswith("/?") or path == "/":
            self.page.wait_for_selector("#timeline[data-ready]", state="attached")  # without photos it has no height
        return self.page


@pytest.fixture
def look(chromium: Any, drawn: Shown, request: pytest.FixtureRequest) -> Iterator[Looker]:
    """A browser that signed in; ``indirect`` parameters are options of its context, such as ``color_scheme``.

    No page may complain on its console, or ask another host for anything.
    """
    options: dict[str, Any] = {"viewport": DESKTOP, "reduced_motion": "reduce", **getattr(request, "param", {})}
    context = chromium.new_context(**options)
    context.add_cookies([drawn.cookie])
    looker = Looker(context, drawn.base)
    yield looker
    problems = list(looker.problems)
    context.close()
    assert problems == []


def faults(page: Any) -> list[str]:
    """What axe-core finds against WCAG 2.2 AA and its best practices."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        f"{each['id']}: {node['html']} {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]
