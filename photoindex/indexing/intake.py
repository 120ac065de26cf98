"""What claimed jobs' files hold: the content that is known is linked to its photo, the rest is to be decoded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import Connection

from photoindex.catalogue import jobs, photos, raw_pairs
from photoindex.catalogue.database import Database
from photoindex.catalogue.jobs import Job
from photoindex.errors import EmptyPhoto, UnreadablePhoto
from photoindex.indexing import save_results
from photoindex.indexing.claimed_jobs import AtHand
from photoindex.indexing.hashing import Absent, Changing, Ready, read_file, read_stat
from photoindex.media.formats import is_raw_name
from photoindex.system.paths import shown


class Intake:
    """Reads the files of claimed jobs. ``model_identity`` names the model that captions; asking may load it."""

    def __init__(self, database: Database, model_identity: Callable[[], str]) -> None:
        self._database = database
        self._model_identity = model_identity

    def read(self, claimed: Sequence[Job], hand: AtHand, stop: threading.Event) -> list[Path]:
        """Hash each file. Content that has a caption is linked at once; the rest is grouped by content, and the paths
        to decode are returned. A job to caption anew asks for a caption that was made since it was queued.
        """
        found: list[Ready] = []
        for job in claimed:
            if stop.is_set():
                break
            if self._is_companion(job):
                hand.leave([job])
                hand.tally.recognised += 1
                continue
            try:
                ready = read_file(job)
            except Absent:
                hand.absent(job)
            except Changing:
                hand.put_off([job])
            except OSError as error:
                reason = f"{error.strerror or error}; check its permissions and its disk"
                hand.fail(job, UnreadablePhoto(f"cannot read {shown(job.path)}: {reason}"))
            else:
                if ready.stat.size:
                    found.append(ready)
                else:
                    empty = EmptyPhoto(f"{shown(job.path)} is empty: it has no bytes; copy it again")
                    hand.fail(job, empty, ready.content_hash)
        paths = [hand.group(ready) for ready in self._without_known(found, hand)]
        return [path for path in paths if path is not None]

    def _is_companion(self, job: Job) -> bool:
        """Whether a raw file was found to lie beside its JPEG, which stands for it."""
        if not is_raw_name(job.path) or read_stat(job.path) is None:
            return False
        with self._database.write() as connection:
            joined = bool(raw_pairs.settle(connection, [job.file_id]))
            if joined:
                jobs.finish(connection, [job])
        return joined

    def _without_known(self, found: Sequence[Ready], hand: AtHand) -> list[Ready]:
        """Link the files whose content has its caption; returns the others."""
        with self._database.read() as connection:
            met = photos.find_by_hash(connection, {ready.content_hash for ready in found})
            known, others = [], []
            for ready in found:
                photo_id, has_caption = met.get(ready.content_hash, (0, False))
                if has_caption and (not ready.job.again or self._was_captioned(connection, photo_id, ready.job)):
                    known.append((ready, photo_id))
                else:
                    others.append(ready)
        if known:
            with self._database.write() as connection:
                hand.tally.recognised += save_results.recognise(connection, known)
        hand.leave([ready.job for ready, _ in known])
        return others

    def _was_captioned(self, connection: Connection, photo_id: int, job: Job) -> bool:
        return photos.was_captioned(connection, photo_id, self._model_identity(), job.since)
