"""Workers placed and started again by Ray (https://docs.ray.io): one actor each, which runs what ``photoindex worker``
runs. The queue, the leases and the results are in the catalogue; Ray holds nothing that is worth keeping.

Ray's own protocol trusts everybody who reaches its ports: keep them within a network of your own.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from photoindex.captioner import Captioner
from photoindex.config import ENVIRONMENT_PREFIX, Settings, convert
from photoindex.errors import CatalogueReadOnly, CatalogueUnavailable, ConfigError, PhotoindexError, ServiceError
from photoindex.system.error_lines import in_one_line
from photoindex.types import Progress

if TYPE_CHECKING:
    from photoindex.library.facade import Library

NAMESPACE: Final = "photoindex"
LOOK_SECONDS: Final = 1.0  # between two looks at the progress of a batch
AGAIN_SECONDS: Final = 5.0  # until a worker tries again to open a catalogue that is away
POLL_SECONDS: Final = 0.05
CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 5.0  # that an actor may take to say what it did; one that is started again says nothing
SILENT_SECONDS: Final = 300.0  # that workers may take to start, or to be started again, all of them
END_SECONDS: Final = 60.0  # that a worker may take for the photos at hand when it is to end

LoadCaptioner = Callable[[Settings], Captioner]


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """A machine of the cluster, and what Ray may use of it."""

    address: str
    is_alive: bool
    cpus: float
    gpus: float


@dataclasses.dataclass(frozen=True, slots=True)
class RayWorker:
    """A worker: ``working``; ``starting``, also when Ray starts it again after a failure; or ``ended``, and ``error``
    says why. The counts are of the time since it was started last, ``None`` while it starts."""

    name: str
    state: Literal["working", "starting", "ended"]
    captioned: int | None = None
    failed: int | None = None
    error: str | None = None


class WorkerActor:
    """What Ray runs on a node: a worker in a thread, which begins when Ray makes the actor, also after a failure."""

    def __init__(self, settings: Settings, load: LoadCaptioner | None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="photoindex-worker-", ignore_cleanup_errors=True)
        self._settings = settings
        self._load = load
        self._stop = threading.Event()
        self._library: Library | None = None
        self._error: str | None = None
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)
        self._thread.start()

    def fits(self, settings: Settings) -> bool:
        """Return whether this worker works, and by these settings."""
        return self._error is None and self._settings == settings

    def report(self) -> tuple[int, int, str | None]:
        """Return how many photos were captioned and failed, and why the worker ended, if it did."""
        totals = self._library.worked if self._library is not None else None
        return (0, 0, self._error) if totals is None else (totals.captioned, totals.failed, self._error)

    def stop(self) -> None:
        """End after the photos at hand; what is claimed goes back into the queue."""
        self._stop.set()
        self._thread.join()
        self._folder.cleanup()

    def _run(self) -> None:
        from photoindex.library.facade import Library

        while not self._stop.is_set():
            try:
                with Library(_settings_here(self._settings, Path(self._folder.name)), self._load) as library:
                    self._library = library
                    library.work_until(self._stop)
            except (CatalogueUnavailable, CatalogueReadOnly):  # as a server is that another takes over from
                self._stop.wait(AGAIN_SECONDS)
            except PhotoindexError as error:
                self._error = str(error)
                return
            except BaseException as error:  # else nobody would hear that this worker does nothing any more
                self._error = in_one_line(error)
                raise


def _settings_here(settings: Settings, data_dir: Path) -> Settings:
    """Return the settings for this node, on which folders may lie elsewhere. Raises :class:`ConfigError`."""
    variable = ENVIRONMENT_PREFIX + "MOUNTS"
    given = os.environ.get(variable)
    mounts = convert("mounts", given, variable) if given else settings.mounts
    return dataclasses.replace(settings, data_dir=data_dir, mounts=mounts)


def _check_reached(address: str | None) -> None:
    """Raise OSError when nothing answers at ``HOST:PORT``: Ray itself would try for a minute, and end the process."""
    host, _, port = (address or "").rpartition(":")
    if host and "/" not in host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()


class RayCluster:
    """A Ray cluster that runs already. Close it, or use it in a ``with`` block; that ends no worker."""

    def __init__(self, address: str | None = None) -> None:
        """``address`` is that of its head (``HOST:PORT``), or of a proxy (``ray://HOST:PORT``); ``None``: what
        RAY_ADDRESS or this machine's own Ray says.

        Raises :class:`ConfigError` where Ray is not installed, :class:`ServiceError` when no cluster is reached.
        """
        try:
            import ray
        except ImportError as error:
            raise ConfigError(
                f"this needs Ray, which is not installed: pip install 'photoindex[ray]' ({error})"
            ) from error
        self._ray: Any = ray
        try:
            _check_reached(address)
            ray.init(address or "auto", namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, OverflowError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
            line = str(error).strip().partition("\n")[0]
            raise ServiceError(
                f"no Ray cluster is reached ({line}): start one with `ray start --head`, or name it with --address"
            ) from error

    def __enter__(self) -> RayCluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the cluster."""
        self._ray.shutdown()

    def nodes(self) -> list[Node]:
        """Return the machines of the cluster, by address."""
        found = [
            Node(
                node["NodeManagerAddress"], bool(node["Alive"]), node["Resources"].get("CPU", 0.0),
                node["Resources"].get("GPU", 0.0),
            )
            for node in self._ray.nodes()
        ]  # fmt: skip
        return sorted(found, key=lambda node: (node.address, not node.is_alive))

    def room(self) -> int:
        """Return how many workers suit the cluster: one for each GPU, or where there are none one for each machine that
        has a core to spare; at least one."""
        alive = [node for node in self.nodes() if node.is_alive]
        return int(sum(node.gpus for node in alive)) or sum(node.cpus >= 1 for node in alive) or 1

    def start(self, settings: Settings, count: int, load: LoadCaptioner | None = None) -> None:
        """Have so many workers in the cluster; those that are there already and work by the same settings stay.

        Each takes a GPU where the cluster has some and the settings ask for no other device, and is started again by
        Ray, on another machine if need be, however often it fails.
        """
        self._end_unfit(settings)
        has_gpus = any(node.gpus for node in self.nodes() if node.is_alive) and settings.device in ("auto", "cuda")
        made = self._ray.remote(WorkerActor)
        for number in range(1, count + 1):
            made.options(
                name=f"worker-{number}", namespace=NAMESPACE, lifetime="detached", get_if_exists=True, max_restarts=-1,
                num_gpus=1 if has_gpus else 0, num_cpus=1, max_concurrency=4, scheduling_strategy="SPREAD",
            ).remote(settings, load)  # fmt: skip

    def _end_unfit(self, settings: Settings) -> None:
        """End workers of an earlier command that have ended by an error, or caption by other settings."""
        for handle in self._actors().values():
            try:
                fits = self._ray.get(handle.fits.remote(settings), timeout=ANSWER_SECONDS)
            except self._ray.exceptions.RayError:  # Ray starts it again
                continue
            if not fits:
                self._end([handle])

    def workers(self) -> list[RayWorker]:
        """Return the workers that have not ended, by name."""
        asked = {name: handle.report.remote() for name, handle in self._actors().items()}
        if asked:
            self._ray.wait(list(asked.values()), num_returns=len(asked), timeout=ANSWER_SECONDS)
        return [self._reported(name, answer) for name, answer in asked.items()]

    def stop(self) -> None:
        """End the workers; one that does not end by itself is ended, and others take its photos."""
        self._end(list(self._actors().values()))
        ends = time.monotonic() + ANSWER_SECONDS
        while self._actors() and time.monotonic() < ends:  # Ray ends them in its own time
            time.sleep(POLL_SECONDS)

    def _end(self, handles: Sequence[Any]) -> None:
        if handles:
            answers = [handle.stop.remote() for handle in handles]
            self._ray.wait(answers, num_returns=len(answers), timeout=END_SECONDS)
        for handle in handles:
            self._ray.kill(handle, no_restart=True)

    def work_off(
        self,
        library: Library,
        batch: int,
        stop: threading.Event,
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        """Wait until a batch is done or halted, or ``stop`` is set. Raises :class:`ServiceError` when no worker works
        any more, or none answers for :data:`SILENT_SECONDS`."""
        heard_at = time.monotonic()
        while not stop.is_set():
            found = library.batches.get(batch)
            if progress is not None:
                progress(Progress("captioning", found.total - found.left, found.total))
            if not found.left or found.state in ("paused", "cancelled"):
                return
            workers = self.workers()
            self._check(workers)
            if any(worker.state == "working" for worker in workers):
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > SILENT_SECONDS:
                raise ServiceError(
                    f"no worker has answered for {SILENT_SECONDS / 60:.0f} minutes: see `photoindex cluster status` "
                    "and Ray's own logs; what is done is stored, and the same command goes on"
                )
            stop.wait(LOOK_SECONDS)

    def _check(self, workers: Sequence[RayWorker]) -> None:
        errors = [worker.error for worker in workers if worker.error is not None]
        if errors and len(errors) == len(workers):
            raise ServiceError(f"no worker works any more: {errors[0]}")

    def _reported(self, name: str, answer: Any) -> RayWorker:
        """Return what a worker said, if it did."""
        try:
            captioned, failed, error = self._ray.get(answer, timeout=0)
        except self._ray.exceptions.RayError:  # it has not answered yet, or its node is gone
            return RayWorker(name, "starting")
        return RayWorker(name, "working" if error is None else "ended", captioned, failed, error)

    def _actors(self) -> dict[str, Any]:
        """Return the handles of our actors, by name."""
        handles = {}
        names = self._ray.util.list_named_actors(all_namespaces=False)
        for name in sorted(names, key=lambda name: (len(name), name)):
            with suppress(ValueError):  # it has ended meanwhile
                handles[name] = self._ray.get_actor(name, namespace=NAMESPACE)
        return handles
