"""Store impact matrices in numbered files; the newest one that fits the catalogue is used.

    terms/
      terms-<n>.matrix     a matrix; the next one gets the next number, and older ones are removed
      terms-….new          one being written; it is renamed when it is complete

A file is never changed, so no process reads an incomplete matrix, and a process may keep an old file mapped. On Windows
a mapped file cannot be removed: the next writer removes it.

    pointers <b>, rows <b>, impacts <b>    of block b, see blocks.py
    photos, norms                          int64, float32  per row
    sizes, models                          int64           per block: its rows, and its model
    scales                                 float32         per model
    terms                                  UTF-8, a line each

They are the arrays of a checked file (checked_file.py): a query reads, and checks, no other pages than its own.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from photoindex.search.checked_file import CheckedFile, DamagedFile, Writer, read_meta
from photoindex.search.terms.blocks import Block, blocks_of, numbers_of_terms
from photoindex.search.terms.matrix import Stamp, TermMatrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from photoindex.types import TermVocabulary, VectorBatch

FORMAT: Final = 2  # raise it when the layout changes: files of another format are made again

_NAME: Final = re.compile(r"terms-([0-9]{1,18})\.matrix")
_OF_A_BLOCK: Final = ("pointers", "rows", "impacts")
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
            except (DamagedFile, OSError):
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
        with suppress(DamagedFile, OSError):
            stamp, rows = _stamp_of(path, read_meta(path))
            if stamp.identity == identity and stamp.revision <= revision:
                return stamp, rows
    return None


def damaged(folder: Path) -> list[Path]:
    """Return the files that are not whole matrices of this format. Reads all of each. Raises OSError."""
    broken = []
    for path in _matrices(folder):
        try:
            load(path)
            CheckedFile(path).check()
        except FileNotFoundError:
            continue  # a newer one has taken its place
        except DamagedFile:
            broken.append(path)
    return broken


def publish(matrix: TermMatrix, folder: Path) -> Path:
    """Write a matrix as the newest, then remove the older ones. Raises OSError; then nothing was changed."""
    return _publish(matrix.stamp, matrix.terms, matrix.scales, matrix.blocks, folder)


def publish_vectors(
    stamp: Stamp,
    vocabularies: Mapping[int, TermVocabulary],
    read: Callable[[int], Iterable[VectorBatch]],
    folder: Path,
) -> Path:
    """Do so with the matrix that :func:`.matrix.build` would make of these, a block at a time."""
    numbers = numbers_of_terms(vocabularies.values())
    scales = np.array([vocabulary.scale for vocabulary in vocabularies.values()], np.float32)
    return _publish(stamp, list(numbers), scales, blocks_of(vocabularies, read, numbers), folder)


def _publish(
    stamp: Stamp, terms: Sequence[str], scales: NDArray[np.float32], blocks: Iterable[Block], folder: Path
) -> Path:
    import tempfile

    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(".new", "terms-", folder)
    written = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            _write(Writer(file), stamp, terms, scales, blocks)
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
    """Map a matrix. Raises DamagedFile for a file that is no whole matrix of this format, OSError."""
    file = CheckedFile(path)
    stamp, rows = _stamp_of(path, file.meta)
    names = ("photos", "norms", "sizes", "models", "scales", "terms")
    photo_ids, norms, sizes, models, scales, text = (file[name].all() for name in names)
    ends = np.cumsum(sizes)
    if len(photo_ids) != rows or len(norms) != rows or int(sizes.sum()) != rows:
        raise DamagedFile(f"{path} contradicts itself")
    blocks = [
        Block(
            int(model), photo_ids[end - size : end], norms[end - size : end], *(file[f"{n} {b}"] for n in _OF_A_BLOCK)
        )
        for b, (model, size, end) in enumerate(zip(models, sizes, ends, strict=True))
    ]
    return TermMatrix(stamp, text.tobytes().decode("utf-8").split("\n") if len(text) else [], scales, blocks)


def _write(
    writer: Writer, stamp: Stamp, terms: Sequence[str], scales: NDArray[np.float32], blocks: Iterable[Block]
) -> None:
    photo_ids, norms = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
    models: list[int] = []
    for number, block in enumerate(blocks):
        for name, part in zip(_OF_A_BLOCK, (block.pointers, block.rows, block.impacts), strict=True):
            writer.add(f"{name} {number}", part.all())
        photo_ids.append(block.photo_ids)
        norms.append(block.norms)
        models.append(block.model)
    writer.add("photos", np.concatenate(photo_ids))
    writer.add("norms", np.concatenate(norms))
    writer.add("sizes", np.array([len(each) for each in photo_ids[1:]], np.int64))
    writer.add("models", np.array(models, np.int64))
    writer.add("scales", scales)
    writer.add("terms", np.frombuffer("\n".join(terms).encode("utf-8"), np.uint8))
    rows = sum(map(len, photo_ids))
    writer.finish({"format": FORMAT, "identity": stamp.identity, "revision": stamp.revision, "rows": rows})


def _stamp_of(path: Path, meta: Mapping[str, Any]) -> tuple[Stamp, int]:
    """Return a matrix's stamp and how many rows it has. Raises DamagedFile for a file of another format."""
    if meta.get("format") != FORMAT:
        raise DamagedFile(f"{path} is of another format")
    return Stamp(meta["identity"], meta["revision"]), meta["rows"]


def _matrices(folder: Path) -> list[Path]:
    """Return the files of matrices, newest first."""
    with suppress(FileNotFoundError, NotADirectoryError):
        return sorted((path for path in folder.iterdir() if _NAME.fullmatch(path.name)), key=_number, reverse=True)
    return []


def _number(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    assert match is not None
    return int(match[1])
