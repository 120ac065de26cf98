"""Whether a process of this machine still runs."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from typing import Any

# https://learn.microsoft.com/windows/win32/api/processthreadsapi/
_QUERY_LIMITED_INFORMATION = 0x1000
_STILL_ACTIVE = 259
_ACCESS_DENIED = 5


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
    if not nice:
        return
    if sys.platform == "win32":
        import ctypes

        below_normal = 0x4000
        kernel = ctypes.windll.kernel32
        kernel.SetPriorityClass(kernel.GetCurrentProcess(), below_normal)
    elif os.getpriority(os.PRIO_PROCESS, 0) < nice:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
