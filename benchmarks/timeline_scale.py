"""What the gallery's columns of all photos cost, without HTTP and without the search index.

    python benchmarks/timeline_scale.py [PHOTOS] [--keep DIR]

Makes a catalogue of PHOTOS (1000000) invented photos in a temporary folder, or in DIR, where a later run finds it.
Prints milliseconds of processor time: of reading all photos, of the next start, of following a change, and of orders
and counts of six tenths of the photos, of the queue for review and its counts; and the peak of memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from invented_library import CAMERAS, make_catalogue

from photoindex.catalogue import gallery_queries
from photoindex.catalogue.database import Database
from photoindex.catalogue.opening import open_database
from photoindex.library.gallery import Timeline, TimelineFilter, kept_snapshot
from photoindex.library.gallery.map import clusters_within
from photoindex.library.gallery.result_sets import ORDERS, ResultSet
from photoindex.library.gallery.snapshots import Snapshots
from photoindex.library.gallery.unsure import Unsure

EDIT = "update photo set own_rating = 3 - coalesce(own_rating, 1) where id in (5, 77, 900)"
MOVE = "update photo set taken_at = '2015-05-0{} 10:00:00.000000' where id in (5, 77, 900)"


def timed(what: str, act: Callable[[], Any]) -> Any:
    """Print how much processor time something takes; return what it returns."""
    started = time.process_time()
    found = act()
    print(f"| {what} | {1000 * (time.process_time() - started):.0f} |", flush=True)
    return found


def changed(database: Database, snapshots: Snapshots, sql: str) -> Callable[[], Any]:
    """Change the catalogue; return what follows the change."""
    with database.write() as connection:
        connection.exec_driver_sql(sql)
    return lambda: snapshots.latest(now=True)


def measure(folder: Path) -> None:
    database = open_database(folder / "catalogue.sqlite3")
    file = folder / kept_snapshot.FILE
    file.unlink(missing_ok=True)
    first = Snapshots(database, folder)
    timed("first start: all photos read", first.latest)
    first.close()
    print(f"| (peak of memory, MB) | {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:.0f} |")
    snapshots = Snapshots(database, folder)
    snapshot = timed(f"next start, from a file of {os.path.getsize(file) / 1e6:.0f} MB", snapshots.latest)
    timed("days", snapshot.days)
    timed("shapes", snapshot.shapes)
    chosen = np.random.default_rng(1).permutation(snapshot.ids)[: snapshot.count * 6 // 10]
    none = np.zeros(chosen.size, np.float32)
    found = ResultSet("", "", chosen, none, none.astype(np.bool_))
    snapshot.rows_of(chosen)
    for order in ORDERS[1:]:
        timed(f"{chosen.size:,} results, {order}", partial(found.places, snapshot, order))
    found.facets(snapshot)
    timed("their facets", lambda: found.facets(snapshot))
    of_a_camera = Timeline(snapshot, TimelineFilter(camera=CAMERAS[0]))
    timed("narrowed to a camera: days and shapes", lambda: (of_a_camera.days(), of_a_camera.shapes()))
    timed("what else it can be narrowed to", lambda: of_a_camera.choices)
    timed("map of the world", lambda: clusters_within(snapshot, (-180, -90, 180, 90), 24))
    timed("photos by year and by month", lambda: (snapshot.year_counts(), snapshot.month_counts()))
    for _ in range(2):
        timed("three photos get stars", changed(database, snapshots, EDIT))
    for day in (1, 2):
        timed("three photos get another date", changed(database, snapshots, MOVE.format(day)))
    unsure = Unsure(database)
    timed("the least sure captions", lambda: unsure.first(100))
    timed("the same for the next photo of a review", lambda: unsure.first(100))
    timed("how many captions people reviewed", lambda: counted_reviews(database))
    snapshots.close()
    database.close()


def counted_reviews(database: Database) -> tuple[int, int, int]:
    with database.ask() as asker:
        return gallery_queries.reviewed(asker)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("photos", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        if not (folder / "data").exists():
            make_catalogue(folder, given.photos)
        print(f"{given.photos:,} photos; load of the machine {os.getloadavg()[0]:.1f}\n\n| | ms |\n|---|---|")
        measure(folder / "data")


if __name__ == "__main__":
    main()
