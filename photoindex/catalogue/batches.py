"""Batches of jobs that a person asked for at once: their progress, and stopping them from another process.

A batch is a row in the catalogue and its jobs refer to it, so every process sees the same. A process that works on a
batch checks the row every few photos; pausing or cancelling changes only the row. Jobs of a paused or cancelled batch
are not claimed. A batch is for one model: a watcher that uses another model does not claim its jobs.

Finished photos are counted, with the time they took, in the transaction that stores their captions. So the rate is that
of all runs together, without the pauses between them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, insert, select, true, update

from photoindex.catalogue import jobs, text
from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.database import Database
from photoindex.catalogue.jobs import PRIORITIES, Priority
from photoindex.catalogue.schema import batch, job
from photoindex.errors import BatchError
from photoindex.system.arguments import check_flags, one_of, whole
from photoindex.system.clock import utc_now

BatchKind = Literal["stale", "all", "where", "failed", "text"]
BatchState = Literal["running", "waiting", "paused", "cancelled", "done"]
TEXT_MODEL = ""  # instead of a model's setting, of a batch of text to be read
RATE_OF = 8  # photos that a rate must come from to be told again


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch and its progress. ``state`` is ``running`` while a process works on it and ``waiting`` until one does.

    ``left`` counts its jobs that are not done; a superseded job (its file changed or was removed) is neither done nor
    left. ``rate`` is in photos a second, of all ``workers`` together; ``None`` before the first photo.
    """

    id: int
    kind: BatchKind
    query: str | None
    model: str
    state: BatchState
    priority: Priority
    created_at: datetime
    finished_at: datetime | None
    total: int
    done: int
    failed: int
    left: int
    workers: int
    rate: float | None

    @property
    def seconds_left(self) -> float | None:
        """Seconds left at this rate; ``None`` without a rate, or when nothing is left."""
        return self.left / self.rate if self.rate and self.left else None


class Batches:
    """The batches of one library."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, *, ended: bool = False) -> list[Batch]:
        """Return the batches that have not ended, or all, oldest first."""
        check_flags(ended=ended)
        with self._database.read() as connection:
            batches = _load(connection, true() if ended else batch.c.state.in_(("active", "paused")))
        return [batch for batch in batches if ended or batch.left]

    def get(self, number: int) -> Batch:
        """Return one batch, whatever became of it. Raises :class:`BatchError`."""
        number = whole(number, "the number of a batch")
        with self._database.read() as connection:
            batches = _load(connection, batch.c.id == number)
        if not batches:
            raise _no_batch(number)
        return batches[0]

    def others(self) -> dict[str, int]:
        """Return the number of ``queued`` and ``running`` jobs of no batch: new and changed photos."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(job.c.state, func.count())
                .where(job.c.batch_id.is_(None), job.c.kind != jobs.TEXT, job.c.state.in_(("queued", "running")))
                .group_by(job.c.state)
            )
            counts = {"queued": 0, "running": 0}
            for state, count in rows:
                counts[state] = count
            return counts

    def pause(self, *ids: int) -> list[int]:
        """Pause these batches, or all when none is named, until they are resumed; return their ids.

        A process that works on one releases its jobs within a few photos. Raises :class:`BatchError`.
        """
        return self._change(ids, "paused")

    def resume(self, *ids: int) -> list[int]:
        """Resume these batches, or all paused ones. Raises :class:`BatchError`."""
        return self._change(ids, "active")

    def cancel(self, *ids: int) -> list[int]:
        """Cancel these batches: their remaining jobs are deleted, finished photos stay. Raises :class:`BatchError`."""
        return self._change(ids, "cancelled")

    def _change(self, ids: Sequence[int], state: str) -> list[int]:
        ids = [whole(number, "the number of a batch") for number in ids]
        with self._database.write() as connection:
            close(connection)
            states = {row.id: row.state for row in connection.execute(select(batch.c.id, batch.c.state))}
            for number in ids:
                if number not in states:
                    raise _no_batch(number)
                if states[number] in ("cancelled", "done"):
                    raise BatchError(f"batch {number} has ended: it is {states[number]}")
            open_ones = [number for number, before in states.items() if before not in ("cancelled", "done", state)]
            chosen = [number for number in open_ones if number in ids or not ids]
            if chosen:
                ended = utc_now() if state == "cancelled" else None
                connection.execute(
                    update(batch).where(batch.c.id.in_(chosen)).values(state=state, finished_at=ended)
                )  # fmt: skip
            close(connection)
        return chosen


def create(
    connection: Connection,
    kind: BatchKind,
    file_ids: Sequence[int],
    *,
    model: str,
    priority: Priority,
    now: datetime,
    query: str | None = None,
) -> tuple[int | None, int]:
    """Queue files to be captioned again, as one batch. Returns its id and how many were queued.

    Files that another batch is to do are left to it; when nothing remains there is no batch, and its id is ``None``.
    """
    rank = _rank(priority)
    taken: set[int] = set()
    for chunk in chunks(file_ids):
        queued = and_(
            job.c.file_id.in_(chunk), job.c.kind == jobs.AGAIN,
            job.c.state.in_(("queued", "running")), job.c.batch_id.is_not(None),
        )  # fmt: skip
        taken.update(connection.execute(select(job.c.file_id).where(queued)).scalars())
    wanted = [file_id for file_id in file_ids if file_id not in taken]
    if not wanted:
        return None, 0
    number = _insert(connection, kind, len(wanted), model, rank, now, query)
    jobs.enqueue(connection, wanted, now, jobs.AGAIN, batch_id=number, priority=rank)
    return number, len(wanted)


def create_of_failures(
    connection: Connection, *, model: str, priority: Priority, now: datetime
) -> tuple[int | None, int]:
    """Queue all files whose captioning failed again, as one batch; those that are ignored stay so. Returns as
    :func:`create`."""
    rank = _rank(priority)
    failed = and_(job.c.error_kind.is_not(None), job.c.state.in_(("failed", "queued")), job.c.kind != jobs.TEXT)
    count = connection.execute(select(func.count()).select_from(job).where(failed)).scalar_one()
    if not count:
        return None, 0
    number = _insert(connection, "failed", count, model, rank, now, None)
    connection.execute(update(job).where(failed).values(batch_id=number, priority=rank))
    jobs.retry_failures(connection, None, now)
    return number, count


def create_of_text(
    connection: Connection, file_ids: Sequence[int], *, priority: Priority, now: datetime, query: str | None
) -> tuple[int | None, int]:
    """Queue files whose text is to be read again, as one batch, which any model may work on. Returns as
    :func:`create`."""
    rank = _rank(priority)
    if not file_ids:
        return None, 0
    number = _insert(connection, "text", len(file_ids), TEXT_MODEL, rank, now, query)
    queued = text.queue(connection, file_ids, now, batch_id=number, priority=rank)
    connection.execute(update(batch).where(batch.c.id == number).values(total=queued))
    return number, queued


def _insert(
    connection: Connection, kind: BatchKind, total: int, model: str, rank: int, now: datetime,
    query: str | None,
) -> int:  # fmt: skip
    added = connection.execute(
        insert(batch).values(
            kind=kind, query=query, model=model, state="active", priority=rank, created_at=now,
            total=total, done=0, failed=0, seconds=0.0,
        )
    )  # fmt: skip
    assert added.inserted_primary_key is not None
    return int(added.inserted_primary_key[0])


def add_done(connection: Connection, done: Mapping[int, int], seconds: float) -> None:
    """Add finished jobs, by batch, in the transaction that stores their results. ``seconds`` is the time they took."""
    for number, count in done.items():
        connection.execute(
            update(batch)
            .where(batch.c.id == number)
            .values(done=batch.c.done + count, seconds=batch.c.seconds + seconds * count / sum(done.values()))
        )


def any_halted(connection: Connection, ids: Sequence[int]) -> bool:
    """Return whether one of these batches was paused, cancelled or has ended."""
    halted = and_(batch.c.id.in_(ids), batch.c.state != "active")
    return connection.execute(select(exists().where(halted))).scalar_one()


def close(connection: Connection) -> None:
    """Delete the unclaimed jobs of cancelled batches, and end batches without jobs."""
    cancelled = select(batch.c.id).where(batch.c.state == "cancelled")
    theirs = and_(job.c.batch_id.in_(cancelled), job.c.state == "queued")
    # What failed before goes back to the ledger.
    connection.execute(update(job).where(theirs, job.c.error_kind.is_not(None)).values(state="failed"))
    connection.execute(delete(job).where(theirs, job.c.error_kind.is_(None)))
    left = exists().where(job.c.batch_id == batch.c.id, job.c.state.in_(("queued", "running")))
    failed = (
        select(func.count())
        .select_from(job)
        .where(job.c.batch_id == batch.c.id, job.c.state.in_(("failed", "ignored")))
        .scalar_subquery()
    )
    connection.execute(
        update(batch)
        .where(batch.c.state.in_(("active", "paused")), ~left)
        .values(state="done", finished_at=utc_now(), failed=failed)
    )


def last_rate(connection: Connection, model: str) -> tuple[int, float] | None:
    """Return the last batch of this model with enough photos for a rate, and the photos per second of one process."""
    row = connection.execute(
        select(batch.c.id, batch.c.done, batch.c.seconds)
        .where(batch.c.model == model, batch.c.done >= RATE_OF, batch.c.seconds > 0)
        .order_by(batch.c.id.desc())
        .limit(1)
    ).first()
    return None if row is None else (row.id, row.done / row.seconds)


def _rank(priority: Priority) -> int:
    return one_of(PRIORITIES, priority, "a priority")


def _no_batch(number: int) -> BatchError:
    return BatchError(f"there is no batch {number}: see `photoindex jobs list --all`")


def _load(connection: Connection, which: ColumnElement[bool]) -> list[Batch]:
    rows = connection.execute(select(batch).where(which).order_by(batch.c.id)).all()
    left: dict[int, int] = {}
    failed: dict[int, int] = {}
    workers: dict[int, int] = {}
    counted = connection.execute(
        select(job.c.batch_id, job.c.state, func.count(), func.count(job.c.lease_owner.distinct()))
        .where(job.c.batch_id.in_(select(batch.c.id).where(which)))
        .group_by(job.c.batch_id, job.c.state)
    )
    for number, job_state, count, owners in counted:
        of = left if job_state in ("queued", "running") else failed
        of[number] = of.get(number, 0) + count
        if job_state == "running":
            workers[number] = owners
    names = {number: name for name, number in PRIORITIES.items()}
    batches = []
    for row in rows:
        at_work, waiting = workers.get(row.id, 0), left.get(row.id, 0)
        state: BatchState = row.state
        if row.state == "active":
            state = "running" if at_work else "waiting"
        if row.state in ("active", "paused") and not waiting:  # whoever did the last has yet to say so
            state = "done"
        rate = row.done / row.seconds * max(1, at_work) if row.done and row.seconds > 0 else None
        batches.append(
            Batch(
                row.id, row.kind, row.query, row.model, state, names[row.priority], row.created_at, row.finished_at,
                row.total, row.done, failed.get(row.id, 0) if row.finished_at is None else row.failed, waiting, at_work,
                rate,
            )
        )  # fmt: skip
    return batches
