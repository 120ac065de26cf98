"""What a process says of a photo that it cannot caption or read, also in a catalogue that others work with."""

from __future__ import annotations

import socket
from datetime import datetime

from sqlalchemy import Connection

from photoindex.catalogue import jobs
from photoindex.catalogue.database import Database
from photoindex.catalogue.jobs import Job
from photoindex.errors import PhotoError


def fail(database: Database, connection: Connection, job: Job, error: PhotoError, now: datetime) -> bool:
    """Store why a job failed, by :func:`photoindex.catalogue.jobs.fail`. Return whether it will be tried again
    automatically.

    A process that does not compare the job's folder leaves the last word to the one that does, and names its machine
    where that is the cause: who looks at the failures may be at another one.
    """
    judged = database.judges(job.root)
    if error.of_machine and not judged:
        error = type(error)(f"{error} (on {socket.gethostname()})")
    return jobs.fail(connection, job, error, now, may_be_last=judged)
