"""Which file system a path is on, and who has a file open."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from photoindex.folders.mounts import file_system, holders, is_network, mounted_below, sends_no_events

MOUNTS = r"""22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:30 / /mnt/nas rw,relatime shared:9 master:1 - nfs4 nas:/photos rw
31 22 0:31 / /mnt/my\040phone rw - fuse.sshfs phone: rw
32 30 8:1 / /mnt/nas/disk rw - xfs /dev/sda1 rw
33 22 0:33 / /mnt/nas rw - cifs //nas/photos rw
broken line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/anna", "ext4"),
        ("/mnt/nas", "cifs"),  # mounted over the other
        ("/mnt/nas/2024/not there", "cifs"),
        ("/mnt/nas/disk/2024", "xfs"),
        ("/mnt/nasty", "ext4"),
        ("/mnt/my phone/camera", "fuse.sshfs"),
    ],
)
def test_a_path_is_on_the_deepest_mount_above_it(path: str, kind: str) -> None:
    assert file_system(Path(path), lambda: MOUNTS) == kind


def test_what_is_mounted_below_a_folder_is_found() -> None:
    found = mounted_below(Path("/mnt"), lambda: MOUNTS)
    assert found == {Path("/mnt/nas"): "cifs", Path("/mnt/my phone"): "fuse.sshfs", Path("/mnt/nas/disk"): "xfs"}
    assert mounted_below(Path("/mnt/nas/disk"), lambda: MOUNTS) == {}


def test_where_the_system_does_not_say_nothing_is_said() -> None:
    def refuse() -> str:
        raise FileNotFoundError("/proc/self/mountinfo")

    assert file_system(Path("/home"), refuse) is None
    assert mounted_below(Path("/home"), refuse) == {}
    assert not sends_no_events(None)
    assert not is_network(None)


@pytest.mark.parametrize(
    ("kind", "network"),
    [
        ("nfs4", True),
        ("cifs", True),
        ("fuse.sshfs", True),
        ("ext4", False),
        ("fuseblk", False),
        ("fuse.mergerfs", False),
    ],
)
def test_network_file_systems_are_told_from_local_ones(kind: str, network: bool) -> None:
    assert is_network(kind) is network


@pytest.mark.parametrize(
    ("kind", "silent"),
    [("nfs", True), ("cifs", True), ("9p", True), ("vboxsf", True), ("fuse.sshfs", True), ("fuse.mergerfs", True),
     ("fuse", True), ("fuseblk", False), ("ext4", False)],
)  # fmt: skip
def test_file_systems_that_change_without_events_are_told_from_others(kind: str, silent: bool) -> None:
    assert sends_no_events(kind) is silent


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only /proc tells")
def test_a_process_that_has_a_file_open_is_found(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with path.open():
        assert holders(path) == []  # this process does not count
    script = "import sys; file = open(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open" + os.linesep.encode()
        assert holders(path) == [process.pid]
        process.communicate()
    assert holders(path) == []
    assert holders(tmp_path / "not there") == []
