"""Read the metadata of photos and their sidecars again, without captioning them, for photos that are marked.

Photos are marked when a sidecar came, changed or went, and when their file was renamed. Those that an older version of
the reader read (media/metadata/reader_version.py) are read again too, when nothing else is to be done. The reading is
done by decode workers, which may crash or hang without harm.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection

from photoindex.catalogue import ever_said, files, metadata
from photoindex.catalogue.database import Database
from photoindex.config import Settings
from photoindex.errors import PhotoError
from photoindex.indexing.reachable_roots import all_roots
from photoindex.media.decode import Decoder, describe_photo
from photoindex.media.metadata import sidecars
from photoindex.media.metadata.cleaning import each_once
from photoindex.media.metadata.places import Gazetteer
from photoindex.system.storage import is_gone
from photoindex.types import DecodedPhoto, PhotoFacts, Progress, Written

BATCH = 256  # photos read between two looks at what else is to be done
MOST_COPIES = 8  # files of one content whose sidecars are read together
MOST_PROBLEMS = 10  # reported in one run, a line each


class Refresher:
    """Reads the metadata of marked photos again, in the files below ``reachable`` roots."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        gazetteer: Gazetteer,
        reachable: Callable[[], set[int] | None] = all_roots,
    ) -> None:
        self._database = database
        self._reachable = reachable
        self._settings = settings
        self._gazetteer = gazetteer
        self._unreadable: set[tuple[int, int]] = set()  # (photo id, token) not to be tried again by this process

    def run(
        self,
        *,
        stop: threading.Event,
        progress: Callable[[Progress], None] | None = None,
        between: Callable[[], None] | None = None,
        notice: Callable[[Sequence[str]], None] = lambda _: None,
    ) -> list[int]:
        """Read every marked photo that has a file again; return their ids. ``between`` is called between batches, and
        ``notice`` receives what could not be read, a line each."""
        roots = self._reachable()
        with self._database.read() as connection:
            todo = [pair for pair in metadata.stale_photos(connection, roots) if pair not in self._unreadable]
        return self._read_all(todo, "reading metadata", stop, progress, between, notice)

    def run_older(
        self,
        *,
        stop: threading.Event,
        give_way: Callable[[], bool],
        progress: Callable[[Progress], None] | None = None,
        between: Callable[[], None] | None = None,
        notice: Callable[[Sequence[str]], None] = lambda _: None,
        announce: Callable[[int], None] = lambda _: None,
    ) -> list[int]:
        """Read the photos again that an older version of the reader read, as :meth:`run` reads those that are marked.

        It ends after a batch when ``give_way`` says so, as there is work that is waited for. ``announce`` is told how
        many photos there are.
        """
        roots = self._reachable()
        with self._database.read() as connection:
            todo = [pair for pair in metadata.read_by_older(connection, roots) if pair not in self._unreadable]
        if todo:
            announce(len(todo))
        return self._read_all(todo, "reading metadata again", stop, progress, between, notice, give_way)

    def _read_all(
        self,
        todo: Sequence[tuple[int, int]],
        stage: str,
        stop: threading.Event,
        progress: Callable[[Progress], None] | None,
        between: Callable[[], None] | None,
        notice: Callable[[Sequence[str]], None],
        give_way: Callable[[], bool] = lambda: False,
    ) -> list[int]:
        if not todo:
            return []
        done: list[int] = []
        remaining = iter(todo)
        with Decoder.by_settings(self._settings, 1, describe_photo) as decoder:
            while not stop.is_set() and (batch := list(islice(remaining, BATCH))):
                if between is not None:
                    between()
                done += self._read(decoder, batch, notice)
                if progress is not None:
                    progress(Progress(stage, len(done), len(todo)))
                if give_way():
                    break
        return done

    def _read(
        self, decoder: Decoder, batch: Sequence[tuple[int, int]], notice: Callable[[Sequence[str]], None]
    ) -> list[int]:
        roots = self._reachable()
        with self._database.read() as connection:
            paths_of = files.paths_of(connection, [photo_id for photo_id, _ in batch], roots)
        wanted = {pair: _worth_reading(paths_of[pair[0]][0]) for pair in batch}
        answers = dict(decoder.decode([path for paths in wanted.values() for path in paths]))
        with self._database.read() as connection:
            answers |= _without_own_words(connection, wanted, answers)
        problems: list[str] = []
        facts: dict[int, PhotoFacts] = {}
        words: dict[int, Written] = {}
        states: dict[Path, str] = {}
        done: list[tuple[int, int]] = []
        for (photo_id, token), paths in wanted.items():
            if not paths:  # they went, or their folder did, since the list was made
                continue
            read = {path: answer for path in paths if isinstance(answer := answers[path], DecodedPhoto)}
            errors = {path: answer for path in paths if isinstance(answer := answers[path], PhotoError)}
            # A file that went meanwhile is missing from now on, which is no trouble with its metadata.
            there = [error for path, error in errors.items() if not is_gone(path)]
            problems += [f"the metadata of a photo is left as it was: {error}" for error in there]
            if read:
                problems += [line for answer in read.values() for line in answer.problems]
                found, words[photo_id] = _joined(list(read.values()))
                facts[photo_id] = self._gazetteer.placed(found)
                states |= {path: read[path].sidecars if path in read else "" for path in paths_of[photo_id][0]}
            if errors and not read and next(iter(errors.values())).retryable:
                self._unreadable.add((photo_id, token))
            else:
                done.append((photo_id, token))
        # All that takes time is done: a transaction keeps other processes waiting.
        with self._database.write() as connection:
            metadata.save_facts(connection, facts)
            metadata.save_written(connection, words)
            files.note_sidecars(connection, states)
            metadata.clear_stale(connection, done)
        notice(problems)
        return [photo_id for photo_id, _ in batch]


def mark_photos_of(database: Database, changed: Iterable[Path]) -> None:
    """Mark the photos of these sidecars, which came, changed or went, for being read again."""
    by_folder: dict[Path, list[str]] = {}
    for path in changed:
        by_folder.setdefault(path.parent, []).append(path.name)
    for folder, names in by_folder.items():
        with database.read() as connection:
            known = files.known_files(connection, folder)
        metadata.mark_paths_in_steps(database, sidecars.photos_of(folder, names, known))


def _worth_reading(paths: Sequence[Path]) -> list[Path]:
    """Return the files of one content that must be read: those with sidecars, or else any one of them."""
    with_sidecars = [path for path in paths if sidecars.beside(path)][:MOST_COPIES]
    return with_sidecars or list(paths[:1])


def _without_own_words(
    connection: Connection,
    wanted: Mapping[tuple[int, int], Sequence[Path]],
    answers: Mapping[Path, DecodedPhoto | PhotoError],
) -> dict[Path, DecodedPhoto]:
    """Return what was read at each path without the words of this library's user."""
    held = [
        (photo_id, path, answer)
        for (photo_id, _), paths in wanted.items()
        for path in paths
        if isinstance(answer := answers[path], DecodedPhoto)
    ]
    found = ever_said.without_own_words(connection, [(photo_id, answer) for photo_id, _, answer in held])
    return {path: photo for (_, path, _), photo in zip(held, found, strict=True)}


def _joined(read: Sequence[DecodedPhoto]) -> tuple[PhotoFacts, Written]:
    """Return what several copies say together; of facts and captions that of the first that has one."""
    first, *others = read
    facts, written = first.facts, first.written
    for other in others:
        also = other.written
        written = Written(
            title=written.title or also.title,
            caption=written.caption or also.caption,
            keywords=each_once((*written.keywords, *also.keywords)),
            people=each_once((*written.people, *also.people)),
            places=each_once((*written.places, *also.places)),
        )
        facts = dataclasses.replace(facts, rating=facts.rating if facts.rating is not None else other.facts.rating)
    return facts, written
