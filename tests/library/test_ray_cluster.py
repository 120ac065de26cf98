"""Workers that Ray places on two nodes, one of which is killed: every photo is captioned once."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from photoindex.catalogue.schema import caption, job
from photoindex.config import Settings
from photoindex.errors import ServiceError
from photoindex.library import Library
from photoindex.library.ray_cluster import RayCluster
from photoindex.types import Progress
from tests.support import REPOSITORY, FakeCaptioner, make_photo

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own
PHOTOS = 24
PATIENCE = 120


class Slow(FakeCaptioner):
    """Takes long enough that a node can be killed in the middle."""

    def __init__(self) -> None:
        super().__init__("fake-2", batch_size=1, shape="circle", before=lambda: time.sleep(0.2))


def load_slow(_settings: Settings) -> FakeCaptioner:
    return Slow()


@pytest.fixture
def ray_cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head without room for workers, to which nodes are added."""
    utils = pytest.importorskip("ray.cluster_utils", reason="Ray is not installed")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_health_check_period_ms", "500")
    monkeypatch.setenv("RAY_health_check_failure_threshold", "4")
    store = {"object_store_memory": 80_000_000}
    # Not below the tests' folder: a socket's path has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("RAY_TMPDIR", folder)
        started = utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **store})
        started.add = lambda: started.add_node(num_cpus=1, **store)
        yield started
        started.shutdown()


def test_a_batch_is_done_once_though_a_node_is_killed(
    ray_cluster: Any, postgres_url: str, tmp_path: Path, album: Path
) -> None:
    for number in range(PHOTOS):
        make_photo(album / f"{number:02}.jpg", "red", note=str(number))
    nodes = [ray_cluster.add(), ray_cluster.add()]
    settings = Settings(
        tmp_path / "node", catalogue=postgres_url, settle_seconds=0.0, lease_seconds=3.0, claim=4, decode_workers=1,
        read_text="never", thumbnail_megabytes=0,
    )  # fmt: skip
    with Library(settings, lambda _: FakeCaptioner()) as library:
        library.index(album)
        batch, photos = library.queue_recaption(everything=True)
        assert batch is not None
        assert photos == PHOTOS
        with RayCluster(ray_cluster.address) as cluster:
            assert cluster.room() == 2
            cluster.start(library.settings, 2, load_slow)
            stop = threading.Event()
            timer = threading.Timer(PATIENCE, stop.set)
            timer.start()

            def progress(state: Progress) -> None:
                if state.done and nodes:
                    ray_cluster.remove_node(nodes.pop(), allow_graceful=False)
                    ray_cluster.add()  # where Ray starts the worker of the lost one again
                    nodes.clear()

            cluster.work_off(library, batch, stop, progress)
            timer.cancel()
            assert not stop.is_set()
            assert [worker.name for worker in cluster.workers()] == ["worker-1", "worker-2"]
            cluster.stop()
            assert cluster.workers() == []
        with library.database.read() as connection:
            current = (caption.c.rank == 0, caption.c.current, caption.c.source == "model")
            texts = connection.execute(
                select(caption.c.text, func.count()).where(*current).group_by(caption.c.text)
            ).all()
            assert [tuple(row) for row in texts] == [("a red circle", PHOTOS)]
            photos = connection.execute(select(func.count(caption.c.photo_id.distinct())).where(*current)).scalar_one()
            assert photos == PHOTOS
            assert connection.execute(select(func.count()).select_from(job)).scalar_one() == 0


def test_no_cluster_is_one_clear_line() -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    with pytest.raises(ServiceError, match="ray start --head"):
        RayCluster("127.0.0.1:1")
