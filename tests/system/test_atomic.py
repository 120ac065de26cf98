"""Files that are replaced in one step: what stays of the old ones, and what is left when it fails."""

from __future__ import annotations

import os
import stat
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from photoindex.system.atomic import new_file, replace_file, replacing
from photoindex.system.regular_files import NotRegularFile

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions, and no named pipes of this kind")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / "folder" / "file"
    place.parent.mkdir()
    return place


class TestReplacing:
    def test_the_new_content_is_there_once_all_of_it_is(self, path: Path) -> None:
        path.write_bytes(b"old")
        with replacing(path) as file:
            file.write(b"new")
            file.flush()
            assert path.read_bytes() == b"old"
        assert path.read_bytes() == b"new"
        assert list(path.parent.iterdir()) == [path]

    def test_both_are_on_the_disk_before_it_goes_on(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        order = []
        rename, sync = os.replace, os.fsync

        def noted(descriptor: int) -> None:
            order.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
            sync(descriptor)

        monkeypatch.setattr(os, "fsync", noted)
        monkeypatch.setattr(os, "replace", lambda *names: (order.append("rename"), rename(*names)))
        replace_file(path, b"new")
        assert order == (["file", "rename"] if os.name == "nt" else ["file", "rename", "folder"])

    @pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=str)
    def test_an_error_leaves_the_old_content_and_no_rubbish(self, path: Path, error: BaseException) -> None:
        path.write_bytes(b"old")
        with pytest.raises(type(error)), replacing(path) as file:
            file.write(b"half of the n")
            raise error
        assert path.read_bytes() == b"old"
        assert list(path.parent.iterdir()) == [path]

    @pytest.mark.parametrize("call", ["fsync", "replace"])
    def test_a_disk_that_refuses_leaves_no_rubbish(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, call: str
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, call, refuse)
        with pytest.raises(OSError, match="No space left"):
            replace_file(path, b"new")
        assert list(path.parent.iterdir()) == []

    def test_a_folder_that_is_not_there_is_an_error(self, path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            replace_file(path / "deeper", b"new")

    def test_a_name_as_long_as_may_be_is_no_hindrance(self, path: Path) -> None:
        long = path.with_name("é" * 127)
        replace_file(long, b"new")
        assert long.read_bytes() == b"new"

    def test_a_text_is_written_as_utf_8_with_the_ends_of_lines_it_has(self, path: Path) -> None:
        replace_file(path, "Möwe\n")
        assert path.read_bytes() == b"M\xc3\xb6we\n"


class TestWhatIsThere:
    def test_permissions_stay(self, path: Path) -> None:
        path.write_bytes(b"old")
        path.chmod(0o444)
        replace_file(path, b"new")
        assert stat.S_IMODE(path.stat().st_mode) == 0o444
        assert path.read_bytes() == b"new"

    @posix
    def test_what_only_the_owner_may_read_is_never_shown(self, path: Path) -> None:
        path.write_bytes(b"old")
        path.chmod(0o600)
        with replacing(path):
            assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o600}

    @posix
    @pytest.mark.parametrize("mode", [0o644, 0o4755, 0o2640, 0o600])
    @pytest.mark.parametrize(("user", "group"), [(12345, 54321), (12345, 0), (0, 54321)])
    def test_another_users_file_stays_theirs(self, path: Path, user: int, group: int, mode: int) -> None:
        path.write_bytes(b"old")
        if os.geteuid() != 0:
            pytest.skip("only root can give a file to another user")
        os.chown(path, user, group)
        path.chmod(mode)
        replace_file(path, b"new")
        status = path.stat()
        assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (user, group, mode)
        assert path.read_bytes() == b"new"

    @posix
    def test_an_owner_that_cannot_be_kept_is_no_error(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        path.write_bytes(b"old")
        path.chmod(0o640)
        monkeypatch.setattr(os, "chown", refuse)
        if hasattr(os, "setxattr"):
            monkeypatch.setattr(os, "listxattr", refuse)
        replace_file(path, b"new")
        assert path.read_bytes() == b"new"
        assert stat.S_IMODE(path.stat().st_mode) == 0o640

    @pytest.mark.skipif(not hasattr(os, "setxattr"), reason="Linux alone has these calls")
    def test_extended_attributes_and_access_lists_stay(self, path: Path) -> None:
        """An access list is an attribute: here user 12345 may read and write."""
        entries = [(0x01, 6, -1), (0x02, 6, 12345), (0x04, 4, -1), (0x10, 6, -1), (0x20, 0, -1)]
        access = struct.pack("<I", 2) + b"".join(
            struct.pack("<HHI", tag, rights, who & 0xFFFFFFFF) for tag, rights, who in entries
        )
        given = {"user.comment": b"by hand", "user.empty": b"", "system.posix_acl_access": access}
        path.write_bytes(b"old")
        kept = {}
        for name, value in given.items():
            try:
                os.setxattr(path, name, value)
            except OSError:
                continue
            kept[name] = os.getxattr(path, name)
        if not kept:
            pytest.skip("this file system keeps no extended attributes")
        mode = path.stat().st_mode
        replace_file(path, b"new")
        assert {name: os.getxattr(path, name) for name in kept} == kept
        assert path.stat().st_mode == mode

    def test_a_new_one_has_the_permissions_of_any_new_file(self, path: Path) -> None:
        replace_file(path, b"new")
        path.with_name("plain").write_bytes(b"")
        assert path.stat().st_mode == path.with_name("plain").stat().st_mode

    def test_a_link_goes_on_being_one(self, path: Path, tmp_path: Path) -> None:
        real = tmp_path / "elsewhere"
        path.symlink_to(real)
        for content in (b"where it was broken", b"and where it led"):
            replace_file(path, content)
            assert path.is_symlink()
            assert real.read_bytes() == content
        assert sorted(tmp_path.iterdir()) == [real, path.parent]

    @posix
    def test_a_pipe_is_written_to(self, path: Path) -> None:
        os.mkfifo(path)
        got: list[bytes] = []
        reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
        reader.start()
        replace_file(path, b"new")
        reader.join()
        assert got == [b"new"]
        assert path.is_fifo()

    def test_a_folder_is_left_alone(self, path: Path) -> None:
        with pytest.raises(OSError, match=r"directory|denied"):
            replace_file(path.parent, b"new")
        assert path.parent.is_dir()


@posix
class TestOwn:
    """Files that photoindex alone keeps."""

    def test_a_new_one_is_its_owners_alone(self, path: Path) -> None:
        replace_file(path, b"new", own=True)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o640)
        replace_file(path, b"newer", own=True)
        assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"newer", 0o640)
        with new_file(path) as file:
            file.write(b"newest")
        assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"newest", 0o600)

    def test_what_a_link_leads_to_is_replaced_and_the_link_stays(self, path: Path) -> None:
        target = path.with_name("target")
        target.write_bytes(b"old")
        path.symlink_to(target)
        replace_file(path, b"new", own=True)
        assert path.is_symlink()
        assert target.read_bytes() == b"new"

    @pytest.mark.parametrize("write", [lambda path: replace_file(path, b"new", own=True), lambda path: new_file(path)])
    def test_a_folder_stays(self, path: Path, write: Callable[[Path], object]) -> None:
        path.mkdir()
        with pytest.raises(NotRegularFile, match="it is a folder"):
            write(path)
        assert list(path.parent.iterdir()) == [path]

    def test_a_device_that_a_link_leads_to_is_left_alone(self, path: Path) -> None:
        path.symlink_to(os.devnull)
        replace_file(path, b"new", own=True)
        assert (path.read_bytes(), path.is_symlink()) == (b"new", False)
        assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
