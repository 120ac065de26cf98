"""Lines and sidecars that are merged together: what comes of it is what comes of merging each by itself, by fewer
statements."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import random
import shutil
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from photoindex.catalogue.editor import Edit
from photoindex.config import Settings
from photoindex.exchange import line_import, merge
from photoindex.exchange.exchange import Exchange
from photoindex.library import Library
from tests.catalogue.test_many_files import counted
from tests.media.metadata.samples import described
from tests.support import FakeCaptioner, make_photo

NOW = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
TIMES = ("2024-01-01T00:00:00+00:00", "2025-01-01T00:00:00+00:00", "2031-01-01T00:00:00+00:00")
COLOURS = {"a.jpg": "red", "b.jpg": "blue", "c.png": "green", "d.jpg": "white"}
SCENARIOS = 40


def open_at(data_dir: Path, captioner: FakeCaptioner | None = None, catalogue: str = "") -> Library:
    settings = Settings(data_dir, catalogue=catalogue, settle_seconds=0.0, read_text="never")
    return Library(settings, lambda _: captioner or FakeCaptioner())


def exported(library: Library) -> list[bytes]:
    out = io.BytesIO()
    library.exchange().write_lines(out)
    return out.getvalue().splitlines()


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("album")
    for name, colour in COLOURS.items():
        make_photo(folder / name, colour)
    return folder


@pytest.fixture(scope="module")
def lines(album: Path, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """An export of a library where most that can be said of a photo was said."""
    data_dir = tmp_path_factory.mktemp("old")
    with open_at(data_dir, FakeCaptioner("fake-1", shape="circle")) as library:
        library.index(album)
    with open_at(data_dir) as library:
        library.recaption()
        editor = library.editor()
        a, b, c = (editor.photos_at([album / name]) for name in ("a.jpg", "b.jpg", "c.png"))
        editor.apply(a, Edit(caption="Minka on the sofa", tags=("Minka", "Café")))
        editor.apply(a, Edit(caption="Minka and Mio", untags=("CAFÉ",), rating=4))
        editor.undo(a)
        editor.apply(b, Edit(lock=True, favourite=True))
        editor.apply(c, Edit(tags=("garden",)))
        library.albums.add("Cats", photo_ids=a)
        return exported(library)


@pytest.fixture(scope="module")
def libraries(album: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The data folders of libraries to import into: an empty one, one that captioned the photos, one where people said
    something of them too, and one that another model captioned, beside other photos at the same paths."""
    folder = tmp_path_factory.mktemp("libraries")
    with open_at(folder / "empty"):
        pass
    with open_at(folder / "captioned") as library:
        library.index(album)
    shutil.copytree(folder / "captioned", folder / "said")
    with open_at(folder / "said") as library:
        editor = library.editor()
        for name in COLOURS:
            editor.apply(editor.photos_at([album / name]), Edit(caption=f"our {name}", tags=("ours",), rating=2))
        editor.undo(editor.photos_at([album / "d.jpg"]))
    with open_at(folder / "other", FakeCaptioner("fake-2", shape="circle")) as library:
        held = {name: (album / name).read_bytes() for name in COLOURS}
        make_photo(album / "a.jpg", "black")
        (album / "b.xmp").write_bytes(described("from a sidecar"))
        library.index(album)
        (album / "b.xmp").unlink()
        (album / "a.jpg").write_bytes(held["a.jpg"])
    return [folder / name for name in ("empty", "captioned", "said", "other")]


def scenario(lines: list[bytes], seed: int) -> list[bytes]:
    """Return the lines of an export, those of photos in other forms, some several times, and bad ones among them."""
    chance = random.Random(seed)
    values = [json.loads(line) for line in lines]
    photos = [value for value in values if value["kind"] == "photo"]
    made = [
        _other_form(chance, chance.choice(photos), content)
        for content in [photo["sha256"] for photo in photos] * 2 + [f"{number:064x}" for number in range(6)]
        if chance.random() < 0.8
    ]
    made += chance.choices(made, k=2)
    made += [
        {**chance.choice(photos), **chance.choice([{"facts": {"width": -1}}, {"tags": ["x" * 201]}, {"sha256": "no"},
                                                   {"captions": [{"text": "x", "source": "user", "rank": 0}]}])}
        for _ in range(chance.randrange(3))
    ]  # fmt: skip
    chance.shuffle(made)
    head = [value for value in values if value["kind"] in ("library", "model")]
    if chance.random() < 0.3:
        head = head[:1]  # models whose vocabulary is not known
    for other in (value for value in values if value["kind"] in ("album", "distinct")):
        made.insert(chance.randrange(len(made) + 1), other)
    return [json.dumps(value).encode() for value in [*head, *made]]


def _other_form(chance: random.Random, photo: dict[str, Any], content: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(json.dumps(photo)) | {"sha256": content}
    for each in value["captions"]:
        if chance.random() < 0.3:
            each["text"] = chance.choice(["a dog", "Minka\x00!", "our a.jpg", "a red square"])
        if chance.random() < 0.3:
            each["created_at"] = chance.choice(TIMES)
    value["captions"] = [each for each in value["captions"] if chance.random() < 0.8]
    value["tags"] = chance.choices(["Minka", "minka", "ours", "beach"], k=chance.randrange(4))
    for each in value["corrections"]:
        each["made_at"] = chance.choice(TIMES)
        each["undone_at"] = chance.choice([None, None, *TIMES])
    value["corrections"] = [each for each in value["corrections"] if chance.random() < 0.7]
    for name, choices in (("own_rating", (None, 0, 5)), ("favourite", (False, True)), ("hidden", (False, True)),
                          ("review", (None, "wrong", "later"))):  # fmt: skip
        if chance.random() < 0.5:
            value[name] = chance.choice(choices)
    value["terms"] = [each for each in value["terms"] if chance.random() < 0.8]
    if chance.random() < 0.3:
        value["vector"] = None
    if chance.random() < 0.4:
        line = {"text": "EXIT", "confidence": 0.9, "box": [0, 0, 9, 0, 9, 9, 0, 9], "block": 0}
        value["text"] = {"reader": chance.choice([1, 2, 99]), "closely": chance.random() < 0.5, "lines": [line]}
        text = dict(value["captions"][0], text="a sign", source="text") if value["captions"] else None
        value["captions"] += [text] if text and chance.random() < 0.5 else []
    for name in list(value["facts"]):
        if chance.random() < 0.1:
            value["facts"][name] = None
    if chance.random() < 0.2:
        value["facts"]["metadata_reader"] = 999
    return value


def outcome(
    data_dir: Path, target: Path, lines: list[bytes], patch: pytest.MonkeyPatch, at_once: int, catalogue: str = "",
    **options: Any,
) -> tuple[Any, ...]:  # fmt: skip
    """Return what an import of lines makes of a copy of a library, its report, and its problems."""
    shutil.copytree(data_dir, target)
    numbers = itertools.count()
    problems: list[str] = []
    with open_at(target, catalogue=catalogue) as library, patch.context() as changed:
        changed.setattr(line_import, "LINES_AT_ONCE", at_once)
        changed.setattr(merge, "new_edit", lambda: f"edit {next(numbers)}")
        exchange = Exchange(library.database, now=lambda: NOW)
        report = exchange.read_lines(lines, problem=problems.append, **options)
        return [_without_chance(json.loads(line)) for line in exported(library)], report, problems


def _without_chance(value: dict[str, Any]) -> dict[str, Any]:
    """A record without the names of edits that an import made, random marks, and times of the clock."""
    for each in value.get("corrections", ()):
        each["edit"] = "made" if each["edit"].startswith("edit ") else each["edit"]
    for each in value.get("captions", ()):
        each["created_at"] = each["created_at"] if each["source"] != "text" else None
    value.pop("first_used_at", None)
    if "facts" in value:
        value["facts"]["metadata_stale"] = value["facts"]["metadata_stale"] != 0
    if value["kind"] in ("album", "distinct"):
        value.pop("created_at", None)
    return value


@pytest.mark.parametrize("seed", range(SCENARIOS))
def test_together_is_as_one_by_one(
    lines: list[bytes], libraries: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    imported = scenario(lines, seed)
    data_dir = libraries[seed % 4]
    options: dict[str, Any] = {"replace": seed % 3 == 0, "match_paths": seed % 5 < 2}
    together = outcome(data_dir, tmp_path / "together", imported, monkeypatch, 200, **options)
    alone = outcome(data_dir, tmp_path / "alone", imported, monkeypatch, 1, **options)
    assert together == alone


def statements(library: Library, work: Callable[[], object]) -> int:
    """How many statements a piece of work takes."""
    with counted(library.database) as counts:
        work()
    return sum(counts)


def test_many_photos_take_as_many_statements_as_a_few(lines: list[bytes], tmp_path: Path) -> None:
    values = [json.loads(line) for line in lines]
    photos = [value for value in values if value["kind"] == "photo"]

    def numbered(count: int, **words: object) -> Iterable[bytes]:
        for number in range(count):
            photo = photos[number % len(photos)] | {"sha256": hashlib.sha256(str(number).encode()).hexdigest()}
            yield json.dumps(photo | words).encode()

    counts: dict[int, list[int]] = {}
    for count in (len(photos), 40 * len(photos)):
        with open_at(tmp_path / str(count)) as library:
            exchange = Exchange(library.database)
            exchange.read_lines([line for line in lines if b'"model"' in line[:40]])
            works: list[Callable[[], object]] = [
                lambda: exchange.read_lines(numbered(count)),  # noqa: B023 called at once
                lambda: exchange.read_lines(numbered(count)),  # noqa: B023
                lambda: exchange.read_lines(numbered(count, tags=["beach"], own_rating=5)),  # noqa: B023
            ]
            counts[count] = [statements(library, work) for work in works]
            assert len(exchange.photos_below(())) == count
    for few, many in zip(*counts.values(), strict=True):
        assert many < 2 * few


def test_many_sidecars_take_as_many_statements_as_a_few(tmp_path: Path) -> None:
    counts: dict[int, list[int]] = {}
    for count in (4, 60):
        folder = tmp_path / f"photos {count}"
        folder.mkdir()
        with open_at(tmp_path / f"data {count}") as library:
            paths = [make_photo(folder / f"{number}.jpg", note=str(number)) for number in range(count)]
            library.index(folder)
            editor = library.editor()
            editor.apply(editor.photos_at(paths), Edit(caption="Minka", tags=("cat",)))
            library.exchange().write_sidecars(library.exchange().photos_below(()))
            editor.undo(editor.photos_at(paths))
            exchange = Exchange(library.database)  # without the index of words
            counts[count] = [
                statements(library, lambda: exchange.read_sidecars([folder], replace=True))  # noqa: B023
                for _ in range(2)
            ]
            assert {photo.tags for path in paths if (photo := library.show(path))} == {("cat",)}
    for few, many in zip(*counts.values(), strict=True):
        assert many < 2 * few


def test_the_sidecars_of_two_copies_are_merged_one_after_the_other(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    first = make_photo(folder / "a.jpg")
    copy = Path(shutil.copy(first, folder / "b.jpg"))
    with open_at(tmp_path / "data") as library:
        library.index(folder)
        for path, text in ((first, "from the first"), (copy, "from the copy")):
            path.with_suffix(".xmp").write_bytes(described(text))
        report = Exchange(library.database).read_sidecars([folder])
        assert (report.read, report.changed, report.bad) == (2, 2, 0)
        photo = library.show(first)
        assert photo is not None
        assert photo.caption is not None
        assert photo.caption.text == "from the copy"
        assert "from the first" in {each.text for each in photo.history}


def test_a_server_merges_as_a_file_does(
    lines: list[bytes], libraries: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    imported = [line for seed in range(3) for line in scenario(lines, seed)]
    in_a_file = outcome(libraries[0], tmp_path / "file", imported, monkeypatch, 200)
    (tmp_path / "nothing").mkdir()
    in_a_server = outcome(tmp_path / "nothing", tmp_path / "server", imported, monkeypatch, 200, catalogue=postgres_url)
    assert in_a_server[:2] == in_a_file[:2]
    assert [problem.partition(":")[0] for problem in in_a_server[2]] == [
        problem.partition(":")[0] for problem in in_a_file[2]
    ]
