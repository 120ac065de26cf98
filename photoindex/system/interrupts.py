"""Signals that ask a program to end: while it is still being imported, and while a command of it runs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

# Of the system, and of a terminal that is closed; on Windows Ctrl-Break, and a console that is closed.
END_NAMES: Final = ("SIGTERM", "SIGHUP", "SIGBREAK")


@contextmanager
def ending_at_once() -> Iterator[None]:
    """Have SIGINT end the process without a word, as it ends one that does not handle it, instead of a traceback.

    Not where it is ignored or the program handles it, nor in other threads than the main one.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Have SIGTERM, and the end of the terminal, end the block as Ctrl-C does, by KeyboardInterrupt, so that no file
    stays half written beside photos; a second signal ends the process at once, whatever it is at.

    Not where they are ignored or the program handles them, nor in other threads than the main one.
    """
    numbers = [getattr(signal, name) for name in END_NAMES if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    taken = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]

    def handle(number: int, _frame: FrameType | None) -> None:
        for each in taken:
            signal.signal(each, signal.SIG_DFL)
        raise KeyboardInterrupt

    for number in taken:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
