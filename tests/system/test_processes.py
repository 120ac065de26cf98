"""Which processes run, here and, by a kernel that is made up, on Windows."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any
from unittest.mock import Mock

import pytest

from photoindex.system.processes import is_running, runs_on_windows


def test_a_process_runs_until_it_has_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert is_running(process.pid)
        process.communicate(b"\n")
    assert not is_running(process.pid)
    assert is_running(os.getpid())


class Kernel:
    """kernel32 with one process: its exit code, 259 while it runs; ``None``: it cannot be opened."""

    def __init__(self, code: int | None) -> None:
        self.OpenProcess = Mock(return_value=None if code is None else 7)
        self.CloseHandle = Mock()
        self._code = code

    def GetExitCodeProcess(self, handle: Any, code: Any) -> int:
        assert handle.value == 7
        code._obj.value = self._code
        return 1


@pytest.mark.parametrize(
    ("code", "error", "runs"),
    [(259, 0, True), (0, 0, False), (1, 0, False), (None, 87, False), (None, 5, True)],
    ids=["runs", "ended", "failed", "no such process", "another user's"],
)
def test_windows_is_asked_without_harm(code: int | None, error: int, runs: bool) -> None:
    kernel = Kernel(code)
    assert runs_on_windows(4711, kernel, lambda: error) == runs
    kernel.OpenProcess.assert_called_once_with(0x1000, False, 4711)
    assert kernel.CloseHandle.called == (code is not None)
