"""Storing what was found out about photos: a batch in one transaction, by a few statements however many they are.

Every function takes an open transaction and is one step of it.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from photoindex.catalogue import batches, files, jobs, metadata, photos, raw_pairs
from photoindex.indexing.hashing import Ready
from photoindex.media.metadata import sidecars
from photoindex.media.metadata.places import Gazetteer
from photoindex.types import DecodedPhoto


@dataclass(frozen=True, slots=True)
class Result:
    """Files of one content, and what the first of them decodes to."""

    group: Sequence[Ready]
    decoded: DecodedPhoto


def sort_out(connection: Connection, results: Sequence[Result]) -> tuple[dict[int, Result], dict[int, Result]]:
    """Return the results to be stored, by their places. Ask it in the transaction that stores them.

    The first are those with files whose jobs are still this worker's, with these files alone. The second are those
    whose files went while they were captioned: the caption stays with the content, unless somebody else has made one.
    What another worker has claimed meanwhile is in neither.
    """
    held = jobs.sort_out(connection, (ready.job for result in results for ready in result.group))
    own: dict[int, Result] = {}
    gone: dict[int, Result] = {}
    for place, result in enumerate(results):
        group = [ready for ready in result.group if ready.job in held.own]
        if len(group) == len(result.group):
            own[place] = result
        elif group:
            # The sidecars that were read may be those of a file that is not among these.
            own[place] = Result(group, dataclasses.replace(result.decoded, sidecars=""))
        elif not any(ready.job in held.taken for ready in result.group):
            gone[place] = result
    met = photos.find_by_hash(connection, [result.group[0].content_hash for result in gone.values()])
    captioned = {content for content, (_, has_caption) in met.items() if has_caption}
    return own, {at: each for at, each in gone.items() if each.group[0].content_hash not in captioned}


def save_contents(connection: Connection, results: Sequence[Result], gazetteer: Gazetteer) -> list[int]:
    """Store what the files are and say, without captions; returns the photos' ids. No two are of the same content."""
    contents = [
        photos.Content(
            result.group[0].content_hash,
            result.group[0].stat.size,
            gazetteer.placed(result.decoded.facts),
            result.decoded.fingerprint,
        )
        for result in results
    ]
    ids = photos.save_photos(connection, contents)
    said = {photo_id: result.decoded.written for photo_id, result in zip(ids, results, strict=True)}
    metadata.save_written(connection, said)
    return ids


def link(connection: Connection, results: Mapping[int, Result]) -> None:
    """These files hold these photos, by id, and their jobs are done."""
    links, unread = [], []
    for photo_id, result in results.items():
        first, *others = result.group
        links.append(files.Link(first.job.file_id, photo_id, first.stat, result.decoded.sidecars))
        links += [files.Link(ready.job.file_id, photo_id, ready.stat) for ready in others]
        if any(sidecars.beside(ready.job.path) for ready in others):
            unread.append(photo_id)
    files.link_photos(connection, links)
    metadata.mark_stale(connection, unread)
    _finish(connection, [ready for result in results.values() for ready in result.group])


def recognise(connection: Connection, met: Sequence[tuple[Ready, int]]) -> int:
    """These files hold photos, by id, that have a caption already: their jobs are done without one.

    Returns how many; those whose jobs are not this worker's any more are left out.
    """
    held = jobs.sort_out(connection, (ready.job for ready, _ in met))
    known = [(ready, photo_id) for ready, photo_id in met if ready.job in held.own]
    files.link_photos(connection, [files.Link(ready.job.file_id, photo_id, ready.stat) for ready, photo_id in known])
    beside = {photo_id for ready, photo_id in known if sidecars.beside(ready.job.path)}
    metadata.mark_stale(connection, sorted(beside))
    metadata.mark_if_named(connection, sorted({photo_id for _, photo_id in known} - beside))
    _finish(connection, [ready for ready, _ in known])
    batches.add_done(connection, by_batch([ready for ready, _ in known]), 0.0)
    return len(known)


def _finish(connection: Connection, done: Sequence[Ready]) -> None:
    raw_pairs.settle(connection, [ready.job.file_id for ready in done])
    jobs.finish(connection, [ready.job for ready in done])


def by_batch(done: Sequence[Ready]) -> Counter[int]:
    """How many of these jobs each batch asked for."""
    return Counter(ready.job.batch_id for ready in done if ready.job.batch_id is not None)
