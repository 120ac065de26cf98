"""Lets tests of what may not be read or written mean something when root runs them, whom permissions do not stop."""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_VERSION = 0x20080522  # of the structures below: see capget(2)
_ABOVE_PERMISSIONS = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
_GET_SECUREBITS, _SET_SECUREBITS, _NO_SETUID_FIXUP = 27, 28, 1 << 2  # see prctl(2), capabilities(7)


@contextmanager
def permissions_count() -> Iterator[None]:
    """In this thread the permissions of files and folders hold for root, as their owner. Children that it starts are
    above them again: see :func:`without_rights`."""
    if os.name == "nt":
        pytest.skip("permissions are other there")
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION, 0)
    rights = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; the first 32 rights, then the others
    # Without this, access(2) goes by what root could do.
    bits = libc.prctl(_GET_SECUREBITS, 0, 0, 0, 0) if hasattr(libc, "capset") else -1
    if bits < 0 or libc.prctl(_SET_SECUREBITS, bits | _NO_SETUID_FIXUP, 0, 0, 0) != 0:
        pytest.skip("root is above permissions")
    assert libc.capget(header, rights) == 0
    before = rights[0]
    rights[0] = before & ~_ABOVE_PERMISSIONS
    assert libc.capset(header, rights) == 0
    try:
        yield
    finally:
        rights[0] = before
        assert libc.capset(header, rights) == 0
        assert libc.prctl(_SET_SECUREBITS, bits, 0, 0, 0) == 0


def without_rights() -> list[str]:
    """What to put before a command for which permissions hold, should root run it."""
    if os.name == "nt":
        pytest.skip("permissions are other there")
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root is above permissions")
    fewer = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={fewer}", f"--inh-caps={fewer}"]
