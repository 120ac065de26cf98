"""Store the results of captioning: a batch in one transaction, by a few statements however many photos it has.

Every function takes an open transaction and is one step of it.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from photoindex.catalogue import batches, ever_said, files, jobs, metadata, photos, raw_pairs
from photoindex.catalogue.dialects import now_of
from photoindex.indexing.hashing import HashedJob
from photoindex.media.metadata import sidecars
from photoindex.media.metadata.places import Gazetteer
from photoindex.types import DecodedPhoto


@dataclass(frozen=True, slots=True)
class Result:
    """Files of one content, and what the first of them was decoded to."""

    group: Sequence[HashedJob]
    decoded: DecodedPhoto


def sort_out(connection: Connection, results: Sequence[Result]) -> tuple[dict[int, Result], dict[int, Result]]:
    """Return the results to be stored, by their places. Ask it in the transaction that stores them.

    The first are those with files whose jobs are still this worker's, with these files alone. The second are those
    whose files went or changed while they were captioned: the caption stays with the content, unless somebody else has
    made one. What another worker has claimed meanwhile is in neither.
    """
    held = _held(connection, [ready for result in results for ready in result.group])
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


def _held(connection: Connection, read: Sequence[HashedJob]) -> jobs.Sorted:
    """Sort out jobs as :func:`.jobs.sort_out` does. Those whose files somebody saw changed since they were claimed, and
    in another state than they were read in, go back into the queue and count as gone."""
    held = jobs.sort_out(connection, (ready.job for ready in read))
    states = files.states(connection, [job.file_id for job in held.own])
    changed = {
        ready.job for ready in read
        if ready.job in held.own and states.get(ready.job.file_id) not in (ready.job.stat, ready.stat)
    }  # fmt: skip
    if changed:
        jobs.release(connection, list(changed), now_of(connection))
    return jobs.Sorted(held.own - changed, held.gone | changed, held.taken)


def save_contents(connection: Connection, results: Sequence[Result], gazetteer: Gazetteer) -> list[int]:
    """Store the facts and the metadata of photos, without captions; return their ids. All must differ in content."""
    read = _without_own_words(connection, results)
    contents = [
        photos.Content(
            result.group[0].content_hash,
            result.group[0].stat.size,
            gazetteer.placed(decoded.facts),
            decoded.fingerprint,
            decoded.looks,
        )
        for result, decoded in zip(results, read, strict=True)
    ]
    ids = photos.save_photos(connection, contents)
    written = {photo_id: decoded.written for photo_id, decoded in zip(ids, read, strict=True)}
    metadata.save_written(connection, written)
    return ids


def _without_own_words(connection: Connection, results: Sequence[Result]) -> list[DecodedPhoto]:
    """Return what was read of each without the words of this library's user."""
    exported = [result.group[0].content_hash for result in results if result.decoded.unexported is not None]
    known = {content: photo_id for content, (photo_id, _) in photos.find_by_hash(connection, exported).items()}
    nobody = 0  # a photo that is new here, of which nothing was said
    read = [(known.get(result.group[0].content_hash, nobody), result.decoded) for result in results]
    return ever_said.without_own_words(connection, read)


def link(connection: Connection, results: Mapping[int, Result]) -> list[Path]:
    """Link files to the photos they hold, by id, and finish their jobs. Return the files that hold another picture
    than the one of which people said something."""
    links, unread = [], []
    for photo_id, result in results.items():
        first, *others = result.group
        links.append(files.Link(first.job.file_id, photo_id, first.stat, result.decoded.sidecars))
        links += [files.Link(ready.job.file_id, photo_id, ready.stat) for ready in others]
        if any(sidecars.beside(ready.job.path) for ready in others):
            unread.append(photo_id)
    exported = [photo_id for photo_id, result in results.items() if result.decoded.unexported is not None]
    said = ever_said.ever_said(connection, exported)
    unlike = files.link_photos(connection, links)
    now_said = ever_said.ever_said(connection, exported)  # also what is carried over from what the file held before
    metadata.mark_stale(connection, [*unread, *(number for number in exported if now_said[number] != said[number])])
    done = [ready for result in results.values() for ready in result.group]
    _finish(connection, done)
    return [ready.job.path for ready in done if ready.job.file_id in unlike]


def recognise(connection: Connection, met: Sequence[tuple[HashedJob, int]]) -> tuple[list[int], int, list[Path]]:
    """Link files to photos, by id, that have a caption already, and finish their jobs. Files whose jobs are not this
    worker's any more are left out.

    Return the ids of photos whose files came, one for each file, how many other files were only touched, and the files
    that hold another picture than the one of which people said something.
    """
    held = _held(connection, [ready for ready, _ in met])
    known = [(ready, photo_id) for ready, photo_id in met if ready.job in held.own]
    before = files.photos_held(connection, [ready.job.file_id for ready, _ in known])
    came = [
        (ready, photo_id) for ready, photo_id in known if ready.job.again or before.get(ready.job.file_id) != photo_id
    ]
    links = [files.Link(ready.job.file_id, photo_id, ready.stat) for ready, photo_id in known]
    unlike = files.link_photos(connection, links)
    with_sidecars = {photo_id for ready, photo_id in came if sidecars.beside(ready.job.path)}
    metadata.mark_stale(connection, sorted(with_sidecars))
    metadata.mark_if_named(connection, sorted({photo_id for _, photo_id in came} - with_sidecars))
    _finish(connection, [ready for ready, _ in known])
    batches.add_done(connection, count_by_batch([ready for ready, _ in known]), 0.0)
    words_left = [ready.job.path for ready, _ in known if ready.job.file_id in unlike]
    return [photo_id for _, photo_id in came], len(known) - len(came), words_left


def _finish(connection: Connection, done: Sequence[HashedJob]) -> None:
    raw_pairs.settle(connection, [ready.job.file_id for ready in done])
    jobs.finish(connection, [ready.job for ready in done])


def count_by_batch(done: Sequence[HashedJob]) -> Counter[int]:
    """Return how many of these jobs belong to each batch, by its id."""
    return Counter(ready.job.batch_id for ready in done if ready.job.batch_id is not None)
