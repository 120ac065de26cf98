"""The durable queue: files to be captioned, the workers that claimed them, and the failures.

A job is a row in the catalogue. A worker *claims* jobs with a lease and *begins* those it is about to decode; it then
finishes, fails or releases each one. A worker that dies leaves its leases behind: they are taken back at once by the
next worker on the same machine, and otherwise when they run out. Jobs that cannot be finished stay as the failure
ledger until they are retried, ignored or their file changes.

Each claim has a token. A worker that was held up for longer than its lease finds another token, or none, on its job
(:func:`sort_out`), in the transaction that would store its result, and stores nothing. No date is trusted further than
this module itself sets one: a lease or a wait that ends later than any could is of a clock that was ahead.

A try is counted when it begins. So a job that was taken back with a try more than before was being worked on when its
worker died, and may be why. All that were are suspects, most of them for being neighbours only; they are found out by
group testing, halving each time: jobs with more tries are claimed in smaller batches, 32, 16, 8 … and at last one by
one. A batch without the culprit goes through; a file fails only when it was alone :data:`LONE_TRIES` times.

Reading the text in a photo is a job of its own kind, :data:`TEXT`, which is claimed, and counted, by itself: captions
never wait for it. A file may have such a job beside that of its caption.

Jobs that a person asked for together belong to a batch in the catalogue (:mod:`.batches`), which may be
paused or cancelled. A job goes before all of a lower priority, whatever their age.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Final, Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, not_, or_, select, true, tuple_, update

from photoindex.catalogue.change_feed import version
from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.dialects import is_shared
from photoindex.catalogue.schema import batch, file, job, root
from photoindex.errors import PhotoError, UnreadablePhoto
from photoindex.system.processes import is_running
from photoindex.types import Failure, FileStat

Priority = Literal["high", "normal", "low"]

KIND = "caption"
AGAIN = "recaption"  # also where the content has a caption already
TEXT = "text"  # reading the text in a photo
STALE: Final = "stale"  # of batches.BatchKind: what has a caption by another model
LEASE = timedelta(minutes=10)
CLAIM = 64  # jobs taken at once, as long as none is a suspect
LONE_TRIES = 3  # how often a worker must die with one job alone before that job fails
MAX_INTERRUPTIONS = CLAIM.bit_length() - 1 + LONE_TRIES  # halvings from CLAIM down to one, and then alone
MAX_ATTEMPTS = 5  # tries that end in a failure that may pass
# Before another try after a failure that may pass: a disk that woke slowly, a share that was away overnight.
BACKOFF = tuple(timedelta(minutes=m) for m in (1, 5, 30, 120))
_NO_JOBS = dict.fromkeys(("queued", "retrying", "running", "failed", "ignored"), 0)
LONGEST_WAIT = timedelta(hours=3)  # more than any wait or lease that is set here or by a worker
EVER: Final = -1  # of Job.since
_NO_LEASE: Final[dict[str, None]] = {"lease_owner": None, "lease_until": None, "lease_token": None}
PRIORITIES: dict[Priority, int] = {"high": 0, "normal": 1, "low": 2}  # what is new is of normal priority
_PROCESS = secrets.token_hex(4)  # tells this process from an earlier one of the same id (in a container always 1)
_LEDGER_STATES: dict[str, Literal["retrying", "failed", "ignored"]] = {"failed": "failed", "ignored": "ignored"}


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job, which belongs to this worker until its lease ends. ``attempts`` counts the tries, this one
    included; ``again`` asks for a new caption even though its content has one, unless this model made that after the
    revision ``since`` of the catalogue. ``token`` is that of the claim."""

    id: int
    file_id: int
    path: Path
    root: Path
    stat: FileStat
    attempts: int
    again: bool
    since: int
    batch_id: int | None = None
    token: int = 0


class Sorted(NamedTuple):
    """The jobs of a worker by their present state: still its own; ``gone``, because the file is gone or another worker
    finished the job; or ``taken``, by another worker or back into the queue."""

    own: set[Job]
    gone: set[Job]
    taken: set[Job]


def _by_id(claimed: Job) -> int:
    return claimed.id


def later(now: datetime, wait: timedelta) -> datetime:
    """Return the time after a wait, or the last there is: a clock may say anything."""
    try:
        return now + wait
    except OverflowError:
        return datetime.max.replace(tzinfo=now.tzinfo)


def owner_name() -> str:
    """Return the name of this process in leases: host, process id and a token."""
    return f"{socket.gethostname()}:{os.getpid()}:{_PROCESS}"


def enqueue(
    connection: Connection,
    file_ids: Sequence[int],
    now: datetime,
    kind: str = KIND,
    *,
    batch_id: int | None = None,
    priority: int = PRIORITIES["normal"],
) -> None:
    """Queue files, in the transaction that found them. A file that is queued already, or failed before, starts again.

    A job of another kind that waits for the file is left to be done as well: when a file that is to be captioned again
    changes, cancelling the one must not lose the other.
    """
    revision = version(connection).revision
    for chunk in chunks(file_ids):
        waits_otherwise = and_(job.c.kind != kind, job.c.state == "queued", job.c.error_kind.is_(None))
        same = and_(job.c.file_id.in_(chunk), job.c.state != "running", not_(waits_otherwise))
        connection.execute(delete(job).where(same))
        # A running job read the file's old state: its owner notices that the file changed and queues it again.
        here = and_(job.c.file_id.in_(chunk), job.c.kind == kind)
        running = set(connection.execute(select(job.c.file_id).where(here)).scalars())
        rows = [
            {"kind": kind, "file_id": file_id, "state": "queued", "attempts": 0, "next_try_at": now, "created_at": now,
             "batch_id": batch_id, "priority": priority, "queued_revision": revision}
            for file_id in chunk
            if file_id not in running
        ]  # fmt: skip
        if rows:
            connection.execute(insert(job), rows)


def _may_be_done(model: str | None) -> ColumnElement[bool]:
    """Return the condition that a job belongs to no batch, or to an active one for this ``model`` (``None``: any)."""
    going_on = select(batch.c.id).where(batch.c.state == "active", true() if model is None else batch.c.model == model)
    return or_(job.c.batch_id.is_(None), job.c.batch_id.in_(going_on))


def _is_below(roots: Collection[int] | None) -> ColumnElement[bool]:
    """Return the condition that a job's file lies below one of these ``roots``, by id (``None``: any)."""
    return true() if roots is None else job.c.file_id.in_(select(file.c.id).where(file.c.root_id.in_(roots)))


def _is_of(*, text: bool) -> ColumnElement[bool]:
    """Return the condition that a job is about the text in a photo, or about its caption."""
    return job.c.kind == TEXT if text else job.c.kind != TEXT


def claim(
    connection: Connection, owner: str, limit: int, now: datetime, model: str | None = None, *, untried: bool = False,
    lease: timedelta = LEASE, roots: Collection[int] | None = None, text: bool = False,
) -> list[Job]:  # fmt: skip
    """Claim up to ``limit`` due jobs of the highest priority, oldest first, for the time ``lease``; with ``text`` those
    of reading text, else those of captions. Call it in a write transaction; others may claim meanwhile.

    All have been tried equally often; those that were tried before come in smaller batches (the module says why), and
    not to a worker that has others at hand, which asks for ``untried`` ones: none are taken then until it has done
    them. Jobs of a batch that is paused, or for another ``model`` setting than this process has, are not taken;
    of ``roots``, by id, when they are given, only theirs are.
    """
    _take_back(connection, _has_run_out(now), now)
    due = and_(job.c.state == "queued", _is_of(text=text), _is_due(now), _may_be_done(model))
    due = and_(due, _is_below(roots))
    oldest = (job.c.priority, job.c.next_try_at, job.c.id)
    first = select(job.c.attempts).where(due).order_by(*oldest).limit(1)
    tried = connection.execute(first.with_for_update(skip_locked=True)).scalar()
    if tried is None or (untried and tried):
        return []
    rows = connection.execute(
        select(
            job.c.id, job.c.file_id, job.c.kind, job.c.queued_revision, job.c.batch_id, file.c.relative_path,
            file.c.size, file.c.mtime_ns, file.c.inode, file.c.ctime_ns, root.c.path, batch.c.kind.label("asked_for"),
        )
        .join_from(job, file)
        .join(root)
        .outerjoin(batch, job.c.batch_id == batch.c.id)
        .where(due, job.c.attempts == tried)
        .order_by(*oldest)
        .limit(max(1, limit >> tried))
        .with_for_update(of=job, skip_locked=True)
    ).all()  # fmt: skip
    token = secrets.randbits(62)
    leased = {"state": "running", "lease_owner": owner, "lease_until": later(now, lease), "lease_token": token}
    connection.execute(update(job).where(job.c.id.in_([row.id for row in rows])).values(**leased))
    return [
        Job(
            row.id,
            row.file_id,
            Path(row.path, row.relative_path),
            Path(row.path),
            FileStat(row.size, row.mtime_ns, row.inode, row.ctime_ns),
            tried + 1,
            row.kind == AGAIN,
            # What was asked for is captions of this model. The file may hold other content by now, which has one.
            EVER if row.asked_for == STALE else row.queued_revision,
            row.batch_id,
            token,
        )
        for row in rows
    ]


def begin(connection: Connection, claimed: Sequence[Job]) -> None:
    """Count an attempt of each job, before any work: one of these files may crash this process."""
    _set_attempts(connection, claimed, 0)


def renew(connection: Connection, claimed: Iterable[Job], now: datetime, lease: timedelta = LEASE) -> None:
    """Extend the leases of those of these jobs that still belong to their claimer."""
    for chunk in chunks(sorted(claimed, key=_by_id)):
        connection.execute(update(job).where(_are(chunk)).values(lease_until=later(now, lease)))


def sort_out(connection: Connection, claimed: Iterable[Job]) -> Sorted:
    """Separate the jobs that still belong to their claimer from those that it has lost.

    Call it in the write transaction that stores a result, so that no other worker can claim one in between.
    """
    known: dict[tuple[int, int], tuple[str, int | None]] = {}
    mine = list(claimed)
    for chunk in chunks(mine):
        rows = connection.execute(
            select(job.c.id, job.c.file_id, job.c.state, job.c.lease_token)
            .where(job.c.id.in_([each.id for each in chunk]))
            .order_by(job.c.id)  # who locks rows in one order waits, and never in a circle
            .with_for_update()
        )
        known |= {(row.id, row.file_id): (row.state, row.lease_token) for row in rows}
    own = {each for each in mine if known.get((each.id, each.file_id)) == ("running", each.token)}
    gone = {each for each in mine if (each.id, each.file_id) not in known}
    return Sorted(own, gone, set(mine) - own - gone)


def finish(connection: Connection, claimed: Sequence[Job]) -> None:
    """Delete finished jobs, in the transaction that stores their results."""
    for chunk in chunks(claimed):
        connection.execute(delete(job).where(_are(chunk)))


def release(connection: Connection, claimed: Sequence[Job], next_try_at: datetime) -> None:
    """Put jobs back into the queue: the worker is stopping, or the file is not ready. The attempt does not count."""
    _set_attempts(connection, claimed, -1, state="queued", next_try_at=next_try_at, **_NO_LEASE)


def pass_on(connection: Connection, claimed: Iterable[Job], now: datetime) -> set[Job]:
    """Give the jobs of photos that are known already, captioning them again and reading their text, to another present
    file of the photo: their own cannot be read. Return those that were given; others have none that was not tried.

    Files are tried in the order of their ids, the first that can be reached first, so that no job comes back.
    """
    given = set()
    for each in sorted(claimed, key=_by_id):
        waiting = job.alias()
        other = file.alias()
        of_its_kind = waiting.c.kind == job.c.kind
        is_free = ~select(waiting.c.id).where(waiting.c.file_id == other.c.id, of_its_kind).exists()
        next_file = connection.execute(
            select(func.min(other.c.id))
            .select_from(job)
            .join(file, file.c.id == job.c.file_id)
            .join(other, and_(other.c.photo_id == file.c.photo_id, other.c.id > file.c.id))
            .where(_are([each]), job.c.kind.in_((AGAIN, TEXT)), other.c.missing_since.is_(None), is_free)
        ).scalar()
        if next_file is not None:
            again = {"state": "queued", "attempts": 0, "next_try_at": now, "error_kind": None, "error_message": None}
            connection.execute(update(job).where(_are([each])).values(file_id=next_file, **again, **_NO_LEASE))
            given.add(each)
    return given


def expedite(connection: Connection, root_id: int, now: datetime) -> None:
    """Make the jobs of a root due that wait for the root to come back; those that wait after a failure stay."""
    its_files = select(file.c.id).where(file.c.root_id == root_id)
    waiting = and_(job.c.state == "queued", job.c.error_kind.is_(None), job.c.next_try_at > now)
    connection.execute(update(job).where(waiting, job.c.file_id.in_(its_files)).values(next_try_at=now))


def expedite_text(connection: Connection, file_ids: Sequence[int], now: datetime) -> None:
    """Make the jobs of reading text due whose files were not where they were looked for, and are known to have moved;
    those that wait after a failure stay."""
    waiting = and_(job.c.kind == TEXT, job.c.state == "queued", job.c.error_kind.is_(None), job.c.next_try_at > now)
    for chunk in chunks(file_ids):
        connection.execute(update(job).where(waiting, job.c.file_id.in_(chunk)).values(next_try_at=now))


def _set_attempts(connection: Connection, claimed: Sequence[Job], more: int, **values: object) -> None:
    for attempts, group in groupby(sorted(claimed, key=lambda each: each.attempts), lambda each: each.attempts):
        for chunk in chunks(group):
            connection.execute(update(job).where(_are(chunk)).values(attempts=attempts + more, **values))


def _are(claimed: Sequence[Job]) -> ColumnElement[bool]:
    """Return the condition that a row is one of these jobs and still belongs to its claimer, even after its lease
    ended.

    A job is deleted with its file, even while a worker has it, and the next job may get its number.
    """
    same = tuple_(job.c.id, job.c.file_id).in_([(each.id, each.file_id) for each in claimed])
    return and_(same, job.c.state == "running", job.c.lease_token.in_({each.token for each in claimed}))


def _is_due(now: datetime) -> ColumnElement[bool]:
    """Return the condition that a queued job is due, or waits for an impossibly late time set by a wrong clock."""
    return or_(job.c.next_try_at <= now, job.c.next_try_at > later(now, LONGEST_WAIT))


def _has_run_out(now: datetime) -> ColumnElement[bool]:
    """Return the condition that a lease has ended, or ends at an impossibly late time set by a wrong clock."""
    return or_(job.c.lease_until < now, job.c.lease_until > later(now, LONGEST_WAIT))


def fail(connection: Connection, claimed: Job, error: PhotoError, now: datetime, *, may_be_last: bool = True) -> bool:
    """Store why a file cannot be captioned or read. Return whether it will be tried again automatically.

    In a shared catalogue what is for want of a plugin is tried again, too, as another machine may have it. Without
    ``may_be_last`` there is another try of what cannot be read, however often it was tried: the file may be
    readable elsewhere.
    """
    again = error.retryable or (error.of_machine and is_shared(connection))
    attempts = claimed.attempts
    if isinstance(error, UnreadablePhoto) and not may_be_last:
        attempts = min(attempts, MAX_ATTEMPTS - 1)
    again = again and attempts < MAX_ATTEMPTS
    delay = BACKOFF[min(attempts, len(BACKOFF)) - 1] if again else timedelta(0)
    connection.execute(
        update(job)
        .where(_are([claimed]))
        .values(
            state="queued" if again else "failed",
            attempts=attempts,
            next_try_at=later(now, delay),
            error_kind=error.kind,
            # A name that is no valid text may be part of it.
            error_message=str(error).encode("utf-8", "backslashreplace").decode("utf-8"),
            **_NO_LEASE,
        )
    )
    return again


def take_back_dead(connection: Connection, now: datetime) -> int:
    """Release ended leases and those of this machine's dead processes. Return how many jobs were released.

    In a shared catalogue the leases alone say who is dead: two containers may have the same host's name and the same
    process ids. A job that was alone at :data:`LONE_TRIES` deaths of its worker fails instead: its file is the cause.
    """
    if is_shared(connection):
        return _take_back(connection, _has_run_out(now), now)
    host = socket.gethostname()
    owners = connection.execute(select(job.c.lease_owner).where(job.c.state == "running").distinct()).scalars().all()
    dead = [owner for owner in owners if owner and owner.startswith(f"{host}:") and not _alive(owner)]
    return _take_back(connection, or_(job.c.lease_owner.in_(dead), _has_run_out(now)), now)


def _take_back(connection: Connection, whose: ColumnElement[bool], now: datetime) -> int:
    theirs = and_(job.c.state == "running", whose)
    if is_shared(connection):  # what another is taking back at this moment is left to it
        ended = select(job.c.id).where(theirs).order_by(job.c.id).with_for_update(skip_locked=True)
        theirs = and_(job.c.state == "running", job.c.id.in_(list(connection.execute(ended).scalars())))
    connection.execute(
        update(job)
        .where(theirs, job.c.attempts >= MAX_INTERRUPTIONS)
        .values(
            state="failed",
            error_kind="interrupted",
            error_message=f"photoindex was ended {LONE_TRIES} times while it worked on this file alone",
            **_NO_LEASE,
        )
    )
    result = connection.execute(update(job).where(theirs).values(state="queued", next_try_at=now, **_NO_LEASE))
    return int(result.rowcount)


def count_abandoned(connection: Connection, now: datetime) -> int:
    """Return the number of claimed jobs that :func:`take_back_dead` would release."""
    rows = connection.execute(select(job.c.lease_owner, _has_run_out(now)).where(job.c.state == "running"))
    shared = is_shared(connection)
    return sum(bool(run_out) or (not shared and is_alive(owner or "") is False) for owner, run_out in rows)


def is_alive(owner: str) -> bool | None:
    """Return whether the process with this :func:`owner_name` runs; ``None`` for another machine's."""
    return _alive(owner) if owner.startswith(f"{socket.gethostname()}:") else None


def _alive(owner: str) -> bool:
    pid = int(owner.split(":")[1])
    if pid == os.getpid():
        return owner == owner_name()
    return is_running(pid)


def final_failures(connection: Connection, file_ids: Sequence[int]) -> set[int]:
    """Return the ids of those of these files whose failure is final until they change."""
    final = or_(job.c.state == "ignored", and_(job.c.state == "failed", job.c.error_kind != UnreadablePhoto.kind))
    here = and_(job.c.file_id.in_(file_ids), _is_of(text=False))
    return set(connection.execute(select(job.c.file_id).where(here, final)).scalars())


def counts(connection: Connection) -> dict[str, int]:
    """Return the number of jobs of captions by state; ``retrying`` are queued ones that failed at least once."""
    found, tried = dict(_NO_JOBS), job.c.error_kind.is_not(None)
    counted = select(job.c.state, tried, func.count()).where(_is_of(text=False)).group_by(job.c.state, tried)
    for state, has_failed, number in connection.execute(counted):
        found["retrying" if state == "queued" and has_failed else state] += number
    return found


def counts_by_root(connection: Connection) -> dict[int, dict[str, int]]:
    """Return the number of jobs of captions by state for each root that has some."""
    found: dict[int, dict[str, int]] = {}
    tried = job.c.error_kind.is_not(None)
    counted = select(file.c.root_id, job.c.state, tried, func.count()).join_from(job, file).where(_is_of(text=False))
    for root_id, state, has_failed, number in connection.execute(counted.group_by(file.c.root_id, job.c.state, tried)):
        states = found.setdefault(root_id, dict(_NO_JOBS))
        states["retrying" if state == "queued" and has_failed else state] += number
    return found


def count_due(
    connection: Connection, now: datetime, model: str | None = None, roots: Collection[int] | None = None
) -> int:
    """Return how many queued captions of these ``roots`` a process with this ``model`` setting may claim now."""
    due = and_(job.c.state == "queued", _is_of(text=False), _is_due(now), _may_be_done(model), _is_below(roots))
    return connection.execute(select(func.count()).select_from(job).where(due)).scalar_one()


def next_due(
    connection: Connection, model: str | None = None, *, text: bool = False, roots: Collection[int] | None = None
) -> datetime | None:
    """Return when a process with this ``model`` setting may claim the next queued caption of these ``roots``; with
    ``text``, the next text to read."""
    which = and_(job.c.state == "queued", _is_of(text=text), _may_be_done(model), _is_below(roots))
    due: datetime | None = connection.execute(select(func.min(job.c.next_try_at)).where(which)).scalar()
    return due


def failures(connection: Connection, *, include_ignored: bool = False) -> list[Failure]:
    """Return the failure ledger, by path."""
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
                row.next_try_at if state == "retrying" else None, "text" if row.kind == TEXT else "caption",
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
    """Stop reporting these files until they change. Return how many had failed."""
    result = connection.execute(
        update(job).where(job.c.error_kind.is_not(None), job.c.file_id.in_(file_ids)).values(state="ignored")
    )
    return int(result.rowcount)
