"""Rules in ignore files: the same answers as git's, read again when they change, and harmless when they are broken."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from photoindex.folders.filters import PhotoFilter
from photoindex.folders.ignore import IGNORE_FILE, MAX_BYTES, MOST_WILDCARDS, IgnoreFiles
from photoindex.folders.walk import scan
from tests.permissions import permissions_count

NAMES = (
    "a.jpg", "b.png", "keep.png", "#1.jpg", "!loud.jpg", "x y .jpg", "[1].jpg",
    "raw/a.jpg", "raw/deep/b.jpg", "raw/keep.jpg",
    "2023/raw/a.jpg", "2023/may/a.jpg", "2023/may/b.png", "2023/may/keep.png",
    "2024/a.jpg", "2024/june/a.jpg", "2024/june/draft-1.jpg", "2024/june/draft-12.jpg",
    "best/may/a.jpg", "raw.jpg/a.jpg",
)  # fmt: skip

CASES: list[Mapping[str, str]] = [
    {"": "*.png"},
    {"": "*.png\n!keep.png"},
    {"": "!keep.png\n*.png"},
    {"": "raw"},
    {"": "raw/"},
    {"": "raw/\n!raw/keep.jpg"},
    {"": "raw/*\n!raw/keep.jpg"},
    {"": "/raw"},
    {"": "/a.jpg"},
    {"": "2023/*"},
    {"": "2023/**/a.jpg"},
    {"": "**/may"},
    {"": "2023/**"},
    {"": "**/raw/a.jpg"},
    {"": "*\n!*/\n!*.jpg"},
    {"": "/*\n!/2024/"},
    {"": "2023/**\n!2023/raw\n!2023/raw/a.jpg"},
    {"": "*/**\n!2023/may\n!a.jpg"},
    {"": "**/\n!2024"},
    {"": "*/\n!best/\n!may/"},
    {"": "*\n!2024\n!2024/june\n!2024/june/*-1*"},
    {"": "raw\n!raw"},
    {"": "raw.jpg/**/a.jpg\n2023/**/may"},
    {"": "draft-?.jpg"},
    {"": "draft-[0-9]*.jpg"},
    {"": "\\#1.jpg\n\\!loud.jpg\n# a.jpg"},
    {"": "x\\ y\\ .jpg  "},
    {"": "\\[1\\].jpg"},
    {"": "\r\n\r\nraw\r\n*.png\r\n"},
    {"": "*.jpg", "2024": "!*.jpg"},
    {"": "!a.jpg", "2024": "a.jpg"},
    {"": "2024/", "2024": "!*"},
    {"2023/may": "/a.jpg\nb.png", "2023": "*.png"},
    {"2023": "/a.jpg\nmay/keep.png"},
    {"": "may", "2023": "!may"},
    {"": "raw.jpg"},
    {"": "   \n\n#\n"},
    {"": "[\n[z-a]\n*.png"},
    {"": "[[:alpha:]].jpg\n[![:alpha:]]*.png"},
    {"": "[^a-c].png\n[]1]*"},
    {"": "***.png"},
    {"": "**/**/**/a.jpg"},
    {"": "2023/**/**/b.png"},
    {"": "a**.jpg\nk**p*"},
    {"": "*a*p*.*\n*d*-*1*.*j*"},
    {"": "**/2024/**"},
    {"": "/**/may/**/a.jpg"},
    {"": "raw/**/\n"},
    {"": "//a.jpg\n2023//may\n/\n//\n"},
    {"": "\\a.jpg\n[\\[]1].jpg"},
    {"": "x y .jpg   \nx\\ y \\"},
]


@pytest.fixture
def album(album: Path) -> Path:
    for name in NAMES:
        (album / name).parent.mkdir(parents=True, exist_ok=True)
        (album / name).write_bytes(b"photo")
    return album


def rule(folder: Path, text: str | bytes) -> Path:
    path = folder / IGNORE_FILE
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def found(album: Path, photo_filter: PhotoFilter | None = None) -> set[str]:
    return {item.path.relative_to(album).as_posix() for item in scan(album, photo_filter or PhotoFilter())}


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def photos(warnings: list[str]) -> PhotoFilter:
    return PhotoFilter(ignore_files=IgnoreFiles(warnings.append))


@pytest.mark.skipif(shutil.which("git") is None, reason="git is the judge here")
@pytest.mark.parametrize("rules", CASES, ids=str)
def test_rules_leave_out_what_git_would(album: Path, rules: Mapping[str, str]) -> None:
    for folder, text in rules.items():
        rule(album / folder, text)
        rule(album / folder, text).with_name(".gitignore").write_bytes(text.encode())
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    for arguments in (["init", "-q"], ["ls-files", "-z", "--others", "--exclude-standard"]):
        done = subprocess.run(["git", *arguments], cwd=album, env=environment, capture_output=True, check=True)
    listed = {os.fsdecode(name) for name in done.stdout.split(b"\0")}
    assert found(album) == listed & set(NAMES)
    photos = PhotoFilter()
    for name in NAMES:  # judged one by one, as events are
        path = album / name
        taken = photos.accepts_below(album, path) and photos.accepts_file(path)
        assert taken == (name in listed)
        assert photos.ignores_below(album, path) == (name not in listed)


def test_rules_above_the_folder_that_is_scanned_hold(album: Path) -> None:
    rule(album, "*.png\n/2023/may/a.jpg")
    assert found(album / "2023" / "may") == set()
    assert found(album / "2024") == {"a.jpg", "june/a.jpg", "june/draft-1.jpg", "june/draft-12.jpg"}


def test_a_folder_that_is_named_is_scanned_whatever_the_rules_say_of_it(album: Path) -> None:
    rule(album, "raw\n*.png")
    assert found(album / "raw") == {"a.jpg", "deep/b.jpg", "keep.jpg"}


def test_a_photo_named_by_itself_is_taken_whatever_the_rules(album: Path, photos: PhotoFilter) -> None:
    rule(album, "*")
    assert [item.path for item in scan(album / "a.jpg", photos)] == [album / "a.jpg"]


def test_rules_are_read_again_when_they_change_and_forgotten_when_they_go(album: Path, photos: PhotoFilter) -> None:
    assert photos.accepts_file(album / "b.png")
    path = rule(album, "*.png")
    assert not photos.accepts_file(album / "b.png")
    assert photos.accepts_file(album / "a.jpg")
    rule(album, "*.jpg\n# another length")
    assert photos.accepts_file(album / "b.png")
    assert not photos.accepts_file(album / "a.jpg")
    path.unlink()
    assert found(album, photos) == set(NAMES)


def test_a_byte_order_mark_and_names_that_are_no_text_do_no_harm(album: Path, photos: PhotoFilter) -> None:
    odd = album / os.fsdecode(b"gr\xfcn.jpg")
    odd.write_bytes(b"photo")
    rule(album, b"\xef\xbb\xbfa.jpg\ngr\xfc*\n")
    assert not photos.accepts_file(odd)
    assert not photos.accepts_file(album / "a.jpg")
    assert photos.accepts_file(album / "b.png")


def test_lines_that_are_no_pattern_are_one_warning_and_the_others_hold(
    album: Path, photos: PhotoFilter, warnings: list[str]
) -> None:
    path = rule(album, "*.png\n!\n[z-a].jpg\nraw/\nends in\\\n")
    expected = {name for name in NAMES if not name.endswith(".png") and "raw/" not in name}
    for _ in range(2):
        assert found(album, photos) == expected
    [warning] = warnings
    assert str(path) in warning
    assert "line 2 and 2 more" in warning


HOSTILE = {
    "a heading": "************ private ************",
    "stars between letters": "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
    "stars alone": "*" * 4000,
    "stars and question marks": "*?" * 100 + "b",
    "classes": "[ab]*" * 60 + "c",
    "negated classes": "[!b]*" * 60 + "c",
    "posix classes": "[[:alpha:]]*" * 40 + "1",
    "folders": "**/" * 1000 + "b",
    "folders and names": "**/a/" * 100 + "b",
    "folders and stars": "**/*a*/" * 100 + "b",
    "stars in folders": "/".join(["*a*a*a*"] * 30),
    "a long name": "a" * 4000,
    "a line that is too long": "a*" * 100_000,
    "unclosed classes": "[" * 4000,
    "nested classes": "[[" * 1000 + "]]" * 1000,
    "a class of all": "[\x01-\xff]*" * 20 + "b",
    "backslashes": "\\" * 3001,
    "escaped stars": "\\*" * 1000,
    "zero": "a\0*b",
    "groups of an expression": "(a*)*(a*)*(?P<g0>a)*b",
    "exclamation marks": "!" * 3000,
    "spaces": " " * 3000 + "a",
}


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("prefix", ["", "!", "/"])
def test_no_line_takes_longer_than_its_length_and_the_others_hold(album: Path, line: str, prefix: str) -> None:
    """One that tried every division of a name among its stars would not end before the machine does."""
    deep = album.joinpath(*["a" * 200] * 15, "a" * 240 + ".jpg")
    rule(album, f"*.png\n{prefix}{line}\nraw.jpg/\n")
    warnings: list[str] = []
    rules = IgnoreFiles(warnings.append).rules_in(album)
    for path in (deep, album / ("a" * 251 + ".jpg"), album / ("ab" * 125 + ".jpg"), album / "/".join("a" * 2000)):
        rules.leave_out(path, is_folder=False)
        rules.leave_out(path, is_folder=True)
    assert rules.leave_out(album / "raw.jpg", is_folder=True)
    if prefix != "!":
        assert rules.leave_out(album / "b.png", is_folder=False)
    assert all(str(album / IGNORE_FILE) in warning and "line 2" in warning for warning in warnings)
    assert len(warnings) <= 1


def test_ten_thousand_names_are_looked_up_and_too_many_wildcards_are_one_warning(
    album: Path, photos: PhotoFilter, warnings: list[str]
) -> None:
    names = "".join(f"IMG_{number}.jpg\n" for number in range(10_000))
    rule(album, f"{names}a.jpg\n!IMG_7.jpg\n")
    assert not photos.accepts_file(album / "a.jpg")
    assert not photos.accepts_file(album / "IMG_9999.jpg")
    assert photos.accepts_file(album / "IMG_7.jpg")
    assert warnings == []
    rule(album, "*.png\n" + "".join(f"x{number:05}*\n" for number in range(10_000)) + "a.jpg\n")
    assert not photos.accepts_file(album / "b.png")
    assert not photos.accepts_file(album / "a.jpg")
    assert photos.accepts_file(album / "x09999.jpg")
    [warning] = warnings
    assert str(album / IGNORE_FILE) in warning
    assert f"line {MOST_WILDCARDS + 1} " in warning


@pytest.mark.parametrize("content", [bytes(range(256)) * 100, os.urandom(50_000), b"\0" * 1000, b"\xff\xfe*\0.\0j\0"])
def test_a_file_that_is_no_text_does_no_harm(
    album: Path, photos: PhotoFilter, warnings: list[str], content: bytes
) -> None:
    rule(album, content + b"\n*.png\n")
    assert not photos.accepts_file(album / "b.png")
    found(album, photos)
    assert len(warnings) <= 2
    assert all(len(warning.splitlines()) == 1 for warning in warnings)


def put_folder(path: Path) -> None:
    path.mkdir()


def put_pipe(path: Path) -> None:
    os.mkfifo(path)


def put_far_too_much(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)


def put_loop(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize("put", [put_folder, put_pipe, put_far_too_much, put_loop])
def test_a_file_that_cannot_be_read_is_one_warning_and_its_last_rules_stay(
    album: Path, photos: PhotoFilter, warnings: list[str], put: object
) -> None:
    assert callable(put)
    path = rule(album, "*.png")
    without = {name for name in NAMES if not name.endswith(".png")}
    assert found(album, photos) == without
    path.unlink()
    put(path)
    for _ in range(2):
        assert found(album, photos) == without
    [warning] = warnings
    assert str(path) in warning
    assert warning.endswith("its rules stay as they were")
    assert len(warning.splitlines()) == 1
    # Who never read it knows of no rule.
    warnings.clear()
    assert found(album, PhotoFilter(ignore_files=IgnoreFiles(warnings.append))) == set(NAMES)
    [warning] = warnings
    assert warning.endswith("it leaves nothing out until it can be read")


@pytest.mark.parametrize("mode", [0o000, 0o400, 0o100])
def test_a_folder_that_cannot_be_read_is_one_problem_whether_it_has_an_ignore_file_or_not(
    album: Path, photos: PhotoFilter, warnings: list[str], mode: int
) -> None:
    photo = album / "2019" / "a.jpg"
    photo.parent.mkdir()
    photo.touch()
    rule(photo.parent, "*.png")
    known = [file.path for file in scan(album, photos)]
    assert photo in known
    (album / "2019").chmod(mode)
    try:
        for judge in (photos, PhotoFilter(ignore_files=IgnoreFiles(warnings.append))):
            problems: dict[Path, OSError] = {}
            with permissions_count():
                assert photo not in {file.path for file in scan(album, judge, problems.__setitem__)}
                assert not judge.ignores_below(album, photo)
            assert {path.relative_to(album).parts[0] for path in problems} == {"2019"}
    finally:
        (album / "2019").chmod(0o755)
    assert warnings == []
