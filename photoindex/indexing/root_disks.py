"""Whether the folder of a root is on the disk on which its photos were seen; an empty mount point is on another one."""

from __future__ import annotations

import stat as stat_bits

from photoindex.catalogue.fast_queries import Root
from photoindex.system.file_state import device_of
from photoindex.system.storage import stat
from photoindex.system.url_paths import is_url


def other_device(root: Root) -> int | None:
    """Return the device of a root that is on another one than when its photos were seen; ``None`` when it is not, or
    cannot be reached."""
    try:
        device = device_of(stat(root.path))
    except OSError:
        return None
    return None if device == root.device else device


def is_in_place(root: Root) -> bool:
    """Return whether the folder of a root can be reached, on the disk on which its photos were seen.

    A root that is suspended may be in place: its photos are not.
    """
    try:
        status = stat(root.path)
    except OSError:
        return False
    # An object of a store may be named as a prefix of others is.
    is_whole = is_url(root.path) or stat_bits.S_ISDIR(status.st_mode)
    return is_whole and root.device in (None, device_of(status))
