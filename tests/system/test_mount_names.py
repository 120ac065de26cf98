"""Names of folders, and where the folders lie on this machine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoindex.system.mount_names import NO_MOUNTS, Mounts, mounts_in

MOUNTS = Mounts({"archive": "/mnt/nfs/archive", "/photos/new": "/fast/new/", "s3://bucket/a": "/mnt/s3"})


@pytest.mark.parametrize(
    ("stored", "here"),
    [
        (b"/archive", b"/mnt/nfs/archive"),
        (b"/archive/2024/\xff", b"/mnt/nfs/archive/2024/\xff"),
        (b"/archive2", b"/archive2"),
        (b"/photos", b"/photos"),
        (b"/photos/new/x", b"/fast/new/x"),
        (b"/s3:/bucket/a/b", b"/mnt/s3/b"),
    ],
)
def test_a_path_is_changed_there_and_back(stored: bytes, here: bytes) -> None:
    assert MOUNTS.here(stored) == here
    assert MOUNTS.everywhere(here) == stored


def test_the_longest_name_counts() -> None:
    mounts = Mounts({"/a": "/x", "/a/b": "/y", "c": "/x/d"})
    assert mounts.here(b"/a/b/1") == b"/y/1"
    assert mounts.here(b"/a/bc") == b"/x/bc"
    assert mounts.everywhere(b"/x/d/1") == b"/c/1"


def test_a_whole_disk_has_a_name() -> None:
    mounts = Mounts({"disk": "/"})
    assert mounts.everywhere(b"/") == b"/disk"
    assert mounts.here(b"/disk") == b"/"
    assert mounts.here(b"/disk/a") == b"/a"


@given(st.lists(st.sampled_from([b"archive", b"mnt", b"nfs", b"photos", b"new", b"fast"]), min_size=1, max_size=4))
def test_what_is_stored_under_a_name_comes_back(parts: list[bytes]) -> None:
    path = b"/" + b"/".join(parts)
    stored = MOUNTS.everywhere(path)
    assert MOUNTS.here(stored) == path or stored == path  # the other case is refused: see catalogue/mounted.py


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", {}),
        ("archive=/mnt/a", {"archive": "/mnt/a"}),
        (" a = /x ; /b=/y/ ;", {"a": "/x", "/b": "/y"}),
    ],
)
def test_text_says_names(text: str, named: dict[str, str]) -> None:
    assert mounts_in(text) == named
    assert hash(mounts_in(text)) == hash(Mounts(named))
    assert mounts_in(str(Mounts(named))) == Mounts(named)


@pytest.mark.parametrize(
    "named", [{"": "/a"}, {"/": "/a"}, {"a/../b": "/a"}, {"a": "b"}, {"a": ""}, {"a": "/x", "/a": "/y"},
              {"a": "/x", "b": "/x/"}, {"a\0": "/x"}]
)  # fmt: skip
def test_what_cannot_be_is_refused(named: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="name"):
        Mounts(named)


def test_without_mounts_all_paths_stay() -> None:
    assert not NO_MOUNTS
    assert NO_MOUNTS.here(b"/a") == NO_MOUNTS.everywhere(b"/a") == b"/a"


@pytest.mark.parametrize("text", ["a=/x;a=/y", "a=/x; b=/z ; a = /y"])
def test_a_name_lies_in_one_folder(text: str) -> None:
    with pytest.raises(ValueError, match="'a' is said to lie in two folders"):
        mounts_in(text)
    assert mounts_in(text.replace("/y", "/x"))["a"] == "/x"
