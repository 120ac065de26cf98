"""Figures of the queue and of this process, in the text format of Prometheus, by its client library.

Names follow https://prometheus.io/docs/practices/naming/. No name of a photo or folder is among the labels.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from photoindex.catalogue import jobs
from photoindex.catalogue.database import Database
from photoindex.errors import CatalogueError, ConfigError, ServiceError
from photoindex.types import Tally

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

# Counting the jobs of a large queue takes seconds, and each of many processes is asked: the answer is kept this long.
KEEP_SECONDS: Final = 30.0
# ... or for this many times as long as the counting took.
KEEP_TIMES: Final = 20.0


class Metrics:
    """The figures of one process. ``totals`` returns what it did so far; ``None`` where it captions nothing.

    Raises :class:`ConfigError` where prometheus_client is not installed.
    """

    def __init__(
        self,
        database: Database,
        totals: Callable[[], Tally] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        try:
            from prometheus_client import CollectorRegistry, ProcessCollector
        except ImportError as error:
            raise ConfigError(
                f"metrics need {error.name or 'prometheus_client'}, which is not installed: "
                "pip install 'photoindex[cluster]'"
            ) from error
        self._database = database
        self._totals = totals
        self._clock = clock
        self._lock = threading.Lock()
        self._counted: dict[str, int] | None = None
        self._count_again_at = 0.0
        self._registry: CollectorRegistry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        self._registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Yield the figures, as a collector of prometheus_client. Raises nothing when the catalogue is away."""
        from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

        counted = self._count_jobs()
        yield GaugeMetricFamily(
            "photoindex_catalogue_up", "Whether the catalogue answered (1), or not (0).", value=counted is not None
        )
        if counted is not None:
            family = GaugeMetricFamily("photoindex_jobs", "Photos in the queue, by state.", labels=["state"])
            for state, number in counted.items():
                family.add_metric([state], number)
            yield family
        if self._totals is not None:
            totals = self._totals()
            for name, number, what in (
                ("captioned", totals.captioned, "Photos that this process captioned and stored."),
                ("recognised", totals.recognised, "Files whose content was known already."),
                ("failed", totals.failed, "Photos that this process could not caption."),
            ):
                yield CounterMetricFamily(f"photoindex_{name}", what, value=number)

    def text(self) -> tuple[bytes, str]:
        """Return the figures, and the content type of what they are written in."""
        from prometheus_client import generate_latest
        from prometheus_client.exposition import CONTENT_TYPE_LATEST

        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    @contextmanager
    def served(self, address: str, port: int) -> Iterator[int]:
        """Answer requests at an address for the block; yields the port, which the system chooses for 0.

        Raises :class:`ServiceError` when the port cannot be had.
        """
        from prometheus_client import start_http_server

        try:
            server, thread = start_http_server(port, address, self._registry)
        except OSError as error:
            raise ServiceError(f"cannot serve metrics on {address}, port {port}: {error.strerror or error}") from error
        try:
            yield server.server_port
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _count_jobs(self) -> dict[str, int] | None:
        """Return the number of jobs by state; ``None`` when the catalogue cannot be asked."""
        with self._lock:
            began = self._clock()
            if self._counted is None or began >= self._count_again_at:
                try:
                    with self._database.read() as connection:
                        self._counted = jobs.counts(connection)
                except CatalogueError:
                    self._counted = None
                ended = self._clock()
                self._count_again_at = ended + max(KEEP_SECONDS, KEEP_TIMES * (ended - began))
            else:
                try:
                    self._database.revision()
                except CatalogueError:
                    return None
            return self._counted
