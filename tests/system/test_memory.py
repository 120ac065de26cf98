"""Memory that goes back to the system."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
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
        collector = memory.GarbageCollector()
        assert collector.collect()
        assert dropped() is None
        assert not collector.collect()  # it was done a moment ago
    finally:
        gc.enable()


@pytest.mark.parametrize(("before", "within"), [((700, 10, 10), 50_000), ((90_000, 10, 10), 90_000), ((0, 10, 10), 0)])
def test_collections_are_rare_in_a_block_alone(before: tuple[int, int, int], within: int) -> None:
    ours = gc.get_threshold()
    try:
        gc.set_threshold(*before)
        with pytest.raises(KeyError), memory.rare_collections():
            assert gc.get_threshold()[0] == within
            raise KeyError
        assert gc.get_threshold() == before
    finally:
        gc.set_threshold(*ours)


def touched_pages(kept: str) -> int:
    """How many pages a process asks the system for while it takes and frees two megabytes fifty times."""
    code = (
        "import resource\nfrom photoindex.system.memory import keep_freed\n"
        f"{kept}\n"
        "bytearray(2_000_000)\nbefore = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for _ in range(50): bytearray(2_000_000), bytearray(1_000_000)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)"
    )
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)


@pytest.mark.skipif(memory.from_glibc("mallopt") is None, reason="another C library than glibc keeps what it likes")
def test_freed_memory_is_kept_where_that_was_asked_for() -> None:
    assert touched_pages("keep_freed(16 << 20)") < 2000 < touched_pages("keep_freed(1 << 18)")


@pytest.mark.skipif(memory.from_glibc("malloc_trim") is None, reason="only glibc needs to be asked")
def test_what_was_freed_below_something_in_use_goes_back_to_the_system() -> None:
    blocks = [bytearray(b"x") * 100_000 for _ in range(1000)]
    kept = blocks.pop()  # the last, above all others
    blocks.clear()
    held = resident()
    memory.give_back()
    assert held - resident() > 50_000_000
    assert len(kept) == 100_000
