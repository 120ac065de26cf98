"""How a job ends whose photo cannot be captioned or read, also in a catalogue that others work with."""

from __future__ import annotations

import socket
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from photoindex.catalogue import jobs
from photoindex.catalogue.database import Database
from photoindex.catalogue.jobs import Job
from photoindex.errors import PhotoError, UnreadablePhoto

Ending = Literal["left", "retried", "failed"]


def fail(database: Database, connection: Connection, job: Job, error: PhotoError, now: datetime) -> Ending:
    """Store why a job failed, by :func:`photoindex.catalogue.jobs.fail`. Return whether it will be tried again
    automatically (``retried``) or not (``failed``).

    A job is ``left`` to others when it is another worker's by now or its file went, and when another file of a known
    photo takes it over as its own cannot be read.

    A process that does not compare the job's folder leaves the last word to the one that does, and names its machine
    where that is the cause: who looks at the failures may be at another one.
    """
    if job not in jobs.sort_out(connection, [job]).own:
        return "left"
    if isinstance(error, UnreadablePhoto) and jobs.pass_on(connection, [job], now):
        return "left"
    judged = database.judges(job.root)
    if error.of_machine and not judged:
        error = type(error)(f"{error} (on {socket.gethostname()})")
    return "retried" if jobs.fail(connection, job, error, now, may_be_last=judged) else "failed"
