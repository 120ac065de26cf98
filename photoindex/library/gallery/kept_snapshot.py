"""A snapshot as a file in the data folder, so that a server shows a million photos at once and reads only what changed.

    header    magic, format, length and CRC-32 of the JSON, CRC-32 of the arrays
    JSON      the catalogue's version, its folders, the texts, and each array's type and length
    arrays    one after another, each at a multiple of eight bytes

It is a cache: a file that is damaged, of another catalogue or another format is passed over. Nothing in it is code.
"""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from photoindex.catalogue.change_feed import Version
from photoindex.library.gallery.snapshot import CODED, MARKED, PLAIN, Codes, Marks, Snapshot
from photoindex.system.atomic import replacing
from photoindex.system.json_files import parse_json
from photoindex.system.lazy_imports import lazily
from photoindex.system.regular_files import open_regular

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = lazily("numpy")  # it is imported behind the first answer

FILE: Final = "timeline.columns"
FORMAT: Final = 3  # raise it when the columns change

_MAGIC: Final = b"PHOTOCOL"
_HEADER: Final = struct.Struct("<8sIIII")


class Kept(NamedTuple):
    """A snapshot, the catalogue's version when it was read, and the folders that its files were below, by id."""

    snapshot: Snapshot
    version: Version
    roots: dict[int, str]


def save(path: Path, kept: Kept) -> None:
    """Write a snapshot. Raises OSError; then the file is as it was."""
    arrays: list[NDArray[Any]] = []
    texts: dict[str, list[str]] = {}
    for name in PLAIN:
        arrays.append(getattr(kept.snapshot, name))
    for name in CODED:
        codes: Codes = getattr(kept.snapshot, name)
        texts[name] = list(codes.names)
        arrays.append(codes.codes)
    for name in MARKED:
        marks: Marks = getattr(kept.snapshot, name)
        texts[name] = list(marks.names)
        arrays += [marks.rows, marks.codes]
    pieces = [np.ascontiguousarray(array).view(np.uint8).reshape(-1) for array in arrays]
    described = {
        "identity": kept.version.identity, "read": kept.version.revision, "revision": kept.snapshot.revision,
        "roots": kept.roots, "texts": texts, "lengths": [len(array) for array in arrays],
    }  # fmt: skip
    head = json.dumps(described).encode()
    check = 0
    for piece in pieces:
        check = zlib.crc32(piece.data, check)
    with replacing(path, own=True) as file:
        file.write(_HEADER.pack(_MAGIC, FORMAT, len(head), zlib.crc32(head), check))
        file.write(head)
        file.write(bytes(-(_HEADER.size + len(head)) % 8))
        for piece in pieces:
            file.write(piece.data)
            file.write(bytes(-piece.size % 8))


def load(path: Path) -> Kept | None:
    """Return the snapshot in a file; ``None`` when there is none that is whole and of this format."""
    try:
        with open_regular(path) as file:
            return _parsed(file.read())
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, struct.error):
        return None


def _parsed(data: bytes) -> Kept | None:
    magic, format_, length, head_check, check = _HEADER.unpack_from(data)
    head = data[_HEADER.size : _HEADER.size + length]
    if magic != _MAGIC or format_ != FORMAT or zlib.crc32(head) != head_check:
        return None
    described = parse_json(head.decode())
    types = [*PLAIN.values(), *["<i4"] * (len(CODED) + 2 * len(MARKED))]
    start = _HEADER.size + length
    start += -start % 8
    arrays, found = [], 0
    for kind, count in zip(types, described["lengths"], strict=True):
        dtype = np.dtype(kind)
        size = dtype.itemsize * count
        found = zlib.crc32(memoryview(data)[start : start + size], found)
        # An array of arrays, such as the hashes, gets its second dimension from its type.
        arrays.append(np.frombuffer(data, dtype.base, size // dtype.base.itemsize, start).reshape(count, *dtype.shape))
        start += size + -size % 8
    if found != check or len(data) != start:
        return None
    columns: dict[str, Any] = dict(zip(PLAIN, arrays, strict=False))
    rest = iter(arrays[len(PLAIN) :])
    texts = {name: tuple(values) for name, values in described["texts"].items()}
    columns |= {name: Codes(texts[name], next(rest)) for name in CODED}
    columns |= {name: Marks(texts[name], next(rest), next(rest)) for name in MARKED}
    roots = {int(number): str(folder) for number, folder in described["roots"].items()}
    version = Version(str(described["identity"]), int(described["read"]))
    return Kept(Snapshot(revision=int(described["revision"]), **columns), version, roots)
