"""The bytes of a file that is to be captioned: what they hash to, and whether they held still meanwhile."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from photoindex.catalogue.jobs import Job
from photoindex.folders.walk import file_stat
from photoindex.types import FileStat

READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Ready:
    """A job whose bytes have been read: what they hash to, and the file's state while they were."""

    job: Job
    content_hash: str
    stat: FileStat


class Absent(Exception):
    """There is no regular file at the path, or none that can be reached."""


class Changing(Exception):
    """The file changed while it was read."""


def read_file(job: Job) -> Ready:
    """Hash a job's file. Raises :class:`Absent`, :class:`Changing`, or OSError when it cannot be read."""
    try:
        before = file_stat(job.path)
        if before is None:
            raise Absent
        content_hash = hash_file(job.path)
        after = file_stat(job.path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Absent from error
    if before != after:
        raise Changing
    return Ready(job, content_hash, before)


def read_stat(path: Path) -> FileStat | None:
    """The state of the regular file at ``path``; ``None`` when there is none that can be reached."""
    try:
        return file_stat(path)
    except OSError:
        return None


def hash_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
