"""Python processes that do one kind of work for this one, over their standard input and output.

Requests and answers are lines of JSON, with bytes behind some. A child that dies is noticed by the answer that does not
come: what cannot be sent to it is no error. It starts as a plain interpreter with this one's module path, whatever
folder it is started in, and imports nothing of the program it is started by.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import BufferedReader
from typing import Any, BinaryIO, cast

from photoindex.system.processes import lower_session
from photoindex.system.running_time import within

LEAVE_SECONDS = 5.0  # in which a process that was killed is expected to end
_left_behind: list[Child] = []  # so that nothing closes their pipes


class Child:
    """A process that runs the Python code ``start``, whose ``sys.argv[1:]`` is the module path behind ``arguments``.

    ``capture_stderr``: what it writes there is read from ``stderr`` instead of being shown. ``low_priority``: it runs
    below the other programs' priority where that is fixed when a process is made (Windows). Raises OSError when none
    can be made.
    """

    def __init__(
        self, start: str, arguments: Sequence[str] = (), *, capture_stderr: bool = False, low_priority: bool = False
    ) -> None:
        creation_flags = 0
        if sys.platform == "win32":
            creation_flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
            if low_priority:
                creation_flags |= subprocess.BELOW_NORMAL_PRIORITY_CLASS
        self._process = subprocess.Popen(
            [sys.executable, "-c", start, *arguments, *(os.path.abspath(entry) for entry in sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if capture_stderr else None,
            # Control-C reaches the whole group of the terminal; the parent decides when its children stop.
            start_new_session=True,
            env={"OPENBLAS_NUM_THREADS": "1", **os.environ},  # as in cli/main.py
            creationflags=creation_flags,
        )
        self._requests = cast(BinaryIO, self._process.stdin)
        self.answers = cast(BufferedReader, self._process.stdout)
        self.stderr = self._process.stderr
        self._waiting: threading.Thread | None = None  # for an answer that did not come in time

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, request: Any, content: bytes = b"") -> None:
        """Send a request as a line of JSON, and ``content`` behind it."""
        with suppress(OSError):
            self._requests.write(json.dumps(request).encode("ascii") + b"\n" + content)
            self._requests.flush()

    def exchange(
        self, request: Any, content: bytes = b"", *, seconds: float, behind: Callable[[bytes], int] = lambda _: 0
    ) -> bytes:
        """Send a request and return the line that answers it, and the bytes behind that line, as many as ``behind``
        says of it; shorter when the child died.

        Raises TimeoutError when there is none in time (:mod:`.running_time`); the child is to be closed then. Not for a
        child whose ``answers`` are read by others as well.
        """
        # A thread, and no buffers: a child that a driver holds cannot be killed, nor can who waits for its pipe, and
        # the locks of Python's buffers must not be held then when this process ends.
        answer = bytearray()

        def talk() -> None:
            try:
                left = memoryview(json.dumps(request).encode("ascii") + b"\n" + content)
                while left:
                    left = left[os.write(self._requests.fileno(), left) :]
                wanted = sys.maxsize  # until there is a whole line
                while len(answer) < wanted and (part := os.read(self.answers.fileno(), 1 << 16)):
                    answer.extend(part)
                    if wanted == sys.maxsize and b"\n" in part:
                        end = answer.index(b"\n") + 1
                        wanted = end + behind(bytes(answer[:end]))
            except (OSError, ValueError):  # it died; or this end was closed meanwhile
                pass

        thread = threading.Thread(target=talk, name="photoindex-child", daemon=True)
        thread.start()

        def talked(seconds: float) -> bool:
            thread.join(seconds)
            return not thread.is_alive()

        if not within(seconds, talked):
            self._waiting = thread
            raise TimeoutError
        return bytes(answer)

    def kill(self) -> None:
        """From any thread; whoever waits for an answer is told that there is none."""
        self._process.kill()

    def close(self) -> None:
        """End the process. May be called again. One that cannot be ended, as a driver holds it, is left behind."""
        self.kill()
        if self._waiting is not None:
            self._waiting.join(LEAVE_SECONDS)
            if self._waiting.is_alive():  # its pipes are not to be closed under who reads them
                _left_behind.append(self)
                return
        self._process.wait()
        for stream in (self._requests, self.answers, self.stderr):
            with suppress(OSError):  # what was still to be sent to a dead process
                if stream is not None:
                    stream.close()

    def end(self) -> str:
        """Wait for its end; how it ended, for a person: ``exit status 1``, ``SIGSEGV``."""
        status = self._process.wait()
        if status >= 0:
            return f"exit status {status}"
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        return f"{name}, perhaps for want of memory" if name == "SIGKILL" else name


def own_streams() -> tuple[BinaryIO, BinaryIO]:
    """In a child: return what it reads requests from and what it writes answers to.

    A library that prints must not be taken for an answer: what is printed goes to standard error; nor may one read the
    requests. The parent decides when to stop, also when a terminal or a service manager signals the whole group: a
    child that went first would look as if its work had killed it. The child gives way to other programs as far as its
    parent does.
    """
    lower_session()
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    to_nowhere(0)
    os.dup2(2, 1)
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    return requests, answers


def to_nowhere(*descriptors: int) -> None:
    """Have nothing read from these of this process's files, and nothing written to them."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def send(answers: BinaryIO, value: Any, *content: bytes) -> None:
    """In a child: answer with a line of JSON, and ``content`` behind it. Raises BrokenPipeError."""
    answers.write(b"".join((json.dumps(value).encode("ascii"), b"\n", *content)))
    answers.flush()
