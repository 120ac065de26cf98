"""Whether catalogue, full-text index, impact matrix and folders say the same, to the last photo."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from coded import EVEN, EVERY_PHOTO, ODD, word_of
from harness import Trial

from photoindex.config import Settings
from photoindex.errors import PhotoindexError
from photoindex.library import Library
from photoindex.types import Hit

LOOKED_UP = 400  # photos that are asked for one by one


def check_agreement(
    trial: Trial,
    data_dir: Path,
    hashes: Mapping[Path, str],
    numbers: Mapping[str, int],
    failed: Iterable[Path] = (),
) -> None:
    """Complain of every disagreement.

    ``hashes`` is the SHA-256 of each photo that is in the folders now and decodes; ``numbers`` are what hashes stand
    for; ``failed`` are the files that are there and are no photos: they must be in the failure ledger.
    """
    failed = set(failed)
    check_catalogue(trial, data_dir, hashes, failed)
    with Library(Settings(data_dir)) as library:
        check_search(trial, library, hashes, numbers)
        maintained = {word: _answer(library, word) for word in (EVERY_PHOTO, EVEN, ODD)}
        ledger = {failure.path: failure for failure in library.failures()}
    trial.check(ledger.keys() == failed, f"the failure ledger has {sorted(ledger.keys() ^ failed)[:3]} wrong")
    trial.check(
        all(failure.message and failure.message.isprintable() for failure in ledger.values()),
        "a failure has no reason of one line",
    )
    # What was kept up to date through all of this must be what is made from the catalogue at one go.
    fresh = data_dir.with_name(data_dir.name + "-fresh")
    fresh.mkdir()
    for path in data_dir.glob("catalogue.sqlite3*"):
        shutil.copy(path, fresh)
    with Library(Settings(fresh)) as library:
        for word, answer in maintained.items():
            rebuilt = _answer(library, word)
            trial.check(
                answer == rebuilt,
                f"index and matrix answer {word!r} with {len(answer)} photos, made again with {len(rebuilt)}, "
                f"or with other weights",
            )
    shutil.rmtree(fresh)


def check_catalogue(trial: Trial, data_dir: Path, hashes: Mapping[Path, str], failed: set[Path]) -> None:
    """The catalogue against the folders, and against itself. Reads the database without photoindex."""
    with closing(sqlite3.connect(data_dir / "catalogue.sqlite3")) as connection:
        for pragma in ("integrity_check", "foreign_key_check"):
            found = connection.execute(f"pragma {pragma}").fetchall()
            trial.check(found in ([], [("ok",)]), f"SQLite's {pragma} says {found[:3]}")
        rows = connection.execute(
            "select root.path, file.relative_path, photo.content_hash from file join root on root.id = file.root_id "
            "left join photo on photo.id = file.photo_id where file.missing_since is null"
        ).fetchall()
        present = {Path(_text(root), _text(relative)): content for root, relative, content in rows}
        trial.check(len(present) == len(rows), "a path is in the catalogue twice")
        wanted = {**dict.fromkeys(failed), **hashes}
        lost = sorted(wanted.keys() - present.keys())
        trial.check(not lost, f"{len(lost)} files are in the folder and not in the catalogue, such as {lost[:3]}")
        ghosts = sorted(present.keys() - wanted.keys())
        trial.check(not ghosts, f"{len(ghosts)} files are in the catalogue and not in the folder, such as {ghosts[:3]}")
        wrong = [path for path in wanted.keys() & present.keys() if wanted[path] != present[path]]
        trial.check(not wrong, f"{len(wrong)} files have other content than the catalogue says, such as {wrong[:3]}")
        jobs = connection.execute("select state, count(*) from job group by state").fetchall()
        open_jobs = {state: count for state, count in jobs if state in ("queued", "running")}
        trial.check(not open_jobs, f"jobs are left: {open_jobs}")
        [(stale,)] = connection.execute("select count(*) from photo where text_stale != 0").fetchall()
        trial.check(stale == 0, f"{stale} photos wait for the full-text index still")
        captions = connection.execute(
            "select count(*) from (select photo.id from photo join file on file.photo_id = photo.id "
            "left join caption on caption.photo_id = photo.id and caption.current and caption.rank = 0 "
            "where file.missing_since is null group by photo.id having count(distinct caption.id) != 1)"
        ).fetchall()
        trial.check(captions == [(0,)], f"{captions[0][0]} photos do not have one caption each")


def check_search(trial: Trial, library: Library, hashes: Mapping[Path, str], numbers: Mapping[str, int]) -> None:
    """Every photo is found, none twice, none that is gone: by a word all have, by learned terms, and one by one."""
    hits = library.search(EVERY_PHOTO, limit=None)
    found = Counter(path for hit in hits for path in _paths(hit))
    twice = [path for path, count in found.items() if count > 1]
    trial.check(not twice, f"{len(twice)} photos are found twice, such as {twice[:3]}")
    unfound = sorted(hashes.keys() - found.keys())
    trial.check(not unfound, f"{len(unfound)} photos are not found, such as {unfound[:3]}")
    gone = sorted(found.keys() - hashes.keys())
    trial.check(not gone, f"{len(gone)} photos are found that are gone, such as {gone[:3]}")
    contents = set(hashes.values())
    searchable = library.status().searchable
    trial.check(searchable == len(contents), f"the index holds {searchable} photos, the folder {len(contents)}")
    for term, remainder in ((EVEN, 0), (ODD, 1)):
        wanted = {path for path, content in hashes.items() if numbers[content] % 2 == remainder}
        answer = {path for hit in library.search(term, limit=None) for path in _paths(hit)}
        trial.check(answer == wanted, f"the term {term!r} finds {len(answer)} files instead of {len(wanted)}")
    by_content: dict[str, set[Path]] = {}
    for path, content in hashes.items():
        by_content.setdefault(content, set()).add(path)
    chosen = trial.random.sample(sorted(contents), min(LOOKED_UP, len(contents)))
    wrong = [
        numbers[content]
        for content in chosen
        if [set(_paths(hit)) for hit in library.search(word_of(numbers[content]), limit=3)] != [by_content[content]]
    ]
    trial.check(not wrong, f"{len(wrong)} of {len(chosen)} photos asked for one by one are not found so: {wrong[:5]}")


def check_search_of(trial: Trial, library: Library, whole: Mapping[Path, int]) -> set[Path]:
    """Complain unless each of these photos is found by its number. Returns all files that are found by anything."""
    found = {path for hit in library.search(EVERY_PHOTO, limit=None) for path in _paths(hit)}
    for path, number in whole.items():
        answer = [hit for hit in library.search(word_of(number), limit=None) if path in _paths(hit)]
        trial.check(len(answer) == 1, f"{path.name} is found {len(answer)} times by its caption")
    return found


def check_answers(trial: Trial, data_dir: Path, when: str) -> None:
    """That a search works now, whatever happened to the process that was writing, and finds no photo twice."""
    try:
        with Library(Settings(data_dir)) as library:
            found = Counter(path for hit in library.search(EVERY_PHOTO, limit=None) for path in _paths(hit))
    except PhotoindexError as error:
        trial.check(False, f"a search {when} failed: {error}")
    else:
        trial.check(not found or max(found.values()) == 1, f"a search {when} finds a photo twice")


def _answer(library: Library, word: str) -> dict[Path, float]:
    """The photos that ``word`` finds; what learned terms give depends on nothing else, so that it must be the same."""
    hits = library.search(word, limit=None)
    return {path: round(hit.score, 5) if word != EVERY_PHOTO else 0.0 for hit in hits for path in _paths(hit)}


def _paths(hit: Hit) -> tuple[Path, ...]:
    return (hit.path, *hit.other_paths)


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")
