"""Mutated exports and sidecars: each is read, or is one clear error, and what lies beside it is unharmed."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from photoindex.catalogue.editor import Edit
from photoindex.config import Settings
from photoindex.errors import ExchangeError
from photoindex.exchange.sidecars import SidecarContent, read_words, write_sidecar
from photoindex.library import Library
from tests.exchange import samples
from tests.support import FakeCaptioner, make_photo

NOW = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 10**400, -(10**30), 2**63, 1e308, float("nan"), float("inf"), "", " ", "\0", "\ud800",
    "\x1b[2J", "\u202e", "x" * 5000, "9999-12-31T23:59:59-23:59", "0001-01-01", "[[[[", [], [[]], {}, {"": 0},
)  # fmt: skip


def mutated_bytes(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Yield copies of ``data`` with bytes changed, removed, doubled or cut off, without line breaks."""
    chance = random.Random(seed)
    for _ in range(count):
        changed = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            at, length = chance.randrange(len(changed) or 1), chance.randint(1, 40)
            match chance.randrange(5):
                case 0:
                    changed[at : at + 1] = chance.randbytes(1)
                case 1:
                    del changed[at : at + length]
                case 2:
                    changed[at:at] = changed[at : at + length]
                case 3:
                    changed[at:at] = chance.randbytes(length)
                case _:
                    changed = changed[: at + 1]
        yield bytes(changed).replace(b"\n", b" ")


def mutated_values(line: bytes) -> Iterator[bytes]:
    """Yield a line once for each value in it and each replacement."""
    for path in _paths(json.loads(line)):
        for replacement in VALUES:
            value = json.loads(line)
            inner = value
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = replacement
            yield json.dumps(value).encode()


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from _paths(inner, (*path, key))


def exported(library: Library) -> list[bytes]:
    out = io.BytesIO()
    library.exchange().write_lines(out)
    return out.getvalue().splitlines()


def test_mutated_lines_harm_no_other_photo(library: Library, album: Path, tmp_path: Path) -> None:
    for name, colour in (("a.jpg", "red"), ("b.jpg", "blue"), ("c.png", "green")):
        make_photo(album / name, colour)
    library.index(album)
    editor = library.editor()
    for name in ("a.jpg", "b.jpg"):
        editor.apply(editor.photos_at([album / name]), Edit(caption=f"Minka {name}", tags=("cat",)))
    head, photos = exported(library)[:2], exported(library)[2:]
    photo = next(line for line in photos if b"Minka a.jpg" in line)
    others = [line for line in photos if line != photo]
    bad = [*mutated_bytes(photo, 700, 1), *mutated_bytes(head[1], 100, 2), *mutated_values(photo)]
    lines = [*head, *others, *bad]
    problems: list[str] = []
    settings = Settings(tmp_path / "new", settle_seconds=0.0, read_text="never")
    with Library(settings, lambda _: FakeCaptioner()) as new:
        report = new.exchange().read_lines(lines, problem=problems.append)
        assert len(bad) > 1500
        assert 0 < report.bad < len(bad)
        assert len(problems) == report.bad
        assert not [problem for problem in problems if "\n" in problem or len(problem) > 300]
        new.index(album)
        after = exported(new)
        assert set(others) <= set(after)
        # What was taken over can be searched, shown and exported.
        assert {hit.path.name for hit in new.search("tag:cat")} >= {"b.jpg"}
        for name in ("a.jpg", "b.jpg", "c.png"):
            assert new.show(album / name) is not None
        assert new.exchange().write_sidecars(new.exchange().photos_below(()), machine=True).failed == 0


def test_mutated_sidecars_are_read_or_refused_and_never_lost(tmp_path: Path) -> None:
    content = SidecarContent("Minka", "user", None, NOW, ("cat",), frozenset({"Minka"}), frozenset({"cat"}))
    whole = tmp_path / "whole.xmp"
    write_sidecar(whole, content, NOW)
    originals = [*samples.ALL.values(), whole.read_bytes()]
    errors: list[str] = []
    changed, unharmed = 0, True
    for number, original in enumerate(originals):
        for data in mutated_bytes(original, 150, number):
            path = tmp_path / "a.xmp"
            path.write_bytes(data)
            try:
                read_words([path], {path: NOW})
                change = write_sidecar(path, content, NOW)
            except ExchangeError as error:
                errors.append(str(error))
                unharmed &= path.read_bytes() == data
                continue
            changed += change is not None and change.changes
            again = write_sidecar(path, content, NOW)
            assert again is not None
            assert not again.changes
    assert unharmed
    assert not [error for error in errors if "\n" in error]
    assert len(errors) > 50
    assert changed > 5
