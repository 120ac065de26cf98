"""Store impact matrices in numbered files; the newest one that fits the catalogue is used.

    terms/
      terms-<n>.matrix     a matrix; the next one gets the next number, and older ones are removed
      terms-….new          one being written; it is renamed when it is complete

A file is never changed, so no process reads an incomplete matrix, and a process may keep an old file mapped. On Windows
a mapped file cannot be removed: the next writer removes it.

    header       the shapes of the parts, and two checksums
    terms        UTF-8, a line each
    pointers     int64    per term and one more
    photo ids    int64    per row
    norms        float32  per row
    bounds       int64    per model and one more
    scales       float32  per model
    checks       uint32   per term: the CRC-32 of its column
    rows         uint32   per entry
    impacts      uint8    per entry

Every number is little-endian, every part begins at a multiple of eight bytes. All but the last two parts are checked
when the file is opened; a column when it is first read, so a query reads no other pages.
"""

from __future__ import annotations

import mmap
import os
import re
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from photoindex.search.terms.matrix import DamagedMatrix, Stamp, TermMatrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT: Final = 1  # raise it when the layout changes: files of another format are made anew

_MAGIC: Final = b"PHOTOIDX"
_HEADER: Final = struct.Struct("<8sI32sq5QI")  # magic, format, identity, revision, sizes, the parts' checksum
_CHECK: Final = struct.Struct("<I")  # the header's own
_FIRST: Final = 104  # where the parts begin
_NAME: Final = re.compile(r"terms-([0-9]{1,18})\.matrix")
_LISTINGS: Final = 10
_ABANDONED: Final = 3600.0  # seconds after which a file that was being written is nobody's


def load_newest(folder: Path, identity: str, revision: int) -> TermMatrix | None:
    """Return the newest whole matrix of this catalogue, none newer than the catalogue; ``None`` when there is none."""
    for _ in range(_LISTINGS):
        gone = False
        for path in _matrices(folder):
            try:
                matrix = load(path)
            except FileNotFoundError:  # it went between being listed and being opened: there is a newer one
                gone = True
                break
            except (DamagedMatrix, OSError):
                continue
            if matrix.stamp.identity == identity and matrix.stamp.revision <= revision:
                return matrix
        if not gone:
            break
    return None


def newest_stamp(folder: Path, identity: str, revision: int) -> tuple[Stamp, int] | None:
    """Return the stamp and number of rows of the matrix that :func:`load_newest` would load, reading its header
    alone."""
    for path in _matrices(folder):
        with suppress(DamagedMatrix, OSError), path.open("rb") as file:
            stamp, sizes, _ = _read_header(file.read(_FIRST), os.fstat(file.fileno()).st_size)
            if stamp.identity == identity and stamp.revision <= revision:
                return stamp, sizes[1]
    return None


def damaged(folder: Path) -> list[Path]:
    """Return the files that are not whole matrices of this format. Reads all of each. Raises OSError."""
    broken = []
    for path in _matrices(folder):
        try:
            whole = load(path).is_whole()
        except FileNotFoundError:
            continue  # a newer one has taken its place
        except DamagedMatrix:
            whole = False
        if not whole:
            broken.append(path)
    return broken


def publish(matrix: TermMatrix, folder: Path) -> Path:
    """Write a matrix as the newest, then remove the older ones. Raises OSError; then nothing was changed."""
    import tempfile

    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(".new", "terms-", folder)
    written = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            for part in _parts(matrix):
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        existing = _matrices(folder)
        number = max((_number(path) for path in existing), default=0) + 1
        path = folder / f"terms-{number}.matrix"
        # Should two processes come to the same number, the later replaces the earlier: each stands for its own stamp.
        written.replace(path)
    except BaseException:
        with suppress(OSError):
            written.unlink()
        raise
    for old in [*existing, *folder.glob("terms-*.new")]:
        with suppress(OSError):
            if old.suffix != ".new" or old.stat().st_mtime < time.time() - _ABANDONED:
                old.unlink()
    return path


def load(path: Path) -> TermMatrix:
    """Map a matrix. Raises DamagedMatrix for a file that is no whole matrix of this format, OSError."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < _FIRST:
            raise DamagedMatrix(f"{path} is too short")
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    stamp, sizes, check = _read_header(mapped[:_FIRST], size)
    places, _ = _layout(sizes)
    if zlib.crc32(memoryview(mapped)[_FIRST : places["rows"][0]]) != check:
        raise DamagedMatrix(f"{path} is damaged")

    def part(name: str) -> NDArray[Any]:
        start, dtype, count = places[name]
        return np.frombuffer(mapped, dtype, count, start) if count else np.zeros(0, dtype)

    start, _, length = places["terms"]
    lines = mapped[start : start + length]
    terms = lines.decode("utf-8").split("\n") if sizes[0] else []
    pointers = part("pointers")
    if len(terms) != sizes[0] or pointers[-1] != sizes[2]:
        raise DamagedMatrix(f"{path} contradicts itself")
    others = [part(name) for name in ("photo ids", "norms", "bounds", "scales", "rows", "impacts", "checks")]
    return TermMatrix(stamp, terms, pointers, *others)


def _matrices(folder: Path) -> list[Path]:
    """Return the files of matrices, newest first."""
    with suppress(FileNotFoundError, NotADirectoryError):
        return sorted((path for path in folder.iterdir() if _NAME.fullmatch(path.name)), key=_number, reverse=True)
    return []


def _number(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    assert match is not None
    return int(match[1])


_Sizes = tuple[int, int, int, int, int]  # terms, rows, entries, models, bytes of the terms


def _layout(sizes: _Sizes) -> tuple[dict[str, tuple[int, str, int]], int]:
    """Return the place, type and length of each part, and the size of the file."""
    terms, rows, entries, models, text = sizes
    parts = (
        ("terms", "u1", text),
        ("pointers", "<i8", terms + 1),
        ("photo ids", "<i8", rows),
        ("norms", "<f4", rows),
        ("bounds", "<i8", models + 1),
        ("scales", "<f4", models),
        ("checks", "<u4", terms),
        ("rows", "<u4", entries),
        ("impacts", "u1", entries),
    )
    places = {}
    at = _FIRST
    for name, dtype, count in parts:
        places[name] = (at, dtype, count)
        at += -(-count * int(dtype[-1]) // 8) * 8
    return places, at


def _parts(matrix: TermMatrix) -> Iterator[bytes | memoryview]:
    """Yield the bytes of the file, in pieces."""
    text = "\n".join(matrix.terms).encode("utf-8")
    sizes = (len(matrix.terms), len(matrix), len(matrix.rows), len(matrix.scales), len(text))
    arrays = {
        "terms": np.frombuffer(text, np.uint8),
        "pointers": matrix.pointers,
        "photo ids": matrix.photo_ids,
        "norms": matrix.norms,
        "bounds": matrix.bounds,
        "scales": matrix.scales,
        "checks": matrix.checks(),
        "rows": matrix.rows,
        "impacts": matrix.impacts,
    }
    pieces: dict[str, list[bytes | memoryview]] = {}
    check = 0
    for name, (_, dtype, count) in _layout(sizes)[0].items():
        content = np.ascontiguousarray(arrays[name], dtype)
        pieces[name] = [content.data, bytes(-count * int(dtype[-1]) % 8)]
        if name not in ("rows", "impacts"):
            for piece in pieces[name]:
                check = zlib.crc32(piece, check)
    header = _HEADER.pack(_MAGIC, FORMAT, matrix.stamp.identity.encode("ascii"), matrix.stamp.revision, *sizes, check)
    header += _CHECK.pack(zlib.crc32(header))
    yield header.ljust(_FIRST, b"\0")
    for parts in pieces.values():
        yield from parts


def _read_header(header: bytes, size: int) -> tuple[Stamp, _Sizes, int]:
    """Return the stamp, the sizes and the parts' checksum. ``size`` is the file's. Raises DamagedMatrix."""
    if len(header) < _FIRST:
        raise DamagedMatrix("too short")
    magic, format_, identity, revision, *sizes, check = _HEADER.unpack_from(header)
    (own_check,) = _CHECK.unpack_from(header, _HEADER.size)
    if magic != _MAGIC or format_ != FORMAT or zlib.crc32(header[: _HEADER.size]) != own_check:
        raise DamagedMatrix("no header of this format")
    terms, rows, entries, models, text = sizes
    counts = (terms, rows, entries, models, text)
    if _layout(counts)[1] != size:
        raise DamagedMatrix("not as long as it says")
    return Stamp(identity.rstrip(b"\0").decode("ascii", "replace"), revision), counts, check
