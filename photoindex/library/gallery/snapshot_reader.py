"""Reading a snapshot from the catalogue: all of it, or what changed since an earlier one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from photoindex.catalogue import gallery_queries
from photoindex.catalogue.raw_sql import Asker
from photoindex.language.place_names import words_of
from photoindex.library.gallery.snapshot import CODED, MARKED, NO_ROW, PLAIN, UNKNOWN, Codes, Marks, Snapshot
from photoindex.system.lazy_imports import lazily
from photoindex.system.url_paths import url_text
from photoindex.types.hit import Place
from photoindex.types.term_sources import LABEL_SOURCE, PERSON_SOURCE, WRITTEN_SOURCES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = lazily("numpy")  # it is imported behind the first answer

CHUNK: Final = 20_000  # photos read at once: their rows as Python has them take much more memory than the columns

# Of which sources of a Term each of :data:`.snapshot.MARKED` is.
SOURCES: Final = {"tags": WRITTEN_SOURCES, "labels": (LABEL_SOURCE,), "people": (PERSON_SOURCE,)}

Arrays = dict[str, Any]


@dataclass(slots=True)
class _Names:
    """Codes of texts by column, which go on growing."""

    known: dict[str, dict[str, int]]

    @classmethod
    def of(cls, snapshot: Snapshot | None) -> _Names:
        if snapshot is None:
            return cls({name: {} for name in (*CODED, *MARKED)})
        columns = {name: getattr(snapshot, name).names for name in (*CODED, *MARKED)}
        return cls({name: {text: code for code, text in enumerate(texts)} for name, texts in columns.items()})

    def code(self, column: str, values: Iterable[str | None], count: int) -> NDArray[np.int32]:
        known = self.known[column]
        return np.fromiter(
            (UNKNOWN if not value else known.setdefault(value, len(known)) for value in values), np.int32, count
        )

    def texts(self, column: str) -> tuple[str, ...]:
        return tuple(self.known[column])


def read_all(asker: Asker, revision: int) -> Snapshot:
    """Read all photos that have a file."""
    names, roots = _Names.of(None), gallery_queries.root_paths(asker)
    parts: list[Arrays] = []
    last = -1
    while rows := gallery_queries.present_photos(asker, after=last, most=CHUNK):
        first, last = int(rows[0][0]), int(rows[-1][0])
        parts.append(_arrays(rows, gallery_queries.shown_terms_between(asker, first, last), roots, names))
    return _snapshot(_joined(parts), names, revision)


def read_changes(asker: Asker, old: Snapshot, changed: Sequence[int], gone: Sequence[int], revision: int) -> Snapshot:
    """Read photos that are new or changed, and leave out those that are gone; ``old`` itself where nothing that it
    holds is different."""
    names, roots = _Names.of(old), gallery_queries.root_paths(asker)
    parts: list[Arrays] = []
    for start in range(0, len(changed), CHUNK):
        part = changed[start : start + CHUNK]
        rows = gallery_queries.present_photos(asker, among=part)
        parts.append(_arrays(rows, gallery_queries.shown_terms_of(asker, part), roots, names))
    fresh = _joined(parts)
    leaving = old.rows_of([*changed, *gone])
    if leaving.size == fresh["ids"].size and _replaces(old, fresh):
        return _replaced(old, fresh, names, revision)
    stays = np.ones(old.count, np.bool_)
    stays[leaving] = False
    kept = old.taking(np.flatnonzero(stays)) if leaving.size else old
    both: Arrays = {name: np.concatenate([getattr(kept, name), fresh[name]]) for name in PLAIN}
    both |= {name: np.concatenate([getattr(kept, name).codes, fresh[name]]) for name in CODED}
    for name in MARKED:
        marks: Marks = getattr(kept, name)
        owners, codes = fresh[name]
        both[name] = np.concatenate([kept.ids[marks.rows], owners]), np.concatenate([marks.codes, codes])
    return _snapshot(both, names, revision)


def _replaces(old: Snapshot, fresh: Arrays) -> bool:
    """Return whether fresh photos are where they were in the order."""
    rows = old.rows_of(fresh["ids"])
    return rows.size == fresh["ids"].size and bool(np.array_equal(_ticks(old.taken[rows]), _ticks(fresh["taken"])))


def _replaced(old: Snapshot, fresh: Arrays, names: _Names, revision: int) -> Snapshot:
    """Return a snapshot with other values in the places of some photos; ``old`` itself where they are the same."""
    rows = old.rows_of(fresh["ids"])
    columns: dict[str, Any] = {}
    for name in PLAIN:
        now = getattr(old, name)
        if not np.array_equal(_ticks(now[rows]), _ticks(fresh[name]), equal_nan=now.dtype.kind == "f"):
            columns[name] = _with(now, rows, fresh[name])
    for name in CODED:
        codes: Codes = getattr(old, name)
        if not np.array_equal(codes.codes[rows], fresh[name]):
            columns[name] = Codes(names.texts(name), _with(codes.codes, rows, fresh[name]))
    for name in MARKED:
        marks: Marks = getattr(old, name)
        owners, found = fresh[name]
        held = old.mask(rows)[marks.rows]
        before = np.sort(_pairs(marks.rows[held], marks.codes[held]))
        fresh_rows = old.rows_of(owners).astype(np.int32)
        if not np.array_equal(before, np.sort(_pairs(fresh_rows, found))):
            all_rows = np.concatenate([marks.rows[~held], fresh_rows])
            columns[name] = Marks(names.texts(name), all_rows, np.concatenate([marks.codes[~held], found]))
    return replace(old, revision=revision, **columns) if columns else old


def _with(column: NDArray[Any], rows: NDArray[np.intp], values: NDArray[Any]) -> NDArray[Any]:
    made: NDArray[Any] = column.copy()
    made[rows] = values
    return made


def _pairs(rows: NDArray[np.int32], codes: NDArray[np.int32]) -> NDArray[np.int64]:
    found: NDArray[np.int64] = (rows.astype(np.int64) << 32) + codes
    return found


def _ticks(values: NDArray[Any]) -> NDArray[Any]:
    """Return times as numbers: there NaT equals itself."""
    found: NDArray[Any] = values.view(np.int64) if values.dtype.kind == "M" else values
    return found


def _snapshot(arrays: Arrays, names: _Names, revision: int) -> Snapshot:
    """Return photos in the order of the timeline."""
    ids = arrays["ids"]
    # Newest first. NaT is the least number, which has no opposite, so that it is moved to the end by itself.
    ticks = _ticks(arrays["taken"])
    order = np.lexsort((-ids, np.where(ticks == np.iinfo(np.int64).min, np.iinfo(np.int64).max, -ticks)))
    row_of = np.full(int(ids.max(initial=-1)) + 1, NO_ROW, np.int32)
    row_of[ids[order]] = np.arange(ids.size, dtype=np.int32)
    columns: dict[str, Any] = {name: arrays[name][order] for name in PLAIN}
    columns |= {name: Codes(names.texts(name), arrays[name][order]) for name in CODED}
    for name in MARKED:
        owners, codes = arrays[name]
        columns[name] = Marks(names.texts(name), row_of[owners], codes)
    return Snapshot(revision=revision, **columns)


def _joined(parts: list[Arrays]) -> Arrays:
    parts = parts or [_arrays([], [], {}, _Names.of(None))]
    found: Arrays = {name: np.concatenate([part[name] for part in parts]) for name in (*PLAIN, *CODED)}
    for name in MARKED:
        owners, codes = zip(*(part[name] for part in parts), strict=True)
        found[name] = np.concatenate(owners), np.concatenate(codes)
    return found


def _arrays(
    rows: Sequence[tuple[Any, ...]], terms: Sequence[tuple[Any, ...]], roots: Mapping[int, Path], names: _Names
) -> Arrays:
    """Return rows of the catalogue as arrays by column, and (photo ids, codes) of tags and of labels."""
    rows = [row for row in rows if _is_hash(row[1])]
    count = len(rows)
    columns: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * 23
    (ids, hashes, widths, heights, taken, cameras, ratings, added, formats, countries, cities, sizes, root_ids,
     relatives, favourites, hidden, latitudes, longitudes, file_times, districts, regions,
     country_codes, metropoles) = columns  # fmt: skip
    positions = _positions(latitudes, longitudes)
    found: Arrays = {
        "ids": np.array(ids, np.int64),
        "hashes": np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8).reshape(count, 32),
        "widths": _numbers(widths, np.int32),
        "heights": _numbers(heights, np.int32),
        "taken": _times(taken),
        "added": _times(added),
        "file_times": _numbers(file_times, np.bool_),
        "ratings": _numbers(ratings, np.int8),
        "sizes": _numbers(sizes, np.int64),
        "favourites": _numbers(favourites, np.bool_),
        "hidden": _numbers(hidden, np.bool_),
        "latitudes": positions[0],
        "longitudes": positions[1],
        "cameras": names.code("cameras", cameras, count),
        "formats": names.code("formats", formats, count),
        "places": names.code("places", map(_place, cities, countries), count),
        "wheres": names.code(
            "wheres", map(_where, cities, districts, regions, countries, country_codes, metropoles), count
        ),
        "folders": names.code("folders", _folders(roots, root_ids, relatives), count),
    }  # fmt: skip
    held = set(ids)
    for name in MARKED:
        pairs = _each_once((one, text) for one, text, source in terms if source in SOURCES[name] and one in held)
        owners = np.array([one for one, _ in pairs], np.int64)
        found[name] = owners, names.code(name, (text for _, text in pairs), len(pairs))
    return found


def _each_once(pairs: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return (photo, text) without those that differ by capitals alone: a tag may be a keyword of the file, too."""
    found: dict[tuple[int, str], str] = {}
    for one, text in pairs:
        found.setdefault((one, text.casefold()), text)
    return [(one, text) for (one, _), text in found.items()]


def _positions(latitudes: Sequence[float | None], longitudes: Sequence[float | None]) -> NDArray[np.float32]:
    """Return latitudes and longitudes in two rows; NaN in both where either is not known or on no globe."""
    found = np.array([latitudes, longitudes], np.float32)
    found[:, (np.abs(found[0]) > 90) | (np.abs(found[1]) > 180) | np.isnan(found).any(axis=0)] = np.nan
    return found


def _place(city: str | None, country: str | None) -> str:
    return ", ".join(part for part in (city, country) if part)


@lru_cache(maxsize=1 << 14)
def _where(*parts: str | None) -> str:
    return words_of(Place(*(part or "" for part in parts)))


def _folders(roots: Mapping[int, Path], root_ids: Sequence[int], relatives: Sequence[bytes]) -> Iterator[str]:
    """Yield the folder of each file; one text for all files of a folder."""
    known: dict[tuple[int, bytes], str] = {}
    for root, relative in zip(root_ids, relatives, strict=True):
        place = root, bytes(relative).rpartition(b"/")[0]
        if place not in known:
            known[place] = url_text(os.path.join(roots[root], os.fsdecode(place[1])).rstrip("/"))
        yield known[place]


def _is_hash(text: str) -> bool:
    try:
        return len(bytes.fromhex(text)) == 32
    except ValueError:
        return False


def _numbers(values: Sequence[Any], kind: Any) -> NDArray[Any]:
    return np.array([value or 0 for value in values], kind)


def _times(values: Sequence[str | datetime | None]) -> NDArray[np.datetime64]:
    """Return times as any driver has them, to the second."""
    never = np.datetime64("NaT", "s")
    return np.array(
        [never if value is None else str(value)[:19].replace(" ", "T") for value in values], "datetime64[s]"
    )
