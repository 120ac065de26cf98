"""Whether a process of this machine still runs, and how far this one gives way to others."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

# https://learn.microsoft.com/windows/win32/api/processthreadsapi/
_QUERY_LIMITED_INFORMATION = 0x1000
_STILL_ACTIVE = 259
_ACCESS_DENIED = 5

_SESSION: Final = Path("/proc/self/autogroup")
# Linux changes the priority of one session in a tenth of a second for all users but root, and refuses the others.
_TRY_AGAIN_SECONDS: Final = 0.15
_MOST_TRIES: Final = 200


def is_running(pid: int) -> bool:
    """Whether there is a process with this id, whoever it belongs to."""
    if sys.platform == "win32":
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        return runs_on_windows(pid, kernel, ctypes.get_last_error)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def runs_on_windows(pid: int, kernel: Any, last_error: Callable[[], int]) -> bool:
    """The same by kernel32, where signal 0 would end the process.

    A process that has ended can be opened for as long as anybody holds it: its exit code is what tells.
    """
    kernel.OpenProcess.restype = ctypes.c_void_p  # a handle has the width of a pointer
    handle = kernel.OpenProcess(_QUERY_LIMITED_INFORMATION, False, pid)
    if not handle:
        return last_error() == _ACCESS_DENIED  # another user's
    try:
        code = ctypes.c_ulong()
        answered = kernel.GetExitCodeProcess(ctypes.c_void_p(handle), ctypes.byref(code))
        return not answered or code.value == _STILL_ACTIVE
    finally:
        kernel.CloseHandle(ctypes.c_void_p(handle))


def give_way(nice: int) -> None:
    """Lower this process's priority to ``nice`` (1 to 19; 0 leaves it), and so that of all it starts from now on.

    One that is lower already stays. Windows knows no steps: any ``nice`` is "below normal" there.
    """
    if sys.platform == "win32":
        if nice:
            below_normal = 0x4000
            kernel = ctypes.windll.kernel32
            kernel.SetPriorityClass(kernel.GetCurrentProcess(), below_normal)
        return
    if os.getpriority(os.PRIO_PROCESS, 0) < nice:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    lower_session()


def lower_session() -> None:
    """Give the session of this process, if it is the session's first one, the priority that the process has.

    Linux shares processors out among sessions before it looks at the priorities within one (sched(7), autogroup): a
    process in a session of its own gives way to its own children alone, until its session has a priority as well.
    What a terminal runs is of the terminal's session, which is left as it is.
    """
    if not sys.platform.startswith("linux") or os.getsid(0) != os.getpid():
        return
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    if nice > 0 and not _lower(nice):
        threading.Thread(target=_lower_in_time, args=(nice,), name="priority", daemon=True).start()


def _lower_in_time(nice: int) -> None:
    for _ in range(_MOST_TRIES):
        time.sleep(_TRY_AGAIN_SECONDS)
        if _lower(nice):
            return


def _lower(nice: int) -> bool:
    """Whether there is nothing left to try."""
    try:
        _SESSION.write_text(str(nice))
    except BlockingIOError:
        return False
    except OSError:  # a kernel without them
        pass
    return True
