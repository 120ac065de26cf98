"""A gallery served by a real server on 127.0.0.1, and clients that signed in or did not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from photoindex.config import Settings
from photoindex.library import Library
from photoindex.library.gallery import Gallery
from photoindex.web.server import GalleryServer, ServeOptions
from tests.support import COLOURS, FakeCaptioner, make_photo


@dataclass(frozen=True)
class Served:
    """A server, its gallery, and where it is."""

    server: GalleryServer
    gallery: Gallery
    library: Library
    album: Path

    @property
    def base(self) -> str:
        return self.server.address.rstrip("/")

    @property
    def origin(self) -> dict[str, str]:
        """What a page of the gallery sends with a change."""
        return {"Origin": f"http://127.0.0.1:{self.server.port}"}

    def client(self, *, signed_in: bool = True, on: str | None = None, **more: Any) -> httpx.Client:
        """A client, with a session unless told otherwise; ``on`` is the address to ask instead of the printed one."""
        base = self.base if on is None else f"http://{on}:{self.server.port}"
        client = httpx.Client(base_url=base, headers=self.origin, **more)
        if signed_in:
            session = self.server.access._begin()
            client.cookies.set(self.server.site.cookie, session)
        return client


Serve = Callable[..., Served]


def fill(library: Library, album: Path) -> None:
    """Index a photo of each colour, and two files that are none."""
    for colour in COLOURS:
        make_photo(album / f"{colour} one.jpg", colour)
    (album / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0" + b"x" * 100)
    (album / "note.jpg").write_bytes(b"no photo at all")
    library.index(album)


@pytest.fixture(scope="session")
def unchanged(warm: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for all tests that change nothing."""
    folder = tmp_path_factory.mktemp("served")
    settings = Settings(folder / "data", settle_seconds=0.0, backup_days=0.0)
    with Library(settings, lambda _: FakeCaptioner()) as library:
        fill(library, folder / "album")
        gallery = Gallery(library)
        server = GalleryServer(gallery, ServeOptions(port=0))
        server.start()
        yield Served(server, gallery, library, folder / "album")
        server.stop()
        gallery.close()


@pytest.fixture
def reader(unchanged: Served) -> Iterator[httpx.Client]:
    """A client that signed in, and changes nothing."""
    with unchanged.client() as signed_in:
        yield signed_in


@pytest.fixture
def serve(library: Library, album: Path) -> Iterator[Serve]:
    """Serves a library that a test may change, by the options given."""
    with ExitStack() as stack:

        def start(**options: Any) -> Served:
            fill(library, album)
            gallery = Gallery(library)
            stack.callback(gallery.close)
            server = GalleryServer(gallery, ServeOptions(port=0, **options))
            server.start()
            stack.callback(server.stop)
            return Served(server, gallery, library, album)

        yield start


@pytest.fixture
def served(serve: Serve) -> Served:
    return serve()


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    with served.client() as signed_in:
        yield signed_in
