"""Figures for Prometheus: of the queue, and of what a worker did."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from photoindex.errors import ServiceError
from photoindex.library import Library
from photoindex.library.metrics import KEEP_SECONDS, Metrics
from photoindex.types import Tally
from tests import postgres
from tests.support import FakeCaptioner, make_photo

ON_BOTH = True


def figures(text: bytes | str) -> dict[str, float]:
    """All samples by name, with the state behind it."""
    families = text_string_to_metric_families(text if isinstance(text, str) else text.decode())
    return {
        "/".join([sample.name, *sample.labels.values()]): sample.value
        for family in families
        for sample in family.samples
    }


def test_the_queue_is_counted_by_state(library: Library, album: Path) -> None:
    make_photo(album / "a.jpg")
    (album / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0" + b"x" * 100)
    library.index(album)
    make_photo(album / "b.jpg", "green")
    library.index(album, queue_only=True)
    text, kind = Metrics(library.database).text()
    found = figures(text)
    assert kind.startswith("text/plain; version=")
    assert found["photoindex_catalogue_up"] == 1
    states = ("queued", "retrying", "running", "failed", "ignored")
    assert {state: found[f"photoindex_jobs/{state}"] for state in states} == library.status().jobs
    assert found["photoindex_jobs/queued"] == 1
    assert "photoindex_captioned_total" not in found
    assert found["process_cpu_seconds_total"] > 0


def test_the_queue_is_counted_once_in_a_while(library: Library, album: Path) -> None:
    now = 0.0
    metrics = Metrics(library.database, clock=lambda: now)
    assert figures(metrics.text()[0])["photoindex_jobs/queued"] == 0
    make_photo(album / "a.jpg")
    library.index(album, queue_only=True)
    assert figures(metrics.text()[0])["photoindex_jobs/queued"] == 0
    now += KEEP_SECONDS
    assert figures(metrics.text()[0])["photoindex_jobs/queued"] == 1


def test_a_worker_answers_while_it_works(open_library: Callable[..., Library], album: Path) -> None:
    make_photo(album / "a.jpg")
    library = open_library()
    library.index(album, queue_only=True)
    library.close()
    stop, port, seen = threading.Event(), free_port(), []

    def worked(_tally: Tally) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            seen.append(figures(answer.read()))
        stop.set()

    open_library(captioner=FakeCaptioner()).work_until(stop, worked=worked, metrics=("127.0.0.1", port))
    [found] = seen
    assert found["photoindex_captioned_total"] == 1
    assert found["photoindex_failed_total"] == found["photoindex_recognised_total"] == 0
    with pytest.raises(OSError, match=r"refused|reset"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60)


def test_a_port_that_is_taken_is_said(library: Library) -> None:
    metrics = Metrics(library.database, Tally)
    with metrics.served("127.0.0.1", 0) as port:
        second = Metrics(library.database).served("127.0.0.1", port)
        with pytest.raises(ServiceError, match=f"port {port}: "):
            second.__enter__()


def test_a_catalogue_that_is_away_is_said(
    library: Library, catalogue: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not catalogue:
        pytest.skip("a file is not away")
    server: postgres.Server = request.getfixturevalue("postgres_server")
    metrics = Metrics(library.database, Tally)
    assert figures(metrics.text()[0])["photoindex_catalogue_up"] == 1
    server.drop(catalogue)
    found = figures(metrics.text()[0])
    assert found["photoindex_catalogue_up"] == 0
    assert "photoindex_jobs/queued" not in found
    assert found["photoindex_captioned_total"] == 0


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
