"""A folder that lies elsewhere on other machines is one folder in the catalogue, with one row a file."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from photoindex.catalogue.roots import ensure_root
from photoindex.catalogue.schema import file, root
from photoindex.config import Settings
from photoindex.errors import ConfigError, FolderError
from photoindex.library import Library
from photoindex.system.mount_names import Mounts
from tests.support import FakeCaptioner, make_photo

ON_BOTH = True


@pytest.fixture
def node(tmp_path: Path, catalogue: str) -> Iterator[Callable[..., Library]]:
    """Opens the catalogue as a machine does on which folders lie at these paths."""
    opened: list[Library] = []

    def open_one(**mounts: str | Path) -> Library:
        settings = Settings(
            tmp_path / (f"data{len(opened)}" if catalogue else "data"), catalogue=catalogue, settle_seconds=0.0,
            backup_days=0.0, read_text="never", mounts=Mounts({name: str(place) for name, place in mounts.items()}),
        )  # fmt: skip
        opened.append(Library(settings, lambda _: FakeCaptioner()))
        return opened[-1]

    yield open_one
    for library in opened:
        library.close()


def stored(library: Library) -> list[bytes]:
    """The roots as the catalogue keeps them."""
    with library.database.read() as connection:
        return [bytes(row[0]) for row in connection.exec_driver_sql("select path from root order by path")]


def test_a_folder_is_one_wherever_it_lies(node: Callable[..., Library], tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "nfs" / "photos"
    make_photo(here / "2024" / "red.jpg", "red")
    one = node(archive=here)
    assert one.index(here).captioned == 1
    assert stored(one) == [b"/archive"]
    there.parent.mkdir()
    here.rename(there)
    other = node(archive=there)
    make_photo(there / "green.jpg", "green")
    report = other.index(there)
    assert (report.captioned, report.unchanged, report.missing) == (1, 1, 0)
    assert [str(each.path) for each in other.status().roots] == [str(there)]
    assert sorted(hit.path for hit in other.search("square")) == [there / "2024" / "red.jpg", there / "green.jpg"]
    photo = other.show(there / "2024" / "red.jpg")
    assert photo is not None
    assert photo.paths == (there / "2024" / "red.jpg",)
    assert sorted(hit.path for hit in node().search("square"))[0] == Path("/archive/2024/red.jpg")
    with other.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(file)).scalar_one() == 2


def test_a_folder_that_was_indexed_before_is_named_by_its_path(node: Callable[..., Library], tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    make_photo(here / "red.jpg", "red")
    assert node().index(here).captioned == 1
    here.rename(there)
    other = node(**{str(here): there})
    assert other.index(there / "red.jpg").unchanged == 1
    assert stored(other) == [str(here).encode()]


def test_what_is_written_of_a_root_is_read_again(node: Callable[..., Library], tmp_path: Path) -> None:
    library = node(archive=tmp_path)
    (tmp_path / "a").mkdir()
    with library.database.write() as connection:
        made = ensure_root(connection, tmp_path / "a")
        assert connection.execute(select(root.c.path)).scalar_one() == str(made.path)
    assert stored(library) == [b"/archive/a"]


def test_a_folder_by_the_name_of_another_is_refused(node: Callable[..., Library], tmp_path: Path) -> None:
    make_photo(tmp_path / "mine" / "a.jpg")
    make_photo(tmp_path / "theirs" / "b.jpg", "green")
    library = node(**{str(tmp_path / "mine"): tmp_path / "theirs"})
    with pytest.raises(FolderError, match=r"mine is the name of the folder at .*theirs"):
        library.index(tmp_path / "mine")
    assert stored(library) == []
    library.index(tmp_path / "theirs")
    (tmp_path / "theirs").rename(tmp_path / "moved")
    shutil.rmtree(tmp_path / "mine")
    (tmp_path / "moved").rename(tmp_path / "mine")
    with pytest.raises(FolderError, match="is the name of the folder"):
        library.move(tmp_path / "theirs", tmp_path / "mine")
    assert stored(library) == [str(tmp_path / "mine").encode()]


def test_mounts_that_do_not_fit_the_catalogue_are_refused(node: Callable[..., Library], tmp_path: Path) -> None:
    make_photo(tmp_path / "mine" / "2024" / "a.jpg")
    node().index(tmp_path / "mine")
    with pytest.raises(ConfigError, match=r"the catalogue has a folder .*mine too"):
        node(other=tmp_path / "mine")
    with pytest.raises(ConfigError, match=r"within .*mine: name that folder"):
        node(**{str(tmp_path / "mine" / "2024"): tmp_path / "new"})


def test_one_process_compares_a_folder_under_all_its_paths(
    node: Callable[..., Library], tmp_path: Path, catalogue: str
) -> None:
    if not catalogue:
        pytest.skip("a catalogue of one machine leaves that to the files of its watches")
    here, there = tmp_path / "here", tmp_path / "there"
    make_photo(here / "a.jpg")
    one, other = node(archive=here), node(archive=there)
    one.index(here)
    there.symlink_to(here)
    make_photo(here / "b.jpg", "green")
    with one.database.sole_comparer([here]), pytest.raises(FolderError, match="compared by another process"):
        other.index(there)
