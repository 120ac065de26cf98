"""Searching a library: which path of a photo is named, an index that is missing, what is refused."""

from __future__ import annotations

import gc
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from photoindex.catalogue.editor import Edit
from photoindex.cli.main import main
from photoindex.errors import CatalogueError, InvalidSearch, NotAPhoto, PhotoindexError
from photoindex.library import Library
from photoindex.search.ranking.weights import FIELD_WEIGHTS, Ranking
from photoindex.types import Progress
from tests.conftest import OpenLibrary
from tests.support import REPOSITORY, make_photo


class TestPaths:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("path:p/best", "p/best/x1.jpg"),
            ("red path:p/archive", "p/archive/old.jpg"),
            ("folder:best", "p/best/x1.jpg"),
            ("folder:archive", "p/archive/old.jpg"),
            ("name:old", "p/archive/old.jpg"),
            ("name:old.jpg", "p/archive/old.jpg"),
            ("name:x1", "p/best/x1.jpg"),
            ("x1.jpg", "p/best/x1.jpg"),
            ("x1", "p/best/x1.jpg"),
            ("red best", "p/best/x1.jpg"),
            ("name:x1*", "p/best/x1.jpg"),
            ("folder:trip OR folder:nowhere", "q/Trip2019/z.jpg"),
            ('folder:"trip 2019"', "q/Trip2019/z.jpg"),
            ("-path:nowhere path:q", "q/Trip2019/z.jpg"),
        ],
    )
    def test_of_several_the_one_that_answers_comes_first(
        self, library: Library, album: Path, query: str, expected: str
    ) -> None:
        first = make_photo(album / "p/archive/old.jpg")
        for other in ("p/best/x1.jpg", "q/Trip2019/z.jpg"):
            (album / other).parent.mkdir(parents=True)
            shutil.copy(first, album / other)
        library.index(album)
        [hit] = library.search(query)
        assert hit.path == album / expected
        assert len(hit.other_paths) == 2

    def test_without_such_a_clause_they_stay_in_their_order(self, library: Library, album: Path) -> None:
        first = make_photo(album / "b.jpg")
        shutil.copy(first, album / "a.jpg")
        library.index(album)
        [hit] = library.search("red")
        assert [hit.path.name, *(path.name for path in hit.other_paths)] == ["a.jpg", "b.jpg"]


class TestClosing:
    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux says which files are mapped, in /proc")
    @pytest.mark.parametrize(
        "query",
        ["red", '"red square"', "red -blue", "sea OR red", "redd~", "squ*", "taken:2019", "is:dark", "folder:album red",
         "like:{photo}", "nowhere", "icecream", "red square 2019", "confidence:<0.4", "near:47.4,8.5"],
    )  # fmt: skip
    def test_no_file_of_the_index_stays_open(
        self, open_library: OpenLibrary, data_dir: Path, album: Path, query: str
    ) -> None:
        """Nor until memory is next collected: a disk that holds the library could not be taken out until then."""
        photo = make_photo(album / "a.jpg")
        with open_library() as library:
            library.index(album)
            gc.collect()
            gc.disable()
            try:
                library.search(query.format(photo=photo))
                library.search(query.format(photo=photo), limit=None)
                opened = mapped_below(data_dir)
                library.close()
                left = mapped_below(data_dir)
            finally:
                gc.enable()
        assert opened
        assert not left


def mapped_below(folder: Path) -> set[str]:
    """The files below a folder that this process has in its memory."""
    lines = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    return {path for line in lines if (path := line[line.find("/") :]).startswith(f"{folder}/")}


class TestArguments:
    @pytest.mark.parametrize("limit", [-1, -3, 2.5, "3"])
    def test_a_limit_that_is_none_is_refused(self, library: Library, album: Path, limit: Any) -> None:
        make_photo(album / "a.jpg")
        library.index(album)
        for ask in (lambda: library.search("red", limit), lambda: library.search("red", limit, sort="name"),
                    lambda: library.match("red", limit), lambda: library.like(album / "a.jpg", limit)):  # fmt: skip
            with pytest.raises(InvalidSearch, match="limit must"):
                ask()
        assert library.search("red", 0) == []

    @pytest.mark.parametrize("sort", ["bogus", "", "Score", None, "date"])
    def test_an_order_that_there_is_not_is_refused(self, library: Library, sort: Any) -> None:
        with pytest.raises(InvalidSearch, match="sort by score, taken, name, rating, added"):
            library.search("red", sort=sort)

    @pytest.mark.parametrize("weight", [float("nan"), float("inf"), -1.0, "2", None])
    @pytest.mark.parametrize("name", ["terms", "saturation", "coordination", "synonyms", "terms_floor"])
    def test_a_weight_that_is_no_number_from_0_on_is_refused(self, name: str, weight: Any) -> None:
        with pytest.raises(ValueError, match=name):
            Ranking(**{name: weight})
        with pytest.raises(ValueError, match="caption"):
            Ranking(fields={**FIELD_WEIGHTS, "caption": weight})

    def test_a_closed_library_answers_nothing(self, open_library: OpenLibrary, album: Path) -> None:
        make_photo(album / "a.jpg")
        library = open_library()
        library.index(album)
        assert library.search("red")
        library.close()
        for ask in (lambda: library.search("red"), lambda: library.match("red"), lambda: library.corrections("rde")):
            with pytest.raises(CatalogueError, match="closed"):
                ask()


class TestMissingIndex:
    def test_it_is_rebuilt_once_by_one_thread_and_said(self, open_library: OpenLibrary, album: Path) -> None:
        for number in range(5):
            make_photo(album / f"{number}.jpg")
        library = open_library()
        library.index(album)
        library.close()
        shutil.rmtree(library.settings.index_path)

        library = open_library()
        progress: list[Progress] = []
        library.rebuilding = progress.append
        counts: list[int] = []
        threads = [threading.Thread(target=lambda: counts.append(len(library.search("red")))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert counts == [5] * 8
        assert [(each.stage, each.done, each.total) for each in progress] == [
            ("indexing words", 0, 5),
            ("indexing words", 5, 5),
        ]

    def test_of_two_processes_one_rebuilds_it(self, open_library: OpenLibrary, album: Path) -> None:
        make_photo(album / "a.jpg")
        library = open_library()
        library.index(album)
        library.close()
        shutil.rmtree(library.settings.index_path)
        source = (
            "import sys, photoindex\n"
            "with photoindex.open(sys.argv[1]) as library:\n"
            "    done = []\n"
            "    library.rebuilding = done.append\n"
            "    sys.stdin.readline()\n"
            "    print(len(library.search('red')), len(done))\n"
        )
        processes = [
            subprocess.Popen([sys.executable, "-c", source, str(library.settings.data_dir)], cwd=REPOSITORY, text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            for _ in range(3)
        ]  # fmt: skip
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        answers = sorted(process.communicate()[0] for process in processes)
        assert answers == ["1 0\n", "1 0\n", "1 2\n"]

    def test_a_command_says_that_it_is_rebuilt(self, library: Library, album: Path) -> None:
        make_photo(album / "a.jpg")
        library.index(album)
        library.close()
        shutil.rmtree(library.settings.index_path)
        arguments = ["--data-dir", str(library.settings.data_dir), "search", "red"]
        first, second = (CliRunner().invoke(main, arguments) for _ in range(2))
        assert first.stderr == "rebuilding the search index, which is missing or out of date: 1 photo\n"
        assert second.stderr == ""
        assert first.stdout == second.stdout != ""

    def test_an_empty_library_is_not_rebuilt_with_a_message(self, library: Library) -> None:
        progress: list[Progress] = []
        library.rebuilding = progress.append
        assert library.search("red") == []
        assert [each for each in progress if each.done == 0 and each.total] == []


class TestLikeAnyPicture:
    def test_a_picture_that_is_not_of_the_library_is_captioned_and_not_stored(
        self, library: Library, album: Path, tmp_path: Path
    ) -> None:
        make_photo(album / "a.jpg", "red")
        make_photo(album / "b.jpg", "blue")
        make_photo(album / "c.jpg", "yellow")
        library.index(album)
        strange = make_photo(tmp_path / "elsewhere/red.png", "red")
        before = library.status().photos
        assert [hit.path.name for hit in library.like(strange)] == ["a.jpg", "c.jpg", "b.jpg"]
        assert [hit.path.name for hit in library.like(str(strange), 5, "blue")] == ["b.jpg"]
        assert library.status().photos == before

    @pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff"])
    def test_what_is_no_picture_is_refused_with_one_line(
        self, library: Library, tmp_path: Path, content: bytes
    ) -> None:
        (tmp_path / "x.jpg").write_bytes(content)
        with pytest.raises(PhotoindexError) as caught:
            library.like(tmp_path / "x.jpg")
        assert "\n" not in str(caught.value)
        if content == b"no picture":
            assert isinstance(caught.value, NotAPhoto)

    def test_words_and_not_stems_say_why(self, library: Library, album: Path) -> None:
        make_photo(album / "a.jpg", "red")
        make_photo(album / "b.jpg", "yellow")
        library.index(album)
        [hit] = library.like(album / "a.jpg")
        assert {reason.word for reason in hit.matched} == {"warm", "square"}


class TestSureness:
    def test_a_hit_says_how_sure_it_is_that_it_shows_all_words(self, library: Library, album: Path) -> None:
        photo = make_photo(album / "a.jpg")
        library.index(album)
        editor = library.editor()
        editor.apply(editor.photos_at([photo]), Edit(tags=("jetty",)))
        sure = {query: library.search(query)[0].sureness or 0 for query in ("red", "jetty", "red jetty", "red zebra")}
        assert sure["jetty"] == 1.0
        assert 0 < sure["red zebra"] < sure["red"] < 1
        assert sure["red zebra"] < sure["red jetty"] < 1

    def test_a_query_without_words_has_none(self, library: Library, album: Path) -> None:
        photo = make_photo(album / "a.jpg")
        library.index(album)
        assert [hit.sureness for hit in library.search("-blue")] == [None]
        assert [hit.sureness for hit in library.like(photo)] == []
