"""A library made again from its export has everything by value; what is newer is never lost on the way."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from photoindex.catalogue.editor import Edit
from photoindex.config import Settings
from photoindex.exchange.exchange import ImportReport
from photoindex.exchange.line_import import LONGEST_LINE, lines_of
from photoindex.library import Library
from tests.media.metadata.samples import described
from tests.support import FakeCaptioner, make_photo, names, show

OpenNew = Callable[..., Library]


@pytest.fixture
def open_new(tmp_path: Path) -> Iterator[OpenNew]:
    """Opens the library of a name, each with a captioner of its own unless one is given."""
    with ExitStack() as stack:

        def open_one(name: str, captioner: FakeCaptioner | None = None) -> Library:
            chosen = captioner or FakeCaptioner()
            settings = Settings(tmp_path / "libraries" / name, settle_seconds=0.0)
            return stack.enter_context(Library(settings, lambda _: chosen))

        yield open_one


def edit(library: Library, *paths: Path, **what: Any) -> None:
    editor = library.editor()
    editor.apply(editor.photos_at(paths), Edit(**what))


def export(library: Library) -> bytes:
    out = io.BytesIO()
    library.exchange().write_lines(out)
    return out.getvalue()


def bring_in(library: Library, exported: bytes, **options: Any) -> ImportReport:
    problems: list[str] = []
    report = library.exchange().read_lines(io.BytesIO(exported), problem=problems.append, **options)
    assert problems == []
    return report


def hostile_lines(photo: dict[str, Any]) -> list[bytes]:
    """Lines that are wrong in ways that break parsers, numbers, encodings and databases."""
    digits, deep = "9" * 400, "[" * 900 + "]" * 900
    term, caption = {"text": "x", "weight": 1, "source": "label"}, photo["captions"][0]
    change = {"edit": "1", "kind": "lock", "old": None, "made_at": "2024-01-01"}
    model = {"photoindex_export": 1, "kind": "model", "name": "n", "encoder": "e", "first_used_at": "2024-01-01"}
    text = json.dumps(photo)
    wrong: list[dict[str, Any]] = [
        {"bytes": int(digits)},
        {"bytes": 1.5},
        {"bytes": float("nan")},
        {"terms": [{**term, "weight": int(digits)}]},
        {"terms": [{**term, "weight": -int(digits)}]},
        {"terms": [{**term, "weight": float("inf")}]},
        {"terms": [{**term, "source": "longer than a source is"}]},
        {"captions": [{**caption, "rank": int(digits)}]},
        {"captions": [{**caption, "created_at": "0001-01-01T00:00:00+23:59"}]},
        {"captions": [{**caption, "created_at": digits}]},
        {"captions": [{**caption, "model": "m" * 2000}]},
        {"captions": [{**caption, "source": "user", "text": "\x1b[2J"}]},
        {"captions": [{**caption, "source": "user", "text": "x" * 10_001}]},
        {"corrections": [{**change, "new": '{"source":"nobody","text":"x"}'}]},
        {"corrections": [{**change, "new": "[" * 100_000}]},
        {"corrections": [{**change, "edit": "e" * 33}]},
        {"corrections": [{**change, "kind": "caption", "new": "\x07"}]},
        {"tags": [[]]},
        {"tags": ["x" * 201]},
        {"vector": []},
        {"files": [None]},
        {"files": [{"root": "/", "path": "\ud800", "bytes": 1, "mtime_ns": 1}]},
        *(
            {"sha256": "0" * 64, "facts": {**photo["facts"], name: value}}
            for name, value in {
                "width": int(digits), "height": -1, "latitude": 91, "longitude": float("nan"), "altitude": int(digits),
                "taken_offset": 10**12, "rating": 6, "camera": "c" * 10_001, "lens": "a\0b", "city": ["x"],
                "country": "\ud800", "taken_at": [], "fingerprint": "?",
            }.items()
        ),
    ]  # fmt: skip
    return [
        *(json.dumps({**photo, **each}).encode() for each in wrong),
        text.replace('"tags"', f'"kind": {deep}, "tags"').encode(),
        f'{{"photoindex_export": {digits}}}'.encode(),
        f'{{"photoindex_export": {deep}}}'.encode(),
        f'{{"photoindex_export": 1, "kind": "{digits}"}}'.encode(),
        b'{"photoindex_export": 1, "kind": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' * 100_000,
        b"9" * 100_000,
        text.replace("added_at", "caf\u00e9").encode("latin-1"),
        b"\0" * 1000,
        *(
            json.dumps({**model, "identity": "x", **each}).encode()
            for each in (
                {"identity": None}, {"identity": "x" * 2000}, {"terms": ["a\nb"], "term_scale": 1},
                {"terms": ["a"] * 65_537, "term_scale": 1}, {"terms": ["a"], "term_scale": 0},
                {"terms": ["a"], "term_scale": int(digits)}, {"name": 7}, {"first_used_at": "now"},
            )
        ),
    ]  # fmt: skip


@pytest.fixture
def old(open_new: OpenNew, album: Path) -> Library:
    """A library in which everything happened that can happen to a photo."""
    for name, colour in (("a.jpg", "red"), ("b.jpg", "blue"), ("c.png", "green"), ("d.jpg", "white")):
        make_photo(album / "2019" / name, colour)
    library = open_new("old")
    library.index(album)
    (album / "2019" / "copy of a.jpg").write_bytes((album / "2019" / "a.jpg").read_bytes())
    library.index(album)
    library.close()
    library = open_new("old", FakeCaptioner("fake-2", shape="circle"))
    library.recaption()
    a, b, c = (album / "2019" / name for name in ("a.jpg", "b.jpg", "c.png"))
    edit(library, a, caption="Minka on the sofa", tags=("Minka", "Caf\u00e9"))
    edit(library, a, caption="Minka and Mio", untags=("CAFE\u0301",))
    library.editor().undo([show(library, a).id])
    edit(library, b, lock=True)
    c.with_suffix(".xmp").write_bytes(described("from a sidecar"))
    library.index(album)
    return library


QUERIES = ("minka", "red", "circle", "warm", "tag:cafe", "sidecar", "blue circle", "2019", "sofa circle -red")


def answers(library: Library) -> dict[str, list[tuple[Any, ...]]]:
    return {
        query: sorted((hit.path, hit.caption, hit.caption_source, round(hit.score, 4)) for hit in library.search(query))
        for query in QUERIES
    }


class LongLines(io.RawIOBase):
    """A file of long lines, followed by other content, none of which is in memory at once."""

    def __init__(self, rest: bytes, length: int, count: int) -> None:
        self._rest, self._length, self._left, self._count = io.BytesIO(rest), length, length, count

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._count:
            return self._rest.readinto(buffer)
        size = min(len(buffer), self._left)
        buffer[:size] = b"[" * size
        self._left -= size
        if not self._left:
            buffer[size - 1] = ord("\n")
            self._left, self._count = self._length, self._count - 1
        return size


class TestNewLibrary:
    def test_import_before_index_restores_all_by_value_and_captions_nothing_again(
        self, old: Library, open_new: OpenNew, album: Path
    ) -> None:
        exported, captioner = export(old), FakeCaptioner("fake-2", shape="circle")
        new = open_new("new", captioner)
        report = bring_in(new, exported)
        assert (report.read, report.added, report.waiting, report.roots) == (4, 4, 4, [str(album)])
        assert new.search("minka") == []  # nobody knows yet where it is
        assert new.index(album).captioned == 0
        assert captioner.captions == []
        assert export(new) == exported
        assert answers(new) == answers(old)
        assert new.recaption().captioned == 0  # they are by the model in use

    def test_import_after_index_restores_what_people_said(self, old: Library, open_new: OpenNew, album: Path) -> None:
        new = open_new("new", FakeCaptioner("fake-2", shape="circle"))
        new.index(album)
        report = bring_in(new, export(old))
        assert (report.changed, report.waiting) == (4, 0)
        for name in ("a.jpg", "b.jpg", "c.png", "d.jpg"):
            mine, theirs = show(new, album / "2019" / name), show(old, album / "2019" / name)
            assert mine.tags == theirs.tags
            assert mine.caption is not None
            assert theirs.caption is not None
            assert (mine.caption.text, mine.caption.source, mine.caption.locked) == (
                theirs.caption.text, theirs.caption.source, theirs.caption.locked,
            )  # fmt: skip
            assert {each.text for each in mine.history} == {each.text for each in theirs.history}
            histories = [library.editor().history([photo.id]) for library, photo in ((new, mine), (old, theirs))]
            assert histories[0].get(mine.id) == histories[1].get(theirs.id)
        assert answers(new) == answers(old)

    def test_undo_still_works_in_the_new_one(self, old: Library, open_new: OpenNew, album: Path) -> None:
        new = open_new("new")
        bring_in(new, export(old))
        new.index(album)
        photo_id = show(new, album / "2019" / "a.jpg").id
        new.editor().undo([photo_id])
        assert show(new, album / "2019" / "a.jpg").caption.source == "model"  # type: ignore[union-attr]
        assert new.editor().undo([photo_id]) == {}

    def test_a_folder_that_moved_is_found_by_content(self, old: Library, open_new: OpenNew, album: Path) -> None:
        exported = export(old)
        moved = album.rename(album.with_name("elsewhere"))
        new = open_new("new")
        bring_in(new, exported)
        new.index(moved)
        assert names(new.search("minka")) == ["a.jpg"]

    def test_twice_is_once(self, old: Library, open_new: OpenNew, album: Path) -> None:
        exported = export(old)
        for name in ("before", "after"):
            new = open_new(name)
            if name == "after":
                new.index(album)
            bring_in(new, exported)
            once = export(new)
            report = bring_in(new, exported)
            assert (report.added, report.changed, report.unchanged) == (0, 0, 4)
            assert export(new) == once

    def test_a_dry_run_counts_the_same_and_changes_nothing(self, old: Library, open_new: OpenNew, album: Path) -> None:
        new = open_new("new")
        new.index(album / "2019" / "a.jpg")
        before, exported = export(new), export(old)
        dry = bring_in(new, exported, dry_run=True)
        assert export(new) == before
        assert dry == bring_in(new, exported)

    def test_a_photo_that_only_a_person_described_is_captioned_all_the_same(
        self, old: Library, open_new: OpenNew, album: Path
    ) -> None:
        lines = []
        for line in export(old).splitlines():
            value = json.loads(line)
            if value["kind"] == "photo":
                value["captions"] = [each for each in value["captions"] if each["source"] == "user"]
                value["terms"], value["vector"] = [], None
            lines.append(json.dumps(value).encode())
        new = open_new("new")
        bring_in(new, b"\n".join(lines))
        assert new.index(album).captioned == 4
        photo = show(new, album / "2019" / "a.jpg")
        assert photo.caption is not None
        assert (photo.caption.text, photo.overruled[0].text) == ("Minka on the sofa", "a red square")


class TestMerging:
    @pytest.fixture
    def two(self, open_new: OpenNew, album: Path) -> tuple[Library, Library, Path]:
        """Two libraries of one photo, and the photo."""
        path = make_photo(album / "a.jpg", "red")
        libraries = open_new("one"), open_new("two")
        for library in libraries:
            library.index(album)
        return *libraries, path

    def test_the_newer_caption_counts_whichever_way_it_travels(self, two: tuple[Library, Library, Path]) -> None:
        one, other, path = two
        edit(one, path, caption="older")
        edit(other, path, caption="newer")
        bring_in(other, export(one))
        assert show(other, path).caption.text == "newer"  # type: ignore[union-attr]
        assert "older" in [each.text for each in show(other, path).history]
        bring_in(one, export(other))
        assert show(one, path).caption.text == "newer"  # type: ignore[union-attr]
        assert names(one.search("newer")) == ["a.jpg"]
        assert "older" in [each.text for each in show(one, path).history]

    def test_what_an_import_replaced_can_be_undone(self, two: tuple[Library, Library, Path]) -> None:
        one, other, path = two
        edit(one, path, caption="older")
        edit(other, path, caption="newer")
        bring_in(one, export(other))
        one.editor().undo([show(one, path).id])
        assert show(one, path).caption.text == "older"  # type: ignore[union-attr]

    def test_replace_lets_the_export_win(self, two: tuple[Library, Library, Path]) -> None:
        one, other, path = two
        edit(one, path, caption="older", tags=("kept",))
        edit(other, path, caption="newer", tags=("lost",), lock=True)
        bring_in(other, export(one), replace=True)
        photo = show(other, path)
        assert photo.caption is not None
        assert (photo.caption.text, photo.caption.locked, photo.tags) == ("older", False, ("kept",))

    def test_a_newer_clear_counts_as_well(self, two: tuple[Library, Library, Path]) -> None:
        one, other, path = two
        edit(one, path, caption="a mistake", tags=("wrong",))
        exported = export(one)
        bring_in(other, exported)
        edit(one, path, clear=True)
        bring_in(one, exported)  # older than the clear
        assert show(one, path).caption.source == "model"  # type: ignore[union-attr]
        assert show(one, path).tags == ()
        bring_in(other, export(one))
        assert show(other, path).caption.source == "model"  # type: ignore[union-attr]
        assert show(other, path).tags == ()

    def test_tags_of_both_come_together_but_for_those_taken_off(self, two: tuple[Library, Library, Path]) -> None:
        one, other, path = two
        edit(one, path, tags=("Lisbon", "old"))
        bring_in(other, export(one))
        edit(one, path, tags=("Porto",))
        edit(other, path, tags=("lisbon", "Faro"), untags=("OLD",))
        bring_in(other, export(one))
        assert show(other, path).tags == ("Lisbon", "Faro", "Porto")
        bring_in(one, export(other))
        assert set(show(one, path).tags) == {"Lisbon", "Porto", "Faro"}

    def test_a_lock_travels_with_its_caption(self, two: tuple[Library, Library, Path]) -> None:
        one, other, path = two
        edit(one, path, lock=True)
        bring_in(other, export(one))
        assert show(other, path).caption.locked  # type: ignore[union-attr]
        edit(one, path, lock=False)
        bring_in(other, export(one))
        assert not show(other, path).caption.locked  # type: ignore[union-attr]

    @pytest.mark.parametrize("place", ["same root", "root above", "another root"])
    def test_a_path_and_a_size_alone_never_give_a_photo_the_words_of_another(
        self, two: tuple[Library, Library, Path], open_new: OpenNew, tmp_path: Path, place: str
    ) -> None:
        one, _, path = two
        edit(one, path, caption="Minka", tags=("private",), lock=True)
        exported = export(one)
        other = path.read_bytes().replace(b"a.jpg", b"b.jpg")  # its comment: as many bytes
        if place == "another root":
            path.unlink()
            path = tmp_path / "other" / path.name
            path.parent.mkdir()
        path.write_bytes(other)
        new = open_new("new")
        new.index(path.parent.parent if place == "root above" else path.parent)
        for options in ({}, {"replace": True}):
            before = show(new, path)
            report = bring_in(new, exported, **options)
            assert report.changed == 0
            assert (show(new, path).caption, show(new, path).tags) == (before.caption, ())
        assert names(new.search("minka")) == []
        assert names(new.search("tag:private")) == []
        if place == "another root":
            assert bring_in(new, exported, match_paths=True).changed == 0
            assert show(new, path).tags == ()

    def test_a_photo_whose_content_came_back_has_its_words_wherever_it_is(
        self, two: tuple[Library, Library, Path], open_new: OpenNew, tmp_path: Path
    ) -> None:
        one, _, path = two
        edit(one, path, caption="Minka")
        exported, content = export(one), path.read_bytes()
        path.write_bytes(content.replace(b"a.jpg", b"b.jpg"))
        new = open_new("new")
        new.index(path.parent)
        report = bring_in(new, exported)
        assert (report.added, report.changed_files) == (1, 1)
        elsewhere = tmp_path / "elsewhere" / "renamed.jpg"
        elsewhere.parent.mkdir()
        elsewhere.write_bytes(content)
        new.index(elsewhere.parent)
        assert names(new.search("minka")) == ["renamed.jpg"]

    def test_match_paths_gives_a_changed_file_the_words_of_its_path(
        self, two: tuple[Library, Library, Path], open_new: OpenNew
    ) -> None:
        one, _, path = two
        edit(one, path, caption="Minka", tags=("cat",), lock=True)
        exported = export(one)
        path.write_bytes(path.read_bytes().replace(b"a.jpg", b"another.jpg"))
        new = open_new("new")
        new.index(path.parent)
        report = bring_in(new, exported, match_paths=True)
        assert (report.changed, report.waiting) == (1, 0)
        photo = show(new, path)
        assert photo.caption is not None
        assert (photo.caption.text, photo.tags, photo.caption.locked) == ("Minka", ("cat",), True)
        assert bring_in(new, exported, match_paths=True).unchanged == 1

    def test_match_paths_takes_albums_and_no_duplicates_along(
        self, two: tuple[Library, Library, Path], open_new: OpenNew
    ) -> None:
        one, _, path = two
        other = make_photo(path.with_name("other.jpg"), "blue")
        one.index(path.parent)
        ids = one.editor().photos_at([path, other])
        one.albums.put("Cats", ids)
        one.albums.set_distinct(ids)
        exported = export(one)
        path.write_bytes(path.read_bytes().replace(b"a.jpg", b"another.jpg"))
        new = open_new("new")
        new.index(path.parent)
        bring_in(new, exported, match_paths=True)
        here = new.editor().photos_at([path, other])
        assert sorted(new.albums.photos(new.albums.named("Cats").id)) == sorted(here)
        assert new.albums.set_distinct(here, distinct=False) == 3

    def test_two_records_of_one_photo_are_merged_as_two_imports_are(
        self, two: tuple[Library, Library, Path], open_new: OpenNew
    ) -> None:
        one, other, path = two
        edit(one, path, caption="older", tags=("x",))
        edit(other, path, caption="newer", tags=("y",))
        lines = [export(library).splitlines() for library in two[:2]]
        together, apart = open_new("together"), open_new("apart")
        bring_in(together, b"\n".join([*lines[0], lines[1][-1]]))
        bring_in(apart, b"\n".join(lines[0]))
        bring_in(apart, b"\n".join(lines[1]))
        for library in (together, apart):
            library.index(path.parent)
            photo = show(library, path)
            assert photo.caption is not None
            assert (photo.caption.text, photo.tags) == ("newer", ("x", "y"))

    @pytest.mark.parametrize("change", [{"sha256": None}, {"sha256": ""}, {"sha256": "0F" * 32}, {"sha256": ["0"]}])
    def test_a_record_without_a_hash_is_of_no_photo(
        self, two: tuple[Library, Library, Path], change: dict[str, Any]
    ) -> None:
        one, other, path = two
        edit(one, path, tags=("x",))
        line = json.dumps({**json.loads(export(one).splitlines()[-1]), **change}).encode()
        problems: list[str] = []
        report = other.exchange().read_lines([line], match_paths=True, problem=problems.append)
        assert (report.bad, report.read, len(problems)) == (1, 0, 1)
        assert show(other, path).tags == ()

    def test_an_older_models_captions_become_history(
        self, two: tuple[Library, Library, Path], open_new: OpenNew, album: Path
    ) -> None:
        one, _, path = two
        new = open_new("new", FakeCaptioner("fake-2", shape="circle"))
        new.index(album)
        bring_in(new, export(one))
        photo = show(new, path)
        assert photo.caption is not None
        assert (photo.caption.text, [each.text for each in photo.history]) == ("a red circle", ["a red square"])


class TestLines:
    def test_they_are_the_same_each_time_and_each_says_its_version(self, old: Library) -> None:
        exported = export(old)
        assert export(old) == exported
        values = [json.loads(line) for line in exported.splitlines()]
        assert {value["photoindex_export"] for value in values} == {1}
        kinds = [value["kind"] for value in values]
        assert kinds == ["library", "model", "model", "photo", "photo", "photo", "photo"]
        hashes = [value["sha256"] for value in values if value["kind"] == "photo"]
        assert hashes == sorted(hashes)
        assert exported.isascii()

    def test_some_photos_only(self, old: Library, album: Path) -> None:
        out = io.BytesIO()
        assert old.exchange().write_lines(out, [show(old, album / "2019" / "a.jpg").id]) == 1
        photo = json.loads(out.getvalue().splitlines()[-1])
        assert [each["path"] for each in photo["files"]] == ["2019/a.jpg", "2019/copy of a.jpg"]
        assert photo["tags"] == ["Minka", "Caf\u00e9"]

    def test_a_bad_line_is_one_line_with_its_number_and_the_rest_goes_on(
        self, old: Library, open_new: OpenNew, album: Path
    ) -> None:
        lines = export(old).splitlines()
        photo = json.loads(lines[-1])
        changes: list[dict[str, object]] = [
            {"sha256": "abc"},
            {"bytes": -1},
            {"bytes": True},
            {"added_at": "yesterday"},
            {"tags": "Minka"},
            {"tags": [1]},
            {"tags": [""]},
            {"tags": ["\ud800"]},
            {"tags": ["a\x00"]},
            {"captions": [{"text": "x"}]},
            {"captions": [{**photo["captions"][0], "source": "nobody"}]},
            {"captions": [{**photo["captions"][0], "log_probability": "x"}]},
            {"captions": [dict(photo["captions"][0], locked=True)] * 2},
            {"files": {}},
            {"facts": []},
            {"sha256": "0" * 64, "facts": {**photo["facts"], "width": "wide"}},
            {"sha256": "0" * 64, "facts": {**photo["facts"], "taken_at": "then"}},
            {"sha256": "0" * 64, "vector": {"model": photo["vector"]["model"], "entries": "AAAA////"}},
            {"vector": {"model": "x", "entries": "?"}},
            {"corrections": [{"edit": "1", "kind": "tags", "new": "x", "made_at": "2024-01-01"}]},
        ]
        bad: list[bytes] = [
            b"{",
            b"\xff\xfe",
            b"[]",
            b"{}",
            b"[" * 100_000,
            b'{"photoindex_export":2,"kind":"photo"}',
            b'{"photoindex_export":1,"kind":"album"}',
            *(json.dumps({**photo, **change}).encode() for change in changes),
            b'{"photoindex_export":1,"kind":"photo","bytes":1e999}',
            *hostile_lines(photo),
        ]
        new = open_new("new")
        problems: list[str] = []
        models = lines[:3]
        report = new.exchange().read_lines([*models, *bad, b" \r", *lines], problem=problems.append)
        assert [problem.split(":")[0] for problem in problems] == [f"line {n}" for n in range(4, len(bad) + 4)]
        assert not [problem for problem in problems if "\n" in problem or len(problem) > 200]
        assert (report.bad, report.added) == (len(bad), 4)
        new.index(album)
        assert export(new).splitlines()[-4:] == export(old).splitlines()[-4:]

    @pytest.mark.parametrize(
        "rewrite",
        [
            lambda exported: b"\xef\xbb\xbf" + exported,
            lambda exported: exported.replace(b"\n", b"\r\n"),
            lambda exported: b"\r\n\n \t\n" + exported.replace(b"\n", b"\n\n"),
            lambda exported: exported.rstrip(b"\n"),
            lambda exported: exported.replace(b'","', b'" ,\t"'),
        ],
        ids=["byte order mark", "carriage returns", "blank lines", "no last line break", "spaces"],
    )
    def test_what_editors_do_to_text_files_changes_nothing(
        self, old: Library, open_new: OpenNew, album: Path, rewrite: Callable[[bytes], bytes]
    ) -> None:
        exported = export(old)
        new = open_new("new")
        assert bring_in(new, rewrite(exported)).added == 4
        new.index(album)
        assert export(new) == exported

    def test_models_whose_names_agree_in_their_first_letters_stay_apart(
        self, old: Library, open_new: OpenNew, album: Path
    ) -> None:
        identities = ["x" * length + end for length in (64, 128, 500) for end in ("", "-1", "-2")]
        value = json.loads(export(old).splitlines()[-1])
        template = value["captions"][0]
        value["captions"] = [
            {**template, "source": "model", "rank": 0, "current": not number, "locked": False, "text": f"by {number}",
             "model": identity}
            for number, identity in enumerate(identities)
        ]  # fmt: skip
        model = {"photoindex_export": 1, "kind": "model", "encoder": "e" * 500, "first_used_at": "2024-01-01"}
        lines = [json.dumps({**model, "identity": each, "name": each}).encode() for each in identities]
        new = open_new("new")
        bring_in(new, b"\n".join([*lines, json.dumps(value).encode()]))
        captions = json.loads(export(new).splitlines()[-1])["captions"]
        assert {each["text"]: each["model"] for each in captions} == {
            f"by {number}": identity for number, identity in enumerate(identities)
        }

    def test_a_line_of_100_mb_costs_itself_and_little_memory(self, old: Library, open_new: OpenNew) -> None:
        exported = export(old)
        file = io.BufferedReader(LongLines(exported, 100_000_000, 4))
        new, problems = open_new("new"), list[str]()
        tracemalloc.start()
        try:
            report = new.exchange().read_lines(lines_of(file), problem=problems.append)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert (report.bad, report.added) == (4, 4)
        assert [problem.split(":")[0] for problem in problems] == [f"line {number}" for number in (1, 2, 3, 4)]
        assert peak < 4 * LONGEST_LINE

    def test_an_export_says_of_photos_that_are_gone_that_they_are(self, old: Library, album: Path) -> None:
        (album / "2019" / "copy of a.jpg").unlink()
        (album / "2019" / "d.jpg").rename(album / "2019" / "e.jpg")
        lines = [json.loads(line) for line in export(old).splitlines()]
        present = [
            each["path"]
            for value in lines
            for each in value.get("files", ())
            if value["kind"] == "photo" and each["missing_since"] is None
        ]
        assert sorted(present) == ["2019/a.jpg", "2019/b.jpg", "2019/c.png"]

    def test_an_export_without_its_models_brings_the_captions(
        self, old: Library, open_new: OpenNew, album: Path
    ) -> None:
        lines = [line for line in export(old).splitlines() if b'"kind":"photo"' in line]
        new = open_new("new", FakeCaptioner("fake-2", shape="circle"))
        problems: list[str] = []
        new.exchange().read_lines(lines, problem=problems.append)
        new.index(album)
        assert problems == []
        assert names(new.search("caption:circle")) == ["b.jpg", "d.jpg"]
        assert new.search("warm") == []  # nobody knows the words of the vectors
        bring_in(new, export(old))
        new.recaption(everything=True)
        assert names(new.search("warm")) == ["a.jpg"]

    def test_facts_of_a_later_photoindex_are_left_out(self, old: Library, open_new: OpenNew, album: Path) -> None:
        lines = []
        for line in export(old).splitlines():
            value = json.loads(line)
            if value["kind"] == "photo":
                value["facts"]["mood"] = "merry"
                value["later"] = 1
            lines.append(json.dumps(value).encode())
        new = open_new("new")
        bring_in(new, b"\n".join(lines))
        new.index(album)
        assert export(new) == export(old)
