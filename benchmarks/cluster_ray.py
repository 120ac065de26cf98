"""What is left after nodes of a Ray cluster are killed while its workers caption.

    python benchmarks/cluster_ray.py [--photos N] [--kills N]

Two nodes of a worker each run on this machine, by Ray's own test cluster; one of them is killed again and again and a
new one joins. The captioner only waits. Nothing is left behind.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from cluster import LEASE, catalogue, counts, until_done

from photoindex.config import Settings
from photoindex.library import Library
from photoindex.library.ray_cluster import RayCluster
from tests import postgres
from tests.support import REPOSITORY, FakeCaptioner, make_photo

WAIT = 0.1  # seconds that the captioner takes for a photo
STORE_BYTES = 80_000_000


class Waiting(FakeCaptioner):
    """Waits for each photo, as for a GPU."""

    def __init__(self) -> None:
        super().__init__(batch_size=1, before=lambda: time.sleep(WAIT))


def load(_settings: Settings) -> FakeCaptioner:
    return Waiting()


def started_cluster(folder: str) -> Any:
    """A head without room for workers, whose files are in ``folder``."""
    from ray.cluster_utils import Cluster

    os.environ["PYTHONPATH"] = str(REPOSITORY)
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_health_check_period_ms": "500"}
    os.environ["RAY_TMPDIR"] = folder
    head = {"num_cpus": 0, "object_store_memory": STORE_BYTES}
    return Cluster(initialize_head=True, head_node_args=head)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=int, default=400)
    parser.add_argument("--kills", type=int, default=10)
    options = parser.parse_args()
    random.seed(1)
    with (
        tempfile.TemporaryDirectory(prefix="ray-") as place,
        postgres.server(fsync="on", full_page_writes="on") as server,
    ):
        postgres.make_template(server)
        album = Path(place, "album")
        for number in range(options.photos):
            make_photo(album / f"{number}.jpg", random.Random(number).choice(["red", "green", "blue"]))
        ray = started_cluster(place)
        try:
            with catalogue(server) as url:
                kill_nodes(ray, url, Path(place), album, options.photos, options.kills)
        finally:
            ray.shutdown()


def kill_nodes(ray: Any, url: str, folder: Path, album: Path, photos: int, kills: int) -> None:
    """Kill a node at random moments, and print what is left when all is done."""

    def add() -> Any:
        return ray.add_node(num_cpus=1, object_store_memory=STORE_BYTES)

    settings = Settings(
        folder / "node", catalogue=url, settle_seconds=0.0, lease_seconds=LEASE, claim=8, decode_workers=1,
        read_text="never", thumbnail_megabytes=0,
    )  # fmt: skip
    nodes = [add(), add()]
    with Library(settings) as library, RayCluster(ray.address) as cluster:
        library.index(album, queue_only=True)
        began = time.monotonic()
        cluster.start(settings, 2, load)
        pause = threading.Event()
        for _ in range(kills):
            pause.wait(random.uniform(1.0, 4.0))
            ray.remove_node(nodes.pop(0), allow_graceful=False)
            nodes.append(add())
        until_done(url, photos)
        seconds = time.monotonic() - began
        once, more, none, left = counts(url)
        cluster.stop()
    done = f"{once} of {photos} photos stored once, {more} twice, {none} lost, {left} jobs left"
    print(f"kills of {kills} nodes of a Ray cluster in {seconds:.0f} s: {done}", flush=True)


if __name__ == "__main__":
    main()
