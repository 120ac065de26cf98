"""The server is killed in the middle of edits: what it confirmed is kept, and the index learns of it afterwards."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import httpx
import pytest

from photoindex.config import Settings
from photoindex.library import Library
from tests.support import FakeCaptioner, many_photos
from tests.web.test_serve import serving

KILLS = 3
EDITS_BEFORE = (1, 7, 25)  # confirmed edits after which it is killed


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_no_confirmed_edit_is_lost(data_dir: Path, album: Path) -> None:
    settings = Settings(data_dir, settle_seconds=0.0, backup_days=0.0)
    many_photos(album, 12)
    with Library(settings, lambda _: FakeCaptioner()) as library:
        library.index(album)
        ids = [hit.photo_id for hit in library.search("square", None)]
    confirmed: dict[int, tuple[str, int]] = {}
    number = 0
    for enough in EDITS_BEFORE[:KILLS]:
        with serving(data_dir) as (process, line):
            link = line.split()[1]
            base = link.partition("/login")[0]
            reached = threading.Event()

            def edit(base: str, link: str, first: int, enough: int, reached: threading.Event) -> None:
                with httpx.Client(base_url=base, headers={"Origin": base}, timeout=60) as client:
                    client.get(link)
                    for count in range(10_000):
                        photo, text = ids[count % len(ids)], f"word{first + count} of mine"
                        change = {"ids": [photo], "caption": text, "rating": count % 6}
                        try:
                            if client.patch("/api/v1/photos", json=change).status_code == 200:
                                confirmed[photo] = (text, count % 6)
                        except httpx.TransportError:
                            return
                        if count + 1 >= enough:
                            reached.set()

            thread = threading.Thread(target=edit, args=(base, link, number, enough, reached))
            thread.start()
            assert reached.wait(120)
            process.kill()
            thread.join()
        number += 10_000
    assert confirmed
    with Library(settings, lambda _: FakeCaptioner()) as library:
        with library.database.read() as connection:
            assert connection.exec_driver_sql("pragma integrity_check").scalar() == "ok"
        library.finder.sync()
        said = library.editor().said(ids)
        for photo, (text, rating) in confirmed.items():
            # One more edit may have been stored without its answer arriving.
            later = said[photo].caption
            assert later is not None
            if later == text:
                assert said[photo].rating == rating
                found = library.search(f'"{text.split()[0]}"')
                assert [hit.photo_id for hit in found] == [photo]
            else:
                assert int(later.split()[0][4:]) > int(text.split()[0][4:])
            assert library.editor().undo([photo])
