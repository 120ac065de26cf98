"""Hearing of changes by looking again. Each look is a call, so no time passes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from photoindex.folders.filters import PhotoFilter
from photoindex.folders.ignore import IGNORE_FILE
from photoindex.folders.polling import PolledTree
from photoindex.types import FileEvent
from tests.support import put


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    put(folder / "a.jpg")
    put(folder / "sub/b.jpg")
    return folder


@pytest.fixture
def tree(root: Path) -> PolledTree:
    polled = PolledTree(root, PhotoFilter())
    assert polled.look() == [FileEvent("overflow", root)]  # nothing is known of what came before
    return polled


def test_a_tree_that_stays_the_same_has_no_events(tree: PolledTree) -> None:
    assert tree.look() == []
    assert tree.problem is None


def test_what_differs_from_the_last_look_is_reported_once(tree: PolledTree, root: Path) -> None:
    (root / "a.jpg").rename(root / "moved.jpg")
    (root / "sub/b.jpg").unlink()
    put(root / "new.jpg")
    assert tree.look() == [
        FileEvent("moved", root / "a.jpg", root / "moved.jpg"),
        FileEvent("removed", root / "sub/b.jpg"),
        FileEvent("written", root / "new.jpg"),
    ]
    assert tree.look() == []


def test_a_tree_that_goes_away_loses_no_photo_and_is_taken_up_when_it_returns(tree: PolledTree, root: Path) -> None:
    away = root.with_name("away")
    root.rename(away)
    assert tree.look() == []
    assert tree.problem is not None
    assert "does not exist" in tree.problem
    put(away / "new.jpg")
    away.rename(root)
    assert tree.look() == [FileEvent("written", root / "new.jpg")]
    assert tree.problem is None


def test_another_folder_in_its_place_asks_for_a_full_comparison(tree: PolledTree, root: Path) -> None:
    replacement = put(root.with_name("replacement") / "c.jpg").parent
    root.rename(root.with_name("away"))
    replacement.rename(root)
    assert tree.look() == [FileEvent("overflow", root)]
    assert tree.look() == []


def test_a_tree_that_is_away_at_first_is_compared_in_full_when_it_comes(tmp_path: Path) -> None:
    tree = PolledTree(tmp_path / "later", PhotoFilter())
    assert tree.look() == []
    put(tmp_path / "later/a.jpg")
    assert tree.look() == [FileEvent("overflow", tmp_path / "later")]


def test_a_folder_that_cannot_be_read_for_a_while_loses_no_photo(
    tree: PolledTree, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def scandir(path: os.PathLike[str]) -> object:
        if Path(path) == root / "sub":
            raise OSError(5, "Input/output error")
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        put(root / "new.jpg")
        assert tree.look() == [FileEvent("written", root / "new.jpg")]
        assert tree.problem == f"cannot read {root / 'sub'}: Input/output error"
    assert tree.look() == []
    assert tree.problem is None


def test_a_look_that_is_given_up_counts_as_not_taken(tree: PolledTree, root: Path) -> None:
    put(root / "new.jpg")
    assert tree.look(lambda: True) == []
    assert tree.look() == [FileEvent("written", root / "new.jpg")]


def test_a_link_taken_away_removes_what_was_behind_it_but_a_target_that_is_away_does_not(
    root: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(root)
    tree = PolledTree(link, PhotoFilter(), linked=True)
    tree.look()
    root.rename(root.with_name("away"))
    assert tree.look() == []
    assert not tree.gone
    link.unlink()
    assert tree.look() == [FileEvent("removed", link, is_directory=True)]
    assert tree.gone


def test_photos_come_and_go_by_the_rules_of_an_ignore_file(tree: PolledTree, root: Path) -> None:
    put(root / IGNORE_FILE, b"sub/")
    assert tree.look() == [FileEvent("removed", root / "sub/b.jpg")]
    (root / IGNORE_FILE).unlink()
    assert tree.look() == [FileEvent("written", root / "sub/b.jpg")]
