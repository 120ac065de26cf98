"""Memory that goes back to the system."""

from __future__ import annotations

import gc
import os
import weakref
from pathlib import Path

import pytest

from photoindex.system import memory


class Node:
    def __init__(self) -> None:
        self.itself = self


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_what_nobody_can_reach_is_dropped() -> None:
    gc.disable()
    try:
        dropped = weakref.ref(Node())
        assert dropped() is not None
        memory.give_back()
        assert dropped() is None
    finally:
        gc.enable()


@pytest.mark.skipif(memory._trim() is None, reason="another C library than glibc gives memory back by itself")
def test_what_was_freed_below_something_in_use_goes_back_to_the_system() -> None:
    blocks = [bytearray(b"x") * 100_000 for _ in range(1000)]
    kept = blocks.pop()  # the last, above all others
    blocks.clear()
    held = resident()
    memory.give_back()
    assert held - resident() > 50_000_000
    assert len(kept) == 100_000
