"""Whether the files of photos still hold what was indexed: the catalogue knows them as they were when last compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.schema import file, photo, root
from photoindex.system.file_state import sha256_of
from photoindex.system.storage import stat


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """A present file as it was when its content was read."""

    photo_id: int
    content_hash: str
    size: int
    mtime_ns: int


def indexed_files(connection: Connection, photo_ids: Sequence[int]) -> dict[Path, IndexedFile]:
    """Return the files of these photos that the catalogue holds to be present, by path."""
    indexed: dict[Path, IndexedFile] = {}
    columns = (file.c.photo_id, photo.c.content_hash, file.c.size, file.c.mtime_ns)
    for chunk in chunks(photo_ids):
        query = (
            select(root.c.path, file.c.relative_path, *columns)
            .join_from(file, root)
            .join(photo, photo.c.id == file.c.photo_id)
            .where(file.c.photo_id.in_(chunk), file.c.missing_since.is_(None))
        )
        for path, relative_path, *values in connection.execute(query):
            indexed[Path(path, relative_path)] = IndexedFile(*values)
    return indexed


def holds(path: Path, indexed: IndexedFile) -> bool:
    """Return whether a path still holds the content that was indexed there. A file that was touched since is hashed.

    Raises :class:`OSError` for a path that cannot be read.
    """
    status = stat(path)
    if (status.st_size, status.st_mtime_ns) == (indexed.size, indexed.mtime_ns):
        return True
    return sha256_of(path) == indexed.content_hash
