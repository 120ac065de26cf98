"""Which files are there now, and which paths lead to one and the same file.

The catalogue knows what was there when a folder was last compared. Whatever names a path to a person or to a program
looks first.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from photoindex.system.storage import stat as stat_of
from photoindex.system.url_paths import is_url


def stat_file(path: Path) -> os.stat_result | None:
    """Return the state of the regular file at a path, links followed; ``None`` when none can be reached."""
    try:
        state = stat_of(path)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return None
    return state if stat.S_ISREG(state.st_mode) else None


def is_present(path: Path) -> bool:
    """Return whether a regular file can be reached at this path now.

    A store behind a URL is not asked, which would take longer than the search whose hits are looked for: there the last
    comparison counts.
    """
    return is_url(path) or stat_file(path) is not None


def files_at(paths: Iterable[Path]) -> list[tuple[Path, ...]]:
    """Return the files that these paths lead to now: for each its paths, in the order given.

    Symbolic and hard links, names in another case and bind mounts lead to one file: one device and inode, links
    followed. When a disk is mounted twice the device numbers differ; files on two devices whose size and times agree
    to the nanosecond therefore count as one too. So a copy may go unlisted, but no file is taken for its own copy.

    Paths that lead nowhere are left out. The files come in the order of their first path. Of what is behind URLs each
    path is a file of its own, and is taken to be there: see :func:`is_present`.
    """
    files: list[list[Path]] = []
    by_inode: dict[tuple[int, int], list[Path]] = {}
    by_times: dict[tuple[int, int, int], tuple[int, list[Path]]] = {}
    for path in paths:
        if is_url(path):
            files.append([path])
            continue
        state = stat_file(path)
        if state is None:
            continue
        inode, times = (state.st_dev, state.st_ino), (state.st_size, state.st_mtime_ns, state.st_ctime_ns)
        places = by_inode.get(inode)
        if places is None:
            device, others = by_times.get(times, (state.st_dev, []))
            if device != state.st_dev:
                places = others
            else:
                places = []
                files.append(places)
            by_inode[inode] = places
            by_times.setdefault(times, (state.st_dev, places))
        places.append(path)
    return list(map(tuple, files))


def leads_over_link(path: Path) -> bool:
    """Return whether a symbolic link is on the way to a file."""
    return not is_url(path) and os.path.realpath(path) != os.path.abspath(path)
