"""The durable queue: which files are to be captioned, who works on them, what failed and why.

A job is a row in the catalogue. A worker *claims* jobs with a lease; it then finishes, fails or releases each one. A
worker that dies leaves its leases behind: they are taken back at once by the next worker on the same machine, and
otherwise when they run out. Jobs that cannot be finished stay as the failure ledger until they are retried, ignored or
their file changes.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, update

from photoindex.errors import PhotoError, UnreadablePhoto
from photoindex.store.tables import file, job, root
from photoindex.types import Failure, FileStat

KIND = "caption"
AGAIN = "recaption"  # also where the content has a caption already
LEASE = timedelta(minutes=10)
MAX_ATTEMPTS = 5
# Before another try after a failure that may pass: a disk that woke slowly, a share that was away overnight.
BACKOFF = tuple(timedelta(minutes=m) for m in (1, 5, 30, 120))
CHUNK = 500
_PROCESS = secrets.token_hex(4)  # tells this process from an earlier one of the same id (in a container always 1)
_LEDGER_STATES: dict[str, Literal["retrying", "failed", "ignored"]] = {"failed": "failed", "ignored": "ignored"}


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job: this worker's to do until its lease runs out. ``photo_id`` is what the file held when last read;
    ``again`` asks for a new caption even though its content has one."""

    id: int
    file_id: int
    path: Path
    root: Path
    stat: FileStat
    attempts: int
    again: bool


def owner_name() -> str:
    """This process, as leases name it: host, process id and a token."""
    return f"{socket.gethostname()}:{os.getpid()}:{_PROCESS}"


def enqueue(connection: Connection, file_ids: Sequence[int], now: datetime, kind: str = KIND) -> None:
    """Queue files, in the transaction that found them. A file that is queued already, or failed before, starts anew."""
    for start in range(0, len(file_ids), CHUNK):
        chunk = list(file_ids[start : start + CHUNK])
        connection.execute(delete(job).where(job.c.file_id.in_(chunk), job.c.state != "running"))
        # A running job read the file's old state: its owner notices that the file changed and queues it again.
        running = set(connection.execute(select(job.c.file_id).where(job.c.file_id.in_(chunk))).scalars())
        rows = [
            {"kind": kind, "file_id": file_id, "state": "queued", "attempts": 0, "next_try_at": now, "created_at": now}
            for file_id in chunk
            if file_id not in running
        ]
        if rows:
            connection.execute(insert(job), rows)


def claim(connection: Connection, owner: str, limit: int, now: datetime) -> list[Job]:
    """Take up to ``limit`` due jobs, oldest first. Call it in a write transaction.

    The attempt is counted here, so that a file that kills its worker cannot be tried for ever.
    """
    due = or_(
        and_(job.c.state == "queued", job.c.next_try_at <= now),
        and_(job.c.state == "running", job.c.lease_until < now, job.c.attempts < MAX_ATTEMPTS),
    )
    rows = connection.execute(
        select(
            job.c.id, job.c.file_id, job.c.kind, job.c.attempts, file.c.relative_path, file.c.size, file.c.mtime_ns,
            file.c.inode, root.c.path,
        )
        .join_from(job, file)
        .join(root)
        .where(due)
        .order_by(job.c.next_try_at, job.c.id)
        .limit(limit)
    ).all()  # fmt: skip
    if rows:
        connection.execute(
            update(job)
            .where(job.c.id.in_([row.id for row in rows]))
            .values(state="running", lease_owner=owner, lease_until=now + LEASE, attempts=job.c.attempts + 1)
        )
    return [
        Job(
            row.id,
            row.file_id,
            Path(row.path, row.relative_path),
            Path(row.path),
            FileStat(row.size, row.mtime_ns, row.inode),
            row.attempts + 1,
            row.kind == AGAIN,
        )
        for row in rows
    ]


def renew(connection: Connection, owner: str, now: datetime) -> None:
    """Push back the end of this owner's leases: it is alive and working."""
    connection.execute(
        update(job).where(job.c.state == "running", job.c.lease_owner == owner).values(lease_until=now + LEASE)
    )


def finish(connection: Connection, job_id: int) -> None:
    """The work is done, in the transaction that stores its result."""
    connection.execute(delete(job).where(job.c.id == job_id))


def release(connection: Connection, job_ids: Sequence[int], next_try_at: datetime) -> None:
    """Give jobs back untried: the worker is stopping, or the file is not ready. The attempt does not count."""
    for start in range(0, len(job_ids), CHUNK):
        connection.execute(
            update(job)
            .where(job.c.id.in_(job_ids[start : start + CHUNK]), job.c.state == "running")
            .values(state="queued", lease_owner=None, lease_until=None, attempts=job.c.attempts - 1,
                    next_try_at=next_try_at)
        )  # fmt: skip


def fail(connection: Connection, claimed: Job, error: PhotoError, now: datetime) -> bool:
    """Note why a file cannot be captioned. Returns whether it will be tried again by itself."""
    again = error.retryable and claimed.attempts < MAX_ATTEMPTS
    delay = BACKOFF[min(claimed.attempts, len(BACKOFF)) - 1] if again else timedelta(0)
    connection.execute(
        update(job)
        .where(job.c.id == claimed.id)
        .values(
            state="queued" if again else "failed",
            next_try_at=now + delay,
            lease_owner=None,
            lease_until=None,
            error_kind=error.kind,
            # A name that is no valid text may be part of it.
            error_message=str(error).encode("utf-8", "backslashreplace").decode("utf-8"),
        )
    )
    return again


def take_back_dead(connection: Connection, now: datetime) -> int:
    """Release the leases that ran out and those of this machine's dead processes. Returns how many jobs came back.

    A job whose worker died :data:`MAX_ATTEMPTS` times over it fails instead: it may be what kills them.
    """
    host = socket.gethostname()
    owners = connection.execute(select(job.c.lease_owner).where(job.c.state == "running").distinct()).scalars().all()
    dead = [owner for owner in owners if owner and owner.startswith(f"{host}:") and not _alive(owner)]
    theirs = and_(job.c.state == "running", or_(job.c.lease_owner.in_(dead), job.c.lease_until < now))
    connection.execute(
        update(job)
        .where(theirs, job.c.attempts >= MAX_ATTEMPTS)
        .values(state="failed", lease_owner=None, lease_until=None, error_kind="interrupted",
                error_message=f"photoindex stopped {MAX_ATTEMPTS} times while it worked on this file")
    )  # fmt: skip
    result = connection.execute(
        update(job).where(theirs).values(state="queued", lease_owner=None, lease_until=None, next_try_at=now)
    )
    return int(result.rowcount)


def count_abandoned(connection: Connection, now: datetime) -> int:
    """Claimed jobs that :func:`take_back_dead` would take back."""
    rows = connection.execute(select(job.c.lease_owner, job.c.lease_until).where(job.c.state == "running"))
    return sum((until is not None and until < now) or is_alive(owner or "") is False for owner, until in rows)


def is_alive(owner: str) -> bool | None:
    """Whether the process with this :func:`owner_name` runs; ``None`` for another machine's."""
    return _alive(owner) if owner.startswith(f"{socket.gethostname()}:") else None


def _alive(owner: str) -> bool:
    pid = int(owner.split(":")[1])
    if pid == os.getpid():
        return owner == owner_name()
    if os.name == "nt":
        return True  # no harmless probe: wait for the lease to run out
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def final_failures(connection: Connection, file_ids: Sequence[int]) -> set[int]:
    """Those of these files that need no other try until their bytes change: ignored, or failed for what they are."""
    final = or_(job.c.state == "ignored", and_(job.c.state == "failed", job.c.error_kind != UnreadablePhoto.kind))
    return set(connection.execute(select(job.c.file_id).where(job.c.file_id.in_(file_ids), final)).scalars())


def counts(connection: Connection) -> dict[str, int]:
    """Jobs by state; ``retrying`` are queued ones that failed at least once."""
    found = {"queued": 0, "retrying": 0, "running": 0, "failed": 0, "ignored": 0}
    rows = connection.execute(
        select(job.c.state, job.c.error_kind.is_not(None), func.count()).group_by(
            job.c.state, job.c.error_kind.is_not(None)
        )
    )
    for state, tried, number in rows:
        found["retrying" if state == "queued" and tried else state] += number
    return found


def counts_by_root(connection: Connection) -> dict[int, dict[str, int]]:
    """:func:`counts` for each root that has any jobs."""
    tried = job.c.error_kind.is_not(None)
    found: dict[int, dict[str, int]] = {}
    rows = connection.execute(
        select(file.c.root_id, job.c.state, tried, func.count())
        .join_from(job, file)
        .group_by(file.c.root_id, job.c.state, tried)
    )
    for root_id, state, has_failed, number in rows:
        states = found.setdefault(root_id, {"queued": 0, "retrying": 0, "running": 0, "failed": 0, "ignored": 0})
        states["retrying" if state == "queued" and has_failed else state] += number
    return found


def count_due(connection: Connection, now: datetime) -> int:
    """How many queued jobs may be claimed now."""
    due = and_(job.c.state == "queued", job.c.next_try_at <= now)
    return connection.execute(select(func.count()).select_from(job).where(due)).scalar_one()


def next_due(connection: Connection) -> datetime | None:
    """When the next queued job may be claimed."""
    due: datetime | None = connection.execute(
        select(func.min(job.c.next_try_at)).where(job.c.state == "queued")
    ).scalar()
    return due


def failures(connection: Connection, *, include_ignored: bool = False) -> list[Failure]:
    """The failure ledger, by path."""
    states = ["failed", "queued", "running", *(["ignored"] if include_ignored else [])]
    rows = connection.execute(
        select(job, file.c.relative_path, root.c.path)
        .join_from(job, file)
        .join(root)
        .where(job.c.error_kind.is_not(None), job.c.state.in_(states))
    )
    found = []
    for row in rows:
        state = _LEDGER_STATES.get(row.state, "retrying")
        found.append(
            Failure(
                Path(row.path, row.relative_path), row.error_kind, row.error_message, row.attempts, state,
                row.next_try_at if state == "retrying" else None,
            )
        )  # fmt: skip
    return sorted(found, key=lambda failure: failure.path)


def retry_failures(connection: Connection, file_ids: Sequence[int] | None, now: datetime) -> int:
    """Queue failed files again: all but the ignored ones, or these, ignored or not. Returns how many."""
    chosen: ColumnElement[bool]
    if file_ids is None:
        chosen = job.c.state.in_(("failed", "queued"))
    else:
        chosen = and_(job.c.state.in_(("failed", "queued", "ignored")), job.c.file_id.in_(file_ids))
    where = and_(job.c.error_kind.is_not(None), chosen)
    result = connection.execute(update(job).where(where).values(state="queued", attempts=0, next_try_at=now))
    return int(result.rowcount)


def ignore_failures(connection: Connection, file_ids: Sequence[int]) -> int:
    """Stop reporting these files until they change. Returns how many had failed."""
    result = connection.execute(
        update(job).where(job.c.error_kind.is_not(None), job.c.file_id.in_(file_ids)).values(state="ignored")
    )
    return int(result.rowcount)
