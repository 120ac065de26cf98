"""What names a path looks whether a file is there; links and other paths of one file are no copies of it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from photoindex.cli import search as search_command
from photoindex.cli.main import main
from photoindex.library import Library
from photoindex.system.presence import files_at
from tests.support import make_photo

ON_BOTH = True

POSIX = pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")


def run(library: Library, *arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["--data-dir", str(library.settings.data_dir), *map(str, arguments)])


@pytest.fixture
def copies(library: Library, album: Path) -> tuple[Path, Path, Path]:
    """Three files of the same bytes."""
    first = make_photo(album / "a" / "one.jpg")
    second, third = album / "b" / "one.jpg", album / "c" / "one.jpg"
    for path in (second, third):
        path.parent.mkdir()
        shutil.copy(first, path)
    library.index(album)
    return first, second, third


def others(library: Library, *options: str) -> list[str]:
    result = run(library, "duplicates", "--others", "-0", *options)
    assert result.exit_code == 0
    return result.stdout.split("\0")[:-1]


class TestOthers:
    def test_a_folder_that_was_moved_and_indexed_again_has_no_duplicates(self, library: Library, album: Path) -> None:
        make_photo(album / "old" / "one.jpg")
        library.index(album / "old")
        (album / "z").mkdir()
        (album / "old").rename(album / "z" / "lib")
        library.index(album / "z" / "lib")
        assert others(library) == []
        assert library.duplicates() == []

    @pytest.mark.parametrize("gone", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
    def test_one_whole_copy_is_never_among_them(
        self, library: Library, copies: tuple[Path, Path, Path], gone: tuple[int, ...]
    ) -> None:
        for number in gone:
            copies[number].unlink()
        left = {str(path) for path in copies if path.exists()}
        listed = set(others(library))
        assert listed < left if left else listed == set()
        assert len(listed) == max(0, len(left) - 1)

    @pytest.mark.parametrize("how", ["rewritten", "same size and time", "emptied", "a folder", "a broken link"])
    def test_a_copy_that_holds_something_else_now_is_none(
        self, library: Library, copies: tuple[Path, Path, Path], how: str
    ) -> None:
        first, _, third = copies
        third.unlink()
        before = first.stat()
        content = first.read_bytes()
        first.unlink()
        if how == "rewritten":
            make_photo(first, "blue")
        elif how == "same size and time":
            first.write_bytes(bytes(len(content)))
            os.utime(first, ns=(before.st_atime_ns, before.st_mtime_ns))
        elif how == "emptied":
            first.touch()
        elif how == "a folder":
            first.mkdir()
        elif os.name != "nt":
            first.symlink_to(first.with_name("nowhere.jpg"))
        assert others(library) == []

    def test_what_was_left_out_is_counted(self, library: Library, copies: tuple[Path, Path, Path]) -> None:
        copies[0].unlink()
        result = run(library, "duplicates", "--others")
        assert "1 file left out: not there now" in result.stderr


@POSIX
class TestOneFile:
    def test_links_hard_links_and_linked_folders_are_also_at(self, library: Library, album: Path) -> None:
        one = make_photo(album / "one.jpg")
        os.link(one, album / "hard.jpg")
        (album / "soft.jpg").symlink_to(one)
        (album / "chain.jpg").symlink_to(album / "soft.jpg")
        library.index(album)
        assert library.duplicates() == []
        assert others(library) == []

    def test_a_real_copy_is_listed_once_however_many_paths_it_has(self, library: Library, album: Path) -> None:
        one = make_photo(album / "one.jpg")
        (album / "a soft.jpg").symlink_to(one)
        copy = album / "zcopy.jpg"
        shutil.copy(one, copy)
        os.link(copy, album / "zhard.jpg")
        library.index(album)
        [group] = library.duplicates()
        assert [(each.path.name, [path.name for path in each.also_at]) for each in group] == [
            ("one.jpg", ["a soft.jpg"]), ("zcopy.jpg", ["zhard.jpg"]),
        ]  # fmt: skip
        assert others(library) == [str(copy)]
        assert "also at" in run(library, "duplicates").stdout

    def test_a_link_out_of_the_library_is_never_the_best(self, library: Library, album: Path, tmp_path: Path) -> None:
        outside = make_photo(tmp_path / "elsewhere" / "one.jpg")
        (album / "a link.jpg").symlink_to(outside)
        shutil.copy(outside, album / "z real.jpg")
        library.index(album)
        assert others(library) == [str(album / "a link.jpg")]

    def test_files_are_told_apart_by_device_and_inode(self, album: Path) -> None:
        one, other = make_photo(album / "one.jpg"), make_photo(album / "other.jpg")
        link = album / "link.jpg"
        link.symlink_to(one)
        folder = album.with_name("seen twice")
        folder.symlink_to(album)
        assert files_at([link, other, one, folder / "one.jpg", album / "none.jpg", album]) == [
            (link, one, folder / "one.jpg"), (other,),
        ]  # fmt: skip

    def test_a_disk_that_is_mounted_twice_has_each_file_once(
        self, album: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one = make_photo(album / "one.jpg")
        twin = Path("/mnt/twin/one.jpg")
        real = os.stat

        def stat(path: Any, **options: Any) -> os.stat_result:
            if path != twin:
                return real(path, **options)
            state = real(one)
            return os.stat_result((*state[:2], state.st_dev + 1, *state[3:10]), {
                name: getattr(state, name) for name in ("st_atime_ns", "st_mtime_ns", "st_ctime_ns")
            })  # fmt: skip

        monkeypatch.setattr(os, "stat", stat)
        assert files_at([one, twin]) == [(one, twin)]


class TestHits:
    def test_a_hit_names_a_file_that_is_there(self, library: Library, copies: tuple[Path, Path, Path]) -> None:
        for number in (0, 1):
            copies[number].unlink()
            [hit] = library.search("red")
            assert hit.path == copies[number + 1]
            assert hit.present
        copies[2].unlink()
        [hit] = library.search("red")
        assert not hit.present

    @pytest.mark.parametrize("query", ["path:{}", "red path:{}", "path:{} -blue", "path:{} OR path:{}"])
    def test_another_copy_is_never_named_for_the_one_asked_for(
        self, library: Library, copies: tuple[Path, Path, Path], query: str
    ) -> None:
        asked = query.replace("{}", str(copies[0].parent))
        assert run(library, "search", "-0", asked).stdout == f"{copies[0]}\0"
        copies[0].unlink()
        assert run(library, "search", "-0", asked).stdout == ""
        [hit] = library.search(asked)
        assert (hit.path, hit.present) == (copies[0], False)

    @pytest.mark.parametrize("style", ["list", "-0", "--json", "--csv", "--html", "--open"])
    def test_a_file_that_is_gone_is_marked_or_left_out(
        self, library: Library, album: Path, style: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        gone, there = make_photo(album / "a.jpg"), make_photo(album / "b.jpg")
        library.index(album)
        gone.unlink()
        opened: list[Path] = []
        monkeypatch.setattr(search_command, "launch", lambda path: opened.append(path) or True)
        page = tmp_path / "page.html"
        options = [] if style == "list" else [style, str(page)] if style == "--html" else [style]
        result = run(library, "search", "red", "--columns", "path,present", *options) if style == "--csv" else run(
            library, "search", "red", *options
        )  # fmt: skip
        assert result.exit_code == 0
        if style == "list":
            assert f"{gone}\ta red square\tnot there now\n" in result.stdout
        elif style == "-0":
            assert result.stdout == f"{there}\0"
            assert "1 match left out" in result.stderr
        elif style == "--json":
            assert f'"path": "{gone}"' in result.stdout
            assert '"present": false' in result.stdout
        elif style == "--csv":
            assert sorted(result.stdout.splitlines()[1:]) == [f"{gone},no", f"{there},yes"]
        elif style == "--html":
            assert page.read_text().count("<a href=") == 1
            assert "not there now" in page.read_text()
        else:
            assert opened == [there]

    def test_show_says_where_a_photo_is_not(self, library: Library, copies: tuple[Path, Path, Path]) -> None:
        copies[0].unlink()
        shown = run(library, "show", copies[0]).stdout
        assert f"file        {copies[1]}\n" in shown
        assert f"missing     {copies[0]}\n" in shown

    def test_without_a_viewer_open_is_one_line(
        self, library: Library, album: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = make_photo(album / "a.jpg")
        library.index(album)
        monkeypatch.setenv("PATH", str(album))
        result = run(library, "search", "red", "--open")
        assert (result.exit_code, result.stderr) == (0, f"cannot open {path}: no program is set for it\n")
