"""An index from elsewhere runs no code: every place where Whoosh reads a pickle, with one that would."""

from __future__ import annotations

import importlib
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from photoindex.errors import FullTextError, UnknownIndexVersion
from photoindex.library import Library
from photoindex.search import Document, FullText
from photoindex.search.fulltext import restricted_pickle, whoosh
from tests.support import REPOSITORY, make_photo

# Modules of Whoosh that name pickle or marshal. Those that photoindex uses are restricted; the others cannot be reached
# by what an index says, as no class of theirs is read.
RESTRICTED = {home for home, _ in whoosh._UNPICKLERS}
NOT_REACHED = {
    "whoosh.analysis.morph", "whoosh.automata.fst", "whoosh.cli", "whoosh.codec.base", "whoosh.codec.plaintext",
    "whoosh.codec.whoosh2", "whoosh.filedb.compound", "whoosh.filedb.fileindex", "whoosh.filedb.filereading",
    "whoosh.filedb.filetables", "whoosh.filedb.filewriting", "whoosh.filedb.misc", "whoosh.filedb.pools",
    "whoosh.fields", "whoosh.multiproc", "whoosh.util.loading",
}  # fmt: skip


class Harmful:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


# Name -> (module, attribute, what writes something harmful there).
PLACES: dict[str, tuple[str, str, Callable[[Harmful], Any]]] = {
    "blocks and postings of a term": (
        "whoosh.codec.whoosh3",
        "dumps",
        lambda harm: lambda value, protocol: pickle.dumps(harm, 2),
    ),
    "blocks behind a whole head": (
        "whoosh.codec.whoosh3",
        "dumps",
        lambda harm: lambda value, protocol: pickle.dumps(value if len(value) == 6 else harm, 2),
    ),
    "heads of blocks": (
        "whoosh.codec.whoosh3",
        "dumps",
        lambda harm: lambda value, protocol: pickle.dumps(harm if len(value) == 6 else value, 2),
    ),
    "a block that begins as it should": (
        "whoosh.codec.whoosh3",
        "dumps",
        lambda harm: lambda value, protocol: pickle.dumps(value if len(value) == 6 else (value[0], harm), 2),
    ),
    "places of words": (
        "whoosh.formats",
        "dumps",
        lambda harm: lambda value, protocol: pickle.dumps(harm, 2),
    ),
}
DOCUMENTS = [Document(number, "a dog catches a ball " + "dog " * (number % 3)) for number in range(1, 200)]


@pytest.fixture
def harm(tmp_path: Path) -> Iterator[Harmful]:
    harm = Harmful(tmp_path / "harmed")
    yield harm
    assert not harm.folder.exists()


def test_the_pickle_of_these_tests_does_harm(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Harmful(tmp_path / "harmed"), 2))
    assert (tmp_path / "harmed").exists()


@pytest.mark.parametrize("place", PLACES)
def test_an_index_that_would_run_code_is_damaged_and_runs_none(
    place: str, harm: Harmful, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, attribute, harmful = PLACES[place]
    with FullText.open(tmp_path / "index") as index, monkeypatch.context() as patched:
        patched.setattr(importlib.import_module(home), attribute, harmful(harm))
        index.rebuild(DOCUMENTS)
    check_refused(tmp_path / "index")


FRAMED = pickle.dumps(["x" * 9], 5)[:3]  # how a pickle of Whoosh's tables begins


@pytest.mark.parametrize(
    ("suffix", "first"), [("toc", True), ("seg", True), ("seg", False)], ids=["segments", "terms", "files of a segment"]
)
def test_so_it_is_with_tables(suffix: str, first: bool, harm: Harmful, tmp_path: Path) -> None:
    with FullText.open(tmp_path / "index") as index:
        index.rebuild(DOCUMENTS)
    [file] = (tmp_path / "index").glob(f"index-*/*.{suffix}")
    data, harmful = file.read_bytes(), pickle.dumps(harm, 5)
    start = data.index(FRAMED) if first else data.rindex(FRAMED)
    file.write_bytes(data[:start] + harmful + data[start + len(harmful) :])
    check_refused(tmp_path / "index")


def test_so_it_is_with_a_segment_that_holds_something_more(harm: Harmful, tmp_path: Path) -> None:
    with FullText.open(tmp_path / "index") as index:
        index.rebuild(DOCUMENTS)
    [file] = (tmp_path / "index").glob("index-*/*.toc")
    data = file.read_bytes()
    start = data.rindex(FRAMED)
    [segment] = restricted_pickle.loads(data[start:], whoosh._toc_names())
    segment.more = harm
    file.write_bytes(data[:start] + pickle.dumps([segment], 5))
    check_refused(tmp_path / "index")


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("segid", "../../elsewhere"), ("segid", 7), ("indexname", "OTHER"), ("_doccount", -1), ("_doccount", "9"),
     ("_deleted", [1]), ("_deleted", {"1"}), ("_fieldlengths", [2])],
)  # fmt: skip
def test_a_segment_of_other_values_is_damaged(attribute: str, value: Any, tmp_path: Path) -> None:
    with FullText.open(tmp_path / "index") as index:
        index.rebuild(DOCUMENTS)
    [file] = (tmp_path / "index").glob("index-*/*.toc")
    data = file.read_bytes()
    start = data.rindex(FRAMED)
    [segment] = restricted_pickle.loads(data[start:], whoosh._toc_names())
    setattr(segment, attribute, value)
    file.write_bytes(data[:start] + pickle.dumps([segment], 5))
    check_refused(tmp_path / "index")


def check_refused(folder: Path) -> None:
    """No search of this index answers until it is rebuilt."""
    with FullText(folder) as index:
        for query in ("dog", '"dog catches"', "catch*", "dgo~", "taken:2020"):
            try:
                index.search(query)
            except FullTextError as error:
                assert "is damaged" in str(error)  # noqa: PT017
                assert "photoindex reindex --fulltext" in str(error)  # noqa: PT017
                break
        else:
            pytest.fail("nothing was refused")
        assert index.needs_rebuild
        index.rebuild(DOCUMENTS)
        assert len(index.search("dog", None)) == len(DOCUMENTS)


def test_the_schema_in_an_index_is_not_read(harm: Harmful, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FullText.open(tmp_path / "index") as index, monkeypatch.context() as patched:
        patched.setattr(restricted_pickle, "dumps", lambda value, protocol: pickle.dumps(harm, 2))
        index.rebuild(DOCUMENTS)
    with FullText(tmp_path / "index") as index:
        assert len(index.search("dog", None)) == len(DOCUMENTS)
        index.update([Document(1, "a cat")])
        assert [match.photo_id for match in index.search("cat")] == [1]


def test_nor_is_that_of_an_old_format(harm: Harmful, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whoosh_index: Any = importlib.import_module("whoosh.index")
    version = next(iter(whoosh_index.toc_loaders))
    with FullText.open(tmp_path / "index") as index, monkeypatch.context() as patched:
        patched.setattr(whoosh_index, "_CURRENT_TOC_VERSION", version)
        patched.setattr(restricted_pickle, "dumps", lambda value, protocol: pickle.dumps(harm, 2))
        index.rebuild(DOCUMENTS)
    with FullText(tmp_path / "index") as index:  # its schema is skipped
        assert len(index.search("dog", None)) == len(DOCUMENTS)


def test_a_library_with_such_an_index_is_searched_after_a_rebuild(harm: Harmful, library: Library, album: Path) -> None:
    make_photo(album / "a.jpg")
    library.index(album)
    settings = library.settings
    [table] = settings.index_path.glob("index-*/*.toc")
    data = table.read_bytes()
    table.write_bytes(data[: data.rindex(FRAMED)] + pickle.dumps(harm, -1))
    with Library(settings) as reopened:
        assert [hit.path.name for hit in reopened.search("red")] == ["a.jpg"]


def test_every_module_of_whoosh_that_unpickles_is_known() -> None:
    folder = Path(importlib.import_module("whoosh").__file__ or "").parent
    naming = {
        ".".join(("whoosh", *path.relative_to(folder).with_suffix("").parts))
        for path in folder.rglob("*.py")
        if re.search(r"\b(un)?pickl|\bmarshal\b|\bread_pickle\b", path.read_text(encoding="utf-8"))
    }
    assert naming - NOT_REACHED - RESTRICTED == set()


SESSION = """
import sys
from pathlib import Path

from photoindex.search import Document, FullText

def forbid(event, arguments):
    if event == "pickle.find_class":
        print("unpickled", arguments, flush=True)

sys.addaudithook(forbid)
words = "dog cat ball red blue grass beach".split()
photos = [Document(n, " ".join(words[n % 5:] + words[:n % 3]), tags="a b") for n in range(1, 600)]
with FullText.open(Path(sys.argv[1])) as index:
    index.rebuild(photos)
    for start in range(0, 90, 30):
        index.update(photos[start:start + 30], [300 + start])
    index.optimize()
    for query in ("dog", "bal*", "bllue~", '"red blue"', "tag:a", "taken:2020", "-cat"):
        index.search(query, None)
    print(len(index.corrections("dgo")), len(index.photo_ids()))
"""


def test_a_whole_session_looks_up_no_name_that_a_pickle_asks_for(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SESSION, str(tmp_path / "index")], cwd=REPOSITORY,
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout == "1 596\n"


@pytest.mark.parametrize(
    ("data", "refused"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "os.system"),
        (b"cbuiltins\neval\n(S'1'\ntR.", "builtins.eval"),
        (b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R.", "another encoding"),
        (b"\x80\x02cwhoosh.util.loading\nfind_object\nX\x09\x00\x00\x00os.system\x85R.", "whoosh.util.loading"),
        (b"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93.", "builtins.getattr"),
    ],
)
def test_names_that_are_not_listed_are_refused(data: bytes, refused: str) -> None:
    with pytest.raises(restricted_pickle.RefusedPickle, match=refused):
        restricted_pickle.loads(data)


@pytest.mark.parametrize("value", [b"", b"\x00\xff", ((1, 2), None, (b"ab", b"")), {"fieldmap": {"a": 1}}, [0.5, "x"]])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_plain_values_are_read(value: Any, protocol: int) -> None:
    assert restricted_pickle.loads(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("version", [(2, 7, 4), (3, 49, 9), (3, 55, 0), (4, 0, 0)])
def test_a_version_of_whoosh_that_is_not_known_reads_nothing(
    version: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.import_module("whoosh"), "__version__", version)
    with pytest.raises(UnknownIndexVersion, match=r"pip install 'whoosh3>=3.50,<3.55'"):
        FullText.open(tmp_path / "index")


def test_an_unpickler_that_is_no_more_where_it_was_ends_the_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whoosh._restricted.cache_clear()
    monkeypatch.setattr(importlib.import_module("whoosh.formats"), "loads", pickle.Unpickler)
    with pytest.raises(UnknownIndexVersion):
        FullText.open(tmp_path / "index")
    monkeypatch.undo()
    whoosh._restricted.cache_clear()
    with FullText.open(tmp_path / "index"):
        pass
