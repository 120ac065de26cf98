"""Sidecars of a whole library: which photos get one, what comes back, and that photos stay as they are."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image

from photoindex.catalogue.editor import Edit
from photoindex.config import Settings
from photoindex.errors import FolderError, FullTextError
from photoindex.exchange import line_import
from photoindex.exchange.exchange import Exchange, ImportReport, SidecarReport
from photoindex.exchange.sidecars import SidecarChange
from photoindex.exchange.xmp_document import XmpDocument, level
from photoindex.library import Library
from tests.exchange import samples
from tests.media.metadata.samples import alt, bag, packet
from tests.permissions import permissions_count
from tests.support import FakeCaptioner, make_photo, names, show


@pytest.fixture
def indexed(library: Library, album: Path) -> Library:
    make_photo(album / "a.jpg", "red")
    make_photo(album / "b.jpg", "blue")
    library.index(album)
    return library


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Callable[[], Library]]:
    with ExitStack() as stack:

        def make() -> Library:
            folder = tmp_path / f"new {len(list(tmp_path.iterdir()))}"
            return stack.enter_context(Library(Settings(folder, settle_seconds=0.0), lambda _: FakeCaptioner()))

        yield make


def edit(library: Library, *paths: Path, **what: Any) -> None:
    editor = library.editor()
    editor.apply(editor.photos_at(paths), Edit(**what))


def export(library: Library, **options: Any) -> tuple[SidecarReport, list[SidecarChange], list[str]]:
    exchange, told, problems = library.exchange(), list[SidecarChange](), list[str]()
    report = exchange.write_sidecars(
        exchange.photos_below(()), on_change=told.append, problem=problems.append, **options
    )
    return report, told, problems


def bring_in(library: Library, *paths: Path, **options: Any) -> ImportReport:
    problems: list[str] = []
    report = library.exchange().read_sidecars(paths, problem=problems.append, **options)
    assert problems == []
    return report


def stars(library: Library, path: Path) -> int | None:
    facts = show(library, path).facts
    assert facts is not None
    return facts.rating


def read(path: Path) -> XmpDocument:
    return XmpDocument.parse(path.read_bytes(), path)


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.is_file()}


class TestWriting:
    def test_only_what_people_said_unless_asked_for_more(self, indexed: Library, album: Path) -> None:
        edit(indexed, album / "a.jpg", caption="Minka", tags=("cat",))
        before = digests(album)
        assert export(indexed)[0] == SidecarReport(written=1)
        assert digests(album).keys() - before.keys() == {"a.jpg.xmp"}
        assert (read(album / "a.jpg.xmp").caption, read(album / "a.jpg.xmp").tags) == ("Minka", ["cat"])
        assert export(indexed, machine=True)[0] == SidecarReport(written=1, unchanged=1)
        assert read(album / "b.jpg.xmp").caption_is_machine_made
        assert read(album / "b.jpg.xmp").mark.model == "fake-1"
        assert {name: digests(album)[name] for name in before} == before  # the photos

    def test_a_locked_caption_is_vouched_for(self, indexed: Library, album: Path) -> None:
        edit(indexed, album / "b.jpg", lock=True)
        export(indexed)
        assert read(album / "b.jpg.xmp").caption == "a blue square"
        assert read(album / "b.jpg.xmp").caption_is_machine_made

    def test_every_copy_gets_one_and_a_photo_that_is_gone_none(self, indexed: Library, album: Path) -> None:
        (album / "copy.jpg").write_bytes((album / "a.jpg").read_bytes())
        indexed.index(album)
        edit(indexed, album / "a.jpg", album / "b.jpg", tags=("cat",))
        (album / "b.jpg").unlink()
        indexed.index(album)
        export(indexed)
        assert sorted(path.name for path in album.glob("*.xmp")) == ["a.jpg.xmp", "copy.jpg.xmp"]

    def test_copies_elsewhere_get_none_where_a_folder_is_named(
        self, library: Library, album: Path, tmp_path: Path
    ) -> None:
        for place in (album, tmp_path / "backup", tmp_path / "backup/inner"):
            make_photo(place / "a.jpg", note="the same")
        library.index(album, tmp_path / "backup")
        edit(library, album / "a.jpg", tags=("cat",))
        exchange = library.exchange()
        written = []
        for below in ([album], [tmp_path / "backup/inner"], [tmp_path / "backup/a.jpg"], []):
            ids = exchange.photos_below(below)
            exchange.write_sidecars(ids, below=below, on_change=lambda change: written.append(change.sidecar))
        assert written == [
            album / "a.jpg.xmp", tmp_path / "backup/inner/a.jpg.xmp", tmp_path / "backup/a.jpg.xmp"
        ]  # fmt: skip

    def test_a_name_too_long_for_a_sidecar_is_one_line_and_the_others_are_written(
        self, library: Library, album: Path
    ) -> None:
        for short, name in zip("abcd", ("a", "m" * 251, "m\u00e9" * 83 + "mm", "z"), strict=True):
            make_photo(album / f"{short}.jpg").rename(album / f"{name}.jpg")
        library.index(album)
        edit(library, *album.iterdir(), tags=("cat",))
        for dry_run in (True, False):
            report, _, problems = export(library, dry_run=dry_run)
            assert (report.written, report.failed, len(problems)) == (2, 2, 2)
            assert all(line.endswith(".jpg.xmp: File name too long; try --style a.xmp") for line in problems)
        assert export(library, style="a.xmp")[0].written == 4

    def test_the_sidecar_follows_what_the_person_says(self, indexed: Library, album: Path) -> None:
        edit(indexed, album / "a.jpg", caption="Minka", tags=("cat", "sofa"))
        export(indexed)
        edit(indexed, album / "a.jpg", caption="Mio", untags=("sofa",))
        _, told, _ = export(indexed)
        assert [(each.caption, each.added, each.removed) for each in told] == [("Mio", (), ("sofa",))]
        indexed.editor().undo([show(indexed, album / "a.jpg").id])
        export(indexed)
        assert (read(album / "a.jpg.xmp").caption, read(album / "a.jpg.xmp").tags) == ("Minka", ["cat", "sofa"])
        edit(indexed, album / "a.jpg", clear=True)
        export(indexed)
        assert (read(album / "a.jpg.xmp").caption, read(album / "a.jpg.xmp").tags) == (None, [])

    @pytest.mark.parametrize("undo", [False, True])
    def test_a_caption_that_is_said_again_is_of_then(self, indexed: Library, album: Path, undo: bool) -> None:
        for text in ("Minka", "another"):
            edit(indexed, album / "a.jpg", caption=text)
        if undo:
            indexed.editor().undo([show(indexed, album / "a.jpg").id])
        else:
            edit(indexed, album / "a.jpg", caption="Minka")
        caption = show(indexed, album / "a.jpg").caption
        assert caption is not None
        export(indexed)
        written = read(album / "a.jpg.xmp").mark.captioned_at
        assert written is not None
        assert (read(album / "a.jpg.xmp").caption, written > caption.created_at) == ("Minka", True)

    def test_a_dry_run_tells_the_same(self, indexed: Library, album: Path) -> None:
        (album / "a.xmp").write_bytes(samples.LIGHTROOM)
        edit(indexed, album / "a.jpg", caption="Minka", tags=("cat",))
        before = digests(album)
        dry = export(indexed, dry_run=True)
        assert digests(album) == before
        assert dry == export(indexed)
        assert (dry[0].kept, dry[1][0].sidecar.name) == (1, "a.xmp")

    def test_one_that_cannot_be_written_is_told_and_the_rest_goes_on(self, indexed: Library, album: Path) -> None:
        edit(indexed, album / "a.jpg", album / "b.jpg", tags=("cat",))
        (album / "a.jpg.xmp").write_text("no sidecar")
        report, _, problems = export(indexed)
        assert (report.written, report.failed) == (1, 1)
        assert len(problems) == 1
        assert "a.jpg.xmp" in problems[0]
        assert (album / "a.jpg.xmp").read_text() == "no sidecar"

    def test_sidecars_that_may_not_be_read_are_each_told(self, indexed: Library, album: Path) -> None:
        edit(indexed, album / "a.jpg", album / "b.jpg", tags=("cat",))
        export(indexed)
        edit(indexed, album / "a.jpg", album / "b.jpg", tags=("dog",))
        problems: list[str] = []
        for name in ("a", "b"):
            (album / f"{name}.jpg.xmp").chmod(0)
        with permissions_count():
            report, _, told = export(indexed)
            imported = indexed.exchange().read_sidecars([album], problem=problems.append)
        assert (report.failed, imported.bad) == (2, 2)
        for lines in (told, problems):
            assert sorted(line.rpartition("/")[2] for line in lines) == [
                f"{name}.jpg.xmp: Permission denied" for name in ("a", "b")
            ]

    def test_a_disk_that_went_away_is_told_once_with_how_many_more(
        self, library: Library, album: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for place in ("one/a", "one/b", "two/c"):
            make_photo(album / f"{place}.jpg")
        library.index(album)
        edit(library, *sorted(album.glob("*/*.jpg")), tags=("cat",))
        export(library)

        def lost(path: Path, _: object) -> bool:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN), str(path))

        monkeypatch.setattr("photoindex.exchange.export.holds", lost)
        problems: list[str] = []
        report, _, told = export(library)
        imported = library.exchange().read_sidecars([album], problem=problems.append)
        assert (report.failed, imported.bad) == (3, 3)
        for lines, what in ((told, "written"), (problems, "read")):
            assert len(lines) == 2
            assert lines[0].startswith(f"cannot read {album}")
            assert f"could not be {what}: {os.strerror(errno.ENOTCONN)}" in lines[1]
            assert lines[1].startswith(f"2 more files on the disk of {album}")

    def test_a_folder_that_takes_no_files_is_told_once_with_how_many_more(self, library: Library, album: Path) -> None:
        for place in ("one/a", "one/b", "one/c", "two/d", "two/e", "three/f"):
            make_photo(album / f"{place}.jpg")
        library.index(album)
        edit(library, *sorted(album.glob("*/*.jpg")), tags=("cat",))
        (album / "two" / "d.jpg.xmp").write_text("no sidecar")  # its own fault, and none of its folder's
        for name in ("one", "two"):
            (album / name).chmod(0o500)
        try:
            with permissions_count():
                report, _, problems = export(library)
        finally:
            for name in ("one", "two"):
                (album / name).chmod(0o700)

        assert (report.written, report.failed) == (1, 5)
        assert len(problems) == 4, problems
        assert problems[-1] == f"2 more files in {album / 'one'} could not be written: Permission denied"
        assert sum("Permission denied" in problem for problem in problems) == 3
        assert sum("d.jpg.xmp" in problem for problem in problems) == 1

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
    @pytest.mark.parametrize("make", [getattr(os, "mkfifo", None), os.mkdir, lambda path: path.symlink_to("/dev/zero")])
    @pytest.mark.parametrize("name", ["a.jpg.xmp", "a.xmp", "A.JPG.XMP"])
    def test_what_only_has_the_name_of_a_sidecar_costs_itself_alone(
        self, indexed: Library, album: Path, make: Callable[[Path], None], name: str
    ) -> None:
        edit(indexed, album / "a.jpg", album / "b.jpg", tags=("cat",))
        make(album / name)
        report, _, problems = export(indexed, style="a.xmp" if name == "a.xmp" else None)
        assert report.written + report.failed == 2
        assert all(name in problem and "\n" not in problem for problem in problems)
        assert any(path.stem in ("b", "b.jpg") for path in album.glob("b*.xmp"))
        assert bring_in(indexed, album).bad == 0

    def test_a_photo_that_is_gone_and_not_marked_yet_gets_none(self, indexed: Library, album: Path) -> None:
        edit(indexed, album / "a.jpg", album / "b.jpg", caption="Minka")
        (album / "b.jpg").unlink()
        assert export(indexed)[0] == SidecarReport(written=1, missing=1)
        assert [path.name for path in album.glob("*.xmp")] == ["a.jpg.xmp"]
        (album / "b.jpg.xmp").write_bytes(samples.LIGHTROOM)
        assert bring_in(indexed, album).read == 1

    @pytest.mark.parametrize("keep_times", [True, False])
    def test_another_photo_at_the_path_gets_no_words_and_gives_none(
        self, indexed: Library, album: Path, keep_times: bool
    ) -> None:
        """Two photos of one size that were swapped, with their times or without."""
        edit(indexed, album / "a.jpg", caption="Minka")
        before = (album / "a.jpg").stat()
        other = (album / "a.jpg").read_bytes().replace(b"a.jpg", b"c.jpg") + (b"" if not keep_times else b" ")
        (album / "a.jpg").write_bytes(other)
        if keep_times:
            os.utime(album / "a.jpg", ns=(before.st_atime_ns, before.st_mtime_ns))
        report, _, problems = export(indexed)
        assert (report.written, report.failed) == (0, 1)
        assert "has changed since it was indexed" in problems[0]
        (album / "a.jpg.xmp").write_bytes(samples.LIGHTROOM)
        problems = []
        brought = indexed.exchange().read_sidecars([album], problem=problems.append)
        assert (brought.bad, brought.changed, len(problems)) == (1, 0, 1)
        indexed.index(album)
        assert bring_in(indexed, album).bad == 0

    def test_a_photo_that_was_only_touched_is_still_that_photo(self, indexed: Library, album: Path) -> None:
        edit(indexed, album / "a.jpg", caption="Minka")
        os.utime(album / "a.jpg", (1, 1))
        assert export(indexed)[0] == SidecarReport(written=1)

    def test_photos_that_would_share_one_are_refused_it(self, indexed: Library, album: Path) -> None:
        make_photo(album / "a.png", "green")
        indexed.index(album)
        edit(indexed, album / "a.jpg", album / "b.jpg", tags=("cat",))
        report, _, problems = export(indexed, style="a.xmp")
        assert (report.written, report.failed) == (1, 1)
        assert "more than one photo" in problems[0]
        assert [path.name for path in album.glob("*.xmp")] == ["b.xmp"]

    def test_paths_choose_photos_and_must_exist(self, indexed: Library, album: Path) -> None:
        exchange = indexed.exchange()
        assert exchange.photos_below([album / "b.jpg"]) == [show(indexed, album / "b.jpg").id]
        assert len(exchange.photos_below([album])) == 2
        with pytest.raises(FolderError, match="no such"):
            exchange.photos_below([album / "no"])


class TestReading:
    @pytest.mark.parametrize("style", ["a.jpg.xmp", "a.xmp"])
    def test_what_was_written_comes_back_into_a_new_library(
        self, indexed: Library, new: Callable[[], Library], album: Path, style: str
    ) -> None:
        edit(indexed, album / "a.jpg", caption="Minka \u201con\u201d the sofa", tags=("cat", "Caf\u00e9"))
        export(indexed, style=style, machine=True)
        library = new()
        library.index(album)
        assert bring_in(library, album) == ImportReport(read=2, changed=1, unchanged=1)
        mine, theirs = show(library, album / "a.jpg"), show(indexed, album / "a.jpg")
        assert mine.caption == theirs.caption  # with the time it was made at
        assert mine.tags == theirs.tags
        assert show(library, album / "b.jpg").caption.source == "model"  # type: ignore[union-attr]
        assert names(library.search("minka cafe")) == ["a.jpg"]
        assert bring_in(library, album).changed == 0
        assert export(library, machine=True)[0] == SidecarReport(unchanged=2)

    def test_stars_and_favourites_come_back_and_stay_to_be_taken_back(
        self, indexed: Library, album: Path, new: Callable[[], Library]
    ) -> None:
        edit(indexed, album / "a.jpg", rating=4, favourite=True)
        edit(indexed, album / "b.jpg", rating=-1)
        assert export(indexed)[0].written == 2
        assert read(album / "a.jpg.xmp").rating == 4
        another = new()
        another.index(album)
        assert not show(another, album / "a.jpg").favourite
        assert bring_in(another, album).changed == 2
        assert bring_in(another, album).changed == 0
        found = show(another, album / "a.jpg")
        assert (found.favourite, found.facts and found.facts.rating) == (True, 4)
        edit(another, album / "a.jpg", rating=0, favourite=False)
        assert export(another)[0] == SidecarReport(written=1, unchanged=1)
        assert (read(album / "a.jpg.xmp").rating, read(album / "a.jpg.xmp").mark.favourite) == (0, False)
        assert bring_in(another, album).changed == 0

    def test_no_stars_count_elsewhere_over_those_in_the_photo(self, album: Path, new: Callable[[], Library]) -> None:
        album.mkdir(exist_ok=True)
        path, exif = album / "rated.jpg", Image.Exif()
        exif[ExifTags.Base.Rating] = 3
        Image.new("RGB", (64, 48), "red").save(path, exif=exif)
        mine, another = new(), new()
        mine.index(album)
        assert stars(mine, path) == 3
        edit(mine, path, rating=0)
        assert export(mine)[0] == SidecarReport(written=1)
        assert export(mine)[0] == SidecarReport(unchanged=1)
        another.index(album)
        assert stars(another, path) is None
        bring_in(another, album)
        assert stars(another, path) is None

    def test_a_folder_that_cannot_be_read_is_said(self, indexed: Library, album: Path) -> None:
        inner = make_photo(album / "inner/c.jpg", "green").parent
        indexed.index(album)
        edit(indexed, inner / "c.jpg", tags=("cat",))
        export(indexed)
        problems: list[str] = []
        for mode in (0o311, 0):
            inner.chmod(mode)
            try:
                with permissions_count():
                    report = indexed.exchange().read_sidecars([album], problem=problems.append)
            finally:
                inner.chmod(0o755)
            assert (report.read, report.bad) == (0, 1)
        assert problems == 2 * [f"cannot read the folder {inner}: Permission denied"]

    def test_what_others_wrote_is_the_files_own(self, indexed: Library, album: Path) -> None:
        (album / "a.xmp").write_bytes(samples.LIGHTROOM)
        bring_in(indexed, album)
        photo = show(indexed, album / "a.jpg")
        assert photo.caption is not None
        assert (photo.caption.text, photo.caption.source, photo.tags) == ("Our holiday", "sidecar", ())
        assert [term.text for term in photo.terms if term.source == "keyword"] == ["beach", "Portugal"]
        assert names(indexed.search("holiday")) == ["a.jpg"]
        assert bring_in(indexed, album).changed == 0

    @pytest.mark.parametrize(
        ("words", "attributes"),
        [
            ("OLYMPUS DIGITAL CAMERA         ", ""),
            ("DSC00019", ""),
            ("Created with GIMP", ""),
            ("NIKON Z 6", 'tiff:Make="NIKON CORPORATION" tiff:Model="NIKON Z 6"'),
            ("NIKON", 'tiff:Make="NIKON CORPORATION"'),
            ("-", ""),
            ("A boat " * 500, ""),
            ("NIKON Z 6", ""),
        ],
    )
    def test_a_description_counts_as_it_does_when_the_photo_is_read(
        self, indexed: Library, album: Path, words: str, attributes: str
    ) -> None:
        sidecar = album / "b.jpg.xmp"
        sidecar.write_bytes(packet(alt("dc:description", x_default=words), attributes))
        indexed.index(album)
        before = show(indexed, album / "b.jpg").caption

        assert bring_in(indexed, album).changed == 0
        assert show(indexed, album / "b.jpg").caption == before

    def test_keywords_in_which_darktable_keeps_its_books_are_nobodys(self, indexed: Library, album: Path) -> None:
        path, sidecar = album / "b.jpg", album / "b.jpg.xmp"
        subjects = bag("dc:subject", "cat", "darktable", "format", "jpg")
        sidecar.write_bytes(packet(subjects + bag("lr:hierarchicalSubject", "darktable|format|jpg")))
        bring_in(indexed, album)
        assert [term.text for term in show(indexed, path).terms if term.source == "keyword"] == ["cat"]
        edit(indexed, path, tags=("Minka",))
        export(indexed)
        assert read(sidecar).tags == ["cat", "darktable", "format", "jpg", "Minka"]

    def test_a_caption_changed_by_another_program_is_the_persons_newest(self, indexed: Library, album: Path) -> None:
        edit(indexed, album / "a.jpg", caption="Minka")
        export(indexed)
        sidecar = album / "a.jpg.xmp"
        sidecar.write_bytes(sidecar.read_bytes().replace(b">Minka<", b">Minka, asleep<"))
        os.utime(sidecar, (2**32, 2**32))
        bring_in(indexed, album)
        photo = show(indexed, album / "a.jpg")
        assert photo.caption is not None
        assert (photo.caption.text, photo.caption.source) == ("Minka, asleep", "user")
        assert "Minka" in [each.text for each in photo.history]

    def test_an_older_one_is_no_news(self, indexed: Library, album: Path) -> None:
        edit(indexed, album / "a.jpg", caption="Minka", tags=("cat", "sofa"))
        export(indexed)
        edit(indexed, album / "a.jpg", caption="Mio", untags=("sofa",))
        bring_in(indexed, album)
        photo = show(indexed, album / "a.jpg")
        assert photo.caption is not None
        assert (photo.caption.text, photo.tags) == ("Mio", ("cat",))
        bring_in(indexed, album, replace=True)
        photo = show(indexed, album / "a.jpg")
        assert photo.caption is not None
        assert (photo.caption.text, photo.tags) == ("Minka", ("cat", "sofa"))

    def test_a_dry_run_changes_nothing(self, indexed: Library, album: Path) -> None:
        (album / "a.xmp").write_bytes(samples.LIGHTROOM)
        assert bring_in(indexed, album, dry_run=True).changed == 1
        assert show(indexed, album / "a.jpg").caption.source == "model"  # type: ignore[union-attr]

    def test_bad_ones_are_told_and_the_rest_goes_on(self, indexed: Library, album: Path) -> None:
        (album / "a.xmp").write_text("no sidecar")
        (album / "b.xmp").write_bytes(samples.LIGHTROOM)
        problems: list[str] = []
        report = indexed.exchange().read_sidecars([album], problem=problems.append)
        assert (report.bad, report.changed, len(problems)) == (1, 1, 1)
        assert "a.xmp" in problems[0]


@pytest.mark.parametrize(
    "text",
    ["a\x1b[31mred", "bell\x07", "line\nbreak\ttab\rreturn", "x\x85\u2028y", "\ufffe\uffff", "\x0b\x0c\x1f",
     "\U0010ffff \x01",
     "<&>\"']]>", "\u202egnp.exe"],
)  # fmt: skip
def test_an_imported_caption_of_any_characters_is_exported(
    indexed: Library, new: Callable[[], Library], album: Path, text: str
) -> None:
    out = io.BytesIO()
    indexed.exchange().write_lines(out)
    library = new()
    lines = []
    for line in out.getvalue().splitlines():
        value = json.loads(line)
        for each in value.get("captions", ()):
            each["text"] = text
        lines.append(json.dumps(value).encode())
    library.exchange().read_lines(lines)
    library.index(album)
    report, _, problems = export(library, machine=True)
    assert (report.written, problems) == (2, [])
    caption = read(album / "a.jpg.xmp").caption
    assert caption is not None
    assert level(caption) == level(text)
    assert read(album / "a.jpg.xmp").caption_is_machine_made
    assert export(library, machine=True)[0] == SidecarReport(unchanged=2)
    again = io.BytesIO()
    library.exchange().write_lines(again)
    assert text in [each["text"] for each in json.loads(again.getvalue().splitlines()[-1])["captions"]]


def test_a_line_that_is_too_long_is_one_bad_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_import, "LONGEST_LINE", 10)
    assert list(line_import.lines_of(io.BytesIO(b"short\n" + b"x" * 95 + b"\nlast"))) == [
        b"short\n",
        b"x" * 11,
        b"last",
    ]


def test_an_import_is_kept_when_the_index_cannot_be_written(
    indexed: Library, new: Callable[[], Library], album: Path
) -> None:
    edit(indexed, album / "a.jpg", caption="Minka")
    out = io.BytesIO()
    indexed.exchange().write_lines(out)
    library = new()
    library.index(album)

    def refuse() -> None:
        raise FullTextError("another process is writing")

    report = Exchange(library._database, refuse).read_lines(out.getvalue().splitlines())
    assert (report.changed, report.not_indexed) == (1, "another process is writing")
    library.index(album)
    assert names(library.search("minka")) == ["a.jpg"]
