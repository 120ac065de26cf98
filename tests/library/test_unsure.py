"""The queue of the least sure photos, which is found once and then looked at again."""

from __future__ import annotations

from pathlib import Path

import pytest

from photoindex.library import Library
from photoindex.library.gallery import unsure
from photoindex.library.gallery.unsure import GOOD_SECONDS, Unsure
from tests.support import COLOURS, make_photo

ON_BOTH = True


@pytest.mark.parametrize("found_at_once", [2, 1000])
def test_what_was_reviewed_leaves_the_queue_and_what_came_later_joins_it(
    library: Library, album: Path, monkeypatch: pytest.MonkeyPatch, found_at_once: int
) -> None:
    monkeypatch.setattr(unsure, "FOUND", found_at_once)
    for colour in COLOURS:
        make_photo(album / f"{colour}.jpg", colour)
    library.index(album)

    def run(sql: str) -> None:
        with library.database.write() as connection:
            connection.exec_driver_sql(sql)

    run("update caption set log_probability = -photo_id where source = 'model' and \"rank\" = 0")
    now = [0.0]
    queue = Unsure(library.database, lambda: now[0])
    assert queue.first(2) == [6, 5]
    run("update photo set review = 'later' where id = 6")
    run("update photo set hidden = true where id = 4")
    assert queue.first(2) == [5, 3]
    run('update caption set log_probability = -20 where photo_id = 1 and "rank" = 0')
    now[0] += GOOD_SECONDS
    assert queue.first(4) == [1, 5, 3, 2]
    run("update photo set review = 'later'")
    assert queue.first(4) == []
