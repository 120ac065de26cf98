"""Hash the files of claimed jobs, and notice those that change meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from photoindex.catalogue.jobs import Job
from photoindex.folders.walk import file_stat
from photoindex.system import url_contents
from photoindex.system.file_state import sha256_of
from photoindex.system.storage_errors import FileReplaced
from photoindex.system.url_paths import is_url
from photoindex.types import FileStat


@dataclass(frozen=True, slots=True)
class HashedJob:
    """A job, the SHA-256 of its file's bytes (hexadecimal), and the file's state while they were read."""

    job: Job
    content_hash: str
    stat: FileStat


class FileAbsent(Exception):
    """There is no regular file at the path, or none that can be reached."""


class FileChanging(Exception):
    """The file changed while it was read."""


def hash_job(job: Job) -> HashedJob:
    """Hash a job's file. Raises :class:`FileAbsent`, :class:`FileChanging`, or OSError when it cannot be read."""
    if is_url(job.path):
        return _hash_object(job)
    try:
        before = file_stat(job.path)
        if before is None:
            raise FileAbsent
        content_hash = sha256_of(job.path)
        after = file_stat(job.path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileAbsent from error
    if before != after:
        raise FileChanging
    return HashedJob(job, content_hash, before)


def _hash_object(job: Job) -> HashedJob:
    # The store itself refuses to give parts of two states of an object.
    try:
        status, content_hash = url_contents.digest(job.path)
    except FileNotFoundError as error:
        raise FileAbsent from error
    except FileReplaced as error:
        raise FileChanging from error
    return HashedJob(job, content_hash, FileStat.of(status))


def read_stat(path: Path) -> FileStat | None:
    """Return the state of the regular file at ``path``; ``None`` when there is none that can be reached."""
    try:
        return file_stat(path)
    except OSError:
        return None
