"""Look up the file system of a path, and the processes that have a file open (Linux only)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from photoindex.system.paths import is_at_or_below

# Other machines change what is on these without this one hearing of it, and SQLite's log needs memory that all who
# open a file share (https://www.sqlite.org/wal.html).
_NETWORK = frozenset(
    "9p afs ceph cifs coda davfs glusterfs gpfs lustre ncpfs nfs nfs4 smb3 smbfs vboxsf virtiofs vmhgfs".split()
)
_NETWORK_FUSE = re.compile(r"fuse\.(sshfs|rclone|s3fs|gcsfuse|davfs2?|glusterfs|vmhgfs-fuse|.*drive.*)")
_ESCAPE = re.compile(r"\\([0-7]{3})")


def read_mountinfo() -> str:
    """Return the system's list of mounts. Raises OSError where there is none."""
    return Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")


def file_system(path: Path, mountinfo: Callable[[], str] = read_mountinfo) -> str | None:
    """Return the type of the file system of ``path`` or its nearest existing parent, such as ``ext4``; ``None`` where
    it is unknown. ``mountinfo`` reads what proc(5) describes as ``/proc/[pid]/mountinfo``."""
    place = Path(os.path.realpath(path))
    deepest: tuple[int, str] | None = None
    for mounted, kind in _mounts(mountinfo):
        # Of two mounts at one place the later one is seen.
        if is_at_or_below(place, mounted) and (deepest is None or len(mounted.parts) >= deepest[0]):
            deepest = len(mounted.parts), kind
    return None if deepest is None else deepest[1]


def mounted_below(path: Path, mountinfo: Callable[[], str] = read_mountinfo) -> dict[Path, str]:
    """Return the file systems mounted below ``path``, its links resolved, as (place, type)."""
    place = Path(os.path.realpath(path))
    return {mounted: kind for mounted, kind in _mounts(mountinfo) if place in mounted.parents}


def _mounts(mountinfo: Callable[[], str]) -> Iterator[tuple[Path, str]]:
    try:
        lines = mountinfo().splitlines()
    except OSError:
        return
    for line in lines:
        before, separator, after = line.partition(" - ")
        fields, kinds = before.split(" "), after.split(" ")
        if separator and len(fields) >= 5:
            yield Path(_ESCAPE.sub(lambda match: chr(int(match[1], 8)), fields[4])), kinds[0]


def is_network(kind: str | None) -> bool:
    """Return whether a file system of this type is shared with other machines."""
    return kind is not None and (kind in _NETWORK or _NETWORK_FUSE.fullmatch(kind) is not None)


def sends_no_events(kind: str | None) -> bool:
    """Return whether changes on a file system of this type may send no events: those made by another machine, or by the
    program behind a FUSE mount. (``fuseblk`` is a disk of this machine, such as NTFS.)"""
    return is_network(kind) or (kind is not None and (kind == "fuse" or kind.startswith("fuse.")))


def holders(path: Path) -> list[int]:
    """Return the other processes that have the file at ``path`` open, as far as this user may see."""
    try:
        status = os.stat(path)
    except OSError:
        return []
    return sorted(int(name) for name in _processes() if int(name) != os.getpid() and _holds(name, status))


def _processes() -> list[str]:
    try:
        return [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def _holds(process: str, status: os.stat_result) -> bool:
    try:
        for name in os.listdir(f"/proc/{process}/fd"):
            with suppress(OSError):
                if os.path.samestat(os.stat(f"/proc/{process}/fd/{name}"), status):
                    return True
    except OSError:  # another user's, or it has ended
        pass
    return False
