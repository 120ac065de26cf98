"""Count a library's photos by year, month, camera, folder, words and labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, LargeBinary, exists, extract, func, select, type_coerce

from photoindex.catalogue.captions import shown_texts
from photoindex.catalogue.facts import looks_from
from photoindex.catalogue.schema import file, photo, root, term
from photoindex.language.analysis import content_words, stem
from photoindex.system.paths import native_path
from photoindex.types.looks import facts_shown
from photoindex.types.term_sources import LABEL_SOURCE


@dataclass(frozen=True, slots=True)
class Stats:
    """Photos that have a file now. A photo counts once under each heading, under each of its folders and words.

    Years (``2023``) and ``months`` (``2023-07``) are in chronological order; everything else is sorted by frequency.
    ``undated`` photos have no known date, ``unknown_camera`` ones no known camera. ``looks`` counts what ``is:`` asks
    for. ``folders`` counts the photos directly in each folder, without those of folders below.
    """

    photos: int
    captioned: int
    bytes: int
    undated: int
    unknown_camera: int
    located: int
    years: dict[str, int]
    months: dict[str, int]
    cameras: dict[str, int]
    formats: dict[str, int]
    looks: dict[str, int]
    folders: dict[str, int]
    caption_sources: dict[str, int]
    words: dict[str, int]
    labels: dict[str, int]


def count(connection: Connection, most: int = 10) -> Stats:
    """Return the counts of the library, with at most ``most`` cameras, folders, words and labels each.

    The database counts: of each heading there are few, of photos there may be a million.
    """
    here = exists().where(file.c.photo_id == photo.c.id, file.c.missing_since.is_(None))
    number = func.count()
    totals = connection.execute(
        select(number, func.coalesce(func.sum(photo.c.size), 0), func.count(photo.c.latitude)).where(here)
    ).one()
    years, months = _days(connection, here)
    camera = func.nullif(photo.c.camera, "")
    by_camera = select(camera, number).where(here).group_by(camera)
    cameras = Counter({row[0]: row[1] for row in connection.execute(by_camera)})
    formats = Counter[str]()
    for name, photos in connection.execute(select(photo.c.format, number).where(here).group_by(photo.c.format)):
        formats[name or "unknown"] += photos
    looks = Counter[str]()
    shape = (photo.c.looks, photo.c.width, photo.c.height)
    for seen, width, height, photos in connection.execute(select(*shape, number).where(here).group_by(*shape)):
        looks.update(dict.fromkeys(facts_shown(looks_from(seen), width, height), photos))
    labelled = select(term.c.text, number).join_from(term, photo).where(term.c.source == LABEL_SOURCE, here)
    labels = Counter({row[0]: row[1] for row in connection.execute(labelled.group_by(term.c.text))})
    sources, words = _captions(connection, most)
    return Stats(
        photos=totals[0],
        captioned=sources.total(),
        bytes=int(totals[1]),
        undated=totals[0] - years.total(),
        unknown_camera=cameras.pop(None, 0),
        located=totals[2],
        years=dict(sorted(years.items())),
        months=dict(sorted(months.items())),
        cameras=_first(cameras, most),
        formats=_first(formats, None),
        looks=_first(looks, None),
        folders=_first(_folders(connection), most),
        caption_sources=_first(sources, None),
        words=words,
        labels=_first(labels, most),
    )


def _first(counts: Counter[str], most: int | None) -> dict[str, int]:
    """Return the most frequent entries, equally frequent ones by name."""
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:most])


def _days(connection: Connection, here: ColumnElement[bool]) -> tuple[Counter[str], Counter[str]]:
    """Return how many photos were taken in each year, and in each month."""
    year, month = extract("year", photo.c.taken_at), extract("month", photo.c.taken_at)
    # When a file was copied says little.
    dated = photo.c.taken_at.is_not(None), photo.c.taken_source.is_distinct_from("mtime")
    years, months = Counter[str](), Counter[str]()
    for in_year, in_month, photos in connection.execute(
        select(year, month, func.count()).where(here, *dated).group_by(year, month)
    ):
        years[f"{int(in_year)}"] += photos
        months[f"{int(in_year)}-{int(in_month):02d}"] += photos
    return years, months


def _folders(connection: Connection) -> Counter[str]:
    """Return how many photos lie directly in each folder. Paths are taken apart as they are stored: to make one of each
    of some hundred thousand files takes seconds."""
    query = select(file.c.root_id, type_coerce(file.c.relative_path, LargeBinary), file.c.photo_id)
    rows = connection.execute(query.where(file.c.missing_since.is_(None), file.c.photo_id.is_not(None)))
    once = {(root_id, bytes(path).rpartition(b"/")[0], photo_id) for root_id, path, photo_id in rows}
    counts = Counter((root_id, folder) for root_id, folder, _ in once)
    roots = {each.id: each.path for each in connection.execute(select(root.c.id, root.c.path))}
    folders = Counter[str]()
    for (root_id, folder), photos in counts.items():
        folders[str(Path(roots[root_id], native_path(folder)))] += photos
    return folders


def _captions(connection: Connection, most: int) -> tuple[Counter[str], dict[str, int]]:
    """Return the sources of the captions that photos show, and their words.

    Forms of a word are counted together, under the most frequent form.
    """
    sources: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()  # of a stem and a form of it, once for each caption
    stems: dict[str, str] = {}
    for text, source, photos in shown_texts(connection):
        sources[source] += photos
        of_text = content_words(text)
        for word in of_text:
            if word not in stems:
                stems[word] = stem(word)
        for pair in {stems[word]: word for word in of_text}.items():
            pairs[pair] += photos
    totals: Counter[str] = Counter()
    forms: dict[str, dict[str, int]] = {}
    for (stemmed, word), photos in pairs.items():
        totals[stemmed] += photos
        forms.setdefault(stemmed, {})[word] = photos
    words = {
        max(sorted(forms[stemmed]), key=forms[stemmed].__getitem__): n for stemmed, n in _first(totals, most).items()
    }
    return sources, words
