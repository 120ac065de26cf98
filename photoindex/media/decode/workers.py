"""Decoding in worker processes, so that a photo that kills or hangs its decoder costs that photo and nothing else.

Each worker has one photo at a time, hence a death has one cause. A thread per worker hands it photos and waits for its
answers while the caller does something else, such as captioning the photos before.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from photoindex.errors import DecoderCrashed, DecoderUnavailable, PhotoError
from photoindex.media.decode import failures
from photoindex.media.decode.draft_thread import DraftThread, Waiting
from photoindex.media.decode.drafts import Draft, DraftMaker
from photoindex.media.decode.lending import lend
from photoindex.media.decode.photo import decode_photo
from photoindex.media.decode.worker_main import DecodeFunction, read_answer
from photoindex.system.child_process import Child
from photoindex.system.lent_files import LentFile
from photoindex.system.package_data import PACKAGE
from photoindex.system.paths import shown
from photoindex.system.running_time import within
from photoindex.system.url_paths import is_url
from photoindex.types import DecodedPhoto

if TYPE_CHECKING:  # the workers import this module as well, and need no settings
    from photoindex.config import Settings

Answer = tuple[Path, "DecodedPhoto | PhotoError"]

PHOTOS_AHEAD = 16  # per worker, decoded or in decoding before the caller asks; 300 kB each at 320 x 320 pixels
START_SECONDS = 120.0  # Python and Pillow from a cold, slow disk
START_ATTEMPTS = 3

# Neither multiprocessing's fork nor its spawn. Fork copies a process full of torch's threads and of locks they hold;
# spawn runs the parent's __main__ again in the child, which a console script, standard input or an embedding program
# may not survive, and which would import all of photoindex. And not "python -m": that looks for modules in the current
# folder first, and the current folder may be one of photos and anything else. So: a plain interpreter that takes over
# the parent's module path before it imports anything. The package itself is put there empty, as its __init__ is the
# public API, which imports the catalogue and the full-text index: three times the memory and the time to start.
_START = (
    "import sys; sys.path[:] = sys.argv[2:]; package = type(sys)('photoindex'); package.__path__ = [sys.argv[1]];"
    " sys.modules['photoindex'] = package; from photoindex.media.decode.worker_main import main; main()"
)


class Decoder:
    """Decodes photos to ``size`` x ``size`` pixels in up to ``workers`` processes, started when first needed and kept.

    A photo that takes longer than ``seconds``, or that ends its worker in any way, comes back as
    :class:`DecoderCrashed`; its worker is replaced. ``max_pixels`` is the largest photo taken. ``decode_function`` is
    what runs in the workers, a function of (path, size, max_pixels) that its module can be asked for by name;
    ``room`` is how many bytes it may need besides those of decoding. ``drafts`` decodes JPEGs beside them, and is
    this Decoder's to close.

    One thread at a time may use a Decoder. Close it, or use it as a context manager.
    """

    def __init__(
        self,
        size: int,
        workers: int,
        seconds: float,
        max_pixels: int,
        decode_function: DecodeFunction = decode_photo,
        *,
        room: int = 0,
        drafts: DraftMaker | None = None,
    ) -> None:
        if size < 1 or workers < 1 or seconds <= 0:
            raise ValueError("size, workers and seconds must be above zero")
        self._drafts, self._size = drafts, size
        task = {"function": _name_of(decode_function), "size": size, "max_pixels": max_pixels, "room": room}
        self._slots = [_Slot(task, size, seconds) for _ in range(workers)]
        self._run: Decoding | None = None

    @classmethod
    def by_settings(
        cls,
        settings: Settings,
        size: int,
        decode_function: DecodeFunction = decode_photo,
        *,
        beside_gpu: bool = False,
        drafts: DraftMaker | None = None,
    ) -> Decoder:
        """One with as many workers, as much time and as large photos as the settings allow."""
        workers = settings.decoders_beside_gpu if beside_gpu else settings.decoders
        return cls(size, workers, settings.decode_seconds, settings.max_pixels, decode_function, drafts=drafts)

    def decode(self, paths: Sequence[Path]) -> Iterator[tuple[Path, DecodedPhoto | PhotoError]]:
        """Yield each of ``paths`` once, with its pixels or with what is wrong with it, in the order they are ready.

        Workers decode ahead while the caller has the floor, by a few photos each. A caller who stops early leaves
        nothing running. Raises :class:`DecoderUnavailable` where workers cannot be started at all, and RuntimeError
        where another ``decode`` is under way or the Decoder is closed meanwhile.
        """
        if not paths:
            return
        with self.decoding() as decoding:
            decoding.add(paths)
            for _ in paths:
                yield decoding.next()

    @contextmanager
    def decoding(self) -> Iterator[Decoding]:
        """For a caller who finds more photos to decode while the first are decoded; as :meth:`decode` otherwise."""
        if self._run is not None:
            raise RuntimeError("this Decoder is decoding already; finish or close that first")
        self._run = run = Decoding(self._slots, self._drafts, self._size)
        try:
            yield run
        finally:
            run.stop()
            if self._run is run:
                self._run = None

    def close(self) -> None:
        """End all workers, also those in the middle of a photo. The Decoder may be used again; it starts new ones."""
        run, self._run = self._run, None
        if run is not None:
            run.stop()
        for slot in self._slots:
            slot.retire()
        if self._drafts is not None:
            self._drafts.close()

    def __enter__(self) -> Decoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _Stopped(Exception):
    """The run ended while a worker was starting or at a photo; nobody wants the answer."""


class Decoding:
    """Hands out paths to the slots' threads and collects their answers, in the order they are ready."""

    def __init__(self, slots: Sequence[_Slot], drafts: DraftMaker | None, size: int) -> None:
        self._slots = slots
        self._stopped = threading.Event()
        self._waiting = Waiting()
        self._done: queue.SimpleQueue[Answer | BaseException | None] = queue.SimpleQueue()  # None: it was stopped
        self._ahead = threading.Semaphore(PHOTOS_AHEAD * len(slots))
        self._threads: list[threading.Thread] = []
        self._drafts = None if drafts is None else DraftThread(drafts, self._waiting, len(slots), size)
        self.left = 0  # photos that were added and not handed back yet

    def add(self, paths: Sequence[Path]) -> None:
        """Have these decoded as well. Raises :class:`DecoderUnavailable`."""
        self._waiting.add(paths)
        first = not self._threads
        self.left += len(paths)
        try:
            if first and self.left and self._drafts is not None:
                self._drafts.start()
            for slot in self._slots[len(self._threads) : self.left]:
                # Daemons, so that an iterator somebody forgot cannot keep the program from ending.
                thread = threading.Thread(target=self._feed, args=(slot,), name="decoder", daemon=True)
                thread.start()
                self._threads.append(thread)
        except RuntimeError as error:  # the system has no thread to spare
            self.stop()
            raise DecoderUnavailable(f"photo decoding cannot start: {error}") from error

    def next(self) -> Answer:
        """The next photo that is ready, once for each that was added. Raises as :meth:`Decoder.decode` does."""
        answer = None if self._stopped.is_set() else self._done.get()
        if answer is None or self._stopped.is_set():
            raise RuntimeError("the Decoder was closed while it decoded")
        if isinstance(answer, BaseException):
            raise answer
        self.left -= 1
        self._ahead.release()
        return answer

    def stop(self) -> None:
        """Return when no thread of this run is left; what is being decoded is dropped."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        self._waiting.end()
        for slot in self._slots:
            slot.interrupt()
            self._ahead.release()
        for thread in self._threads:
            thread.join()
        if self._drafts is not None:
            self._drafts.join()
        self._done.put(None)  # wakes a caller who waits in another thread

    def _feed(self, slot: _Slot) -> None:
        try:
            while True:
                self._ahead.acquire()
                taken = self._waiting.take()
                if taken is None or self._stopped.is_set():
                    return
                path, draft = taken
                answer = slot.decode(path, draft, self._stopped)
                if self._stopped.is_set():
                    return
                self._done.put((path, answer))
        except _Stopped:
            return
        except BaseException as error:
            # Whatever it is, the caller must hear of it instead of waiting for an answer that will not come.
            self._done.put(error)


class _Slot:
    """The place of one worker, filled when first needed and again when the worker was lost."""

    def __init__(self, task: dict[str, object], size: int, seconds: float) -> None:
        self._task = task
        self._size = size
        self._seconds = seconds
        self._worker: _Worker | None = None
        # Held for moments only. It makes sure that a stop either is seen before a worker is put to work or finds the
        # worker there to kill.
        self._lock = threading.Lock()
        self._busy = False

    def decode(self, path: Path, draft: Draft | None, stopped: threading.Event) -> DecodedPhoto | PhotoError:
        """Raises :class:`_Stopped`, or :class:`DecoderUnavailable` where no worker can be started."""
        try:
            lent = lend(path) if is_url(path) else ()
        except OSError as error:
            return failures.unreadable(path, error)
        try:
            worker = self._ready_worker(stopped)
            return worker.decode(path, self._size, self._seconds, lent, draft)
        finally:
            with self._lock:
                self._busy = False

    def interrupt(self) -> None:
        """Kill a worker that is at a photo; an idle one is kept for the next run."""
        with self._lock:
            if self._busy and self._worker is not None:
                self._worker.kill()

    def retire(self) -> None:
        """End the worker, if there is one. Not while a run is using this slot."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _ready_worker(self, stopped: threading.Event) -> _Worker:
        for _attempt in range(START_ATTEMPTS):
            with self._lock:
                if stopped.is_set():
                    raise _Stopped
                self._busy = True
                # A worker that somebody killed while it was idle is replaced here, and no photo is blamed for it.
                if self._worker is not None and self._worker.alive:
                    return self._worker
                self.retire()
                self._worker = worker = _Worker(self._task)
            complaint = worker.start()
            if complaint is None:
                return worker
        raise DecoderUnavailable(
            f"photo decoding cannot start: {complaint}; see that there is memory, or reinstall photoindex and Pillow"
        )


class _Worker:
    """One process that decodes one photo at a time."""

    def __init__(self, task: dict[str, object]) -> None:
        self._task = task
        self._killed = threading.Event()
        try:
            self._child = Child(_START, [str(PACKAGE)], capture_stderr=True, low_priority=True)
        except OSError as error:
            raise DecoderUnavailable(f"photo decoding cannot start {sys.executable}: {error.strerror}") from error

    @property
    def alive(self) -> bool:
        return not self._killed.is_set() and self._child.alive

    def start(self) -> str | None:
        """Wait until the worker is ready; None, or why it is not."""
        with self._killed_after(START_SECONDS) as too_late:
            self._child.ask(self._task)
            ready = self._child.answers.readline().endswith(b"\n")
        if ready and not too_late.is_set():
            return None
        self.kill()
        assert self._child.stderr is not None
        lines = self._child.stderr.read().decode("utf-8", "replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"not ready after {START_SECONDS:g} s" if too_late.is_set() else last or self._child.end()

    def decode(
        self, path: Path, size: int, seconds: float, lent: Sequence[LentFile] = (), draft: Draft | None = None
    ) -> DecodedPhoto | PhotoError:
        """The photo, or what is wrong with it, which includes the death of this worker."""
        with self._killed_after(seconds) as too_late:
            self._child.ask(*_request(path, lent, draft))
            try:
                return read_answer(self._child.answers, size)
            except (EOFError, OSError):
                pass
            except (ValueError, LookupError, TypeError, AttributeError):
                # Memory overwritten by a broken photo; this process is not to be trusted with another.
                self.kill()
                return DecoderCrashed(f"the decoder went astray on {shown(path)}; open and save it in another program")
        if too_late.is_set():
            return DecoderCrashed(
                f"{shown(path)} was not decoded within {seconds:g} s and given up;"
                " raise decode_seconds (PHOTOINDEX_DECODE_SECONDS), or make a smaller copy"
            )
        self.kill()
        return DecoderCrashed(
            f"the decoder died on {shown(path)} ({self._child.end()}); open and save it in another program"
        )

    def kill(self) -> None:
        """From any thread; whoever waits for an answer is told that there is none."""
        self._killed.set()
        self._child.kill()

    def close(self) -> None:
        self._killed.set()
        self._child.close()

    @contextmanager
    def _killed_after(self, seconds: float) -> Iterator[threading.Event]:
        """Kill the worker unless the block ends in time; the event says whether that happened."""
        too_late, ended = threading.Event(), threading.Event()

        def watch() -> None:
            if not within(seconds, ended.wait):
                too_late.set()
                self.kill()

        # A thread rather than a wait with a timeout, because pipes cannot be waited on everywhere.
        timer = threading.Thread(target=watch, name="decoder-timer", daemon=True)
        try:
            timer.start()
        except RuntimeError as error:  # the system has no thread to spare
            self.kill()
            raise DecoderUnavailable(f"photo decoding cannot go on: {error}") from error
        try:
            yield too_late
        finally:
            ended.set()
            timer.join()


def _request(path: Path, lent: Sequence[LentFile], draft: Draft | None) -> tuple[object, bytes]:
    """Return what a worker is asked, and the bytes behind it."""
    if not lent and draft is None:
        return str(path), b""
    request: dict[str, object] = {"path": str(path), "files": [file.header for file in lent]}
    content = b"".join(file.content for file in lent)
    if draft is not None:
        request["draft"] = draft.shape[:2]
        content += draft.tobytes()
    return request, content


def _name_of(function: DecodeFunction) -> str:
    name = f"{function.__module__}:{function.__qualname__}"
    if function.__module__ == "__main__" or "." in function.__qualname__:
        raise ValueError(f"workers cannot import {name}; decode_function must be a function of an importable module")
    return name
