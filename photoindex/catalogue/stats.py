"""Count a library's photos by year, month, camera, folder, words and labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, exists, select

from photoindex.catalogue.captions import shown_captions
from photoindex.catalogue.facts import looks_from
from photoindex.catalogue.photos import LABEL_SOURCE
from photoindex.catalogue.schema import file, photo, root, term
from photoindex.language.analysis import content_words, stem
from photoindex.types.looks import facts_shown


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
    """Return the counts of the library, with at most ``most`` cameras, folders, words and labels each."""
    here = exists().where(file.c.photo_id == photo.c.id, file.c.missing_since.is_(None))
    years, months, cameras, formats, looks = (Counter[str]() for _ in range(5))
    photos = undated = unknown_camera = located = size = 0
    present = set()
    columns = (
        photo.c.id,
        photo.c.size,
        photo.c.format,
        photo.c.taken_at,
        photo.c.taken_source,
        photo.c.camera,
        photo.c.latitude,
        photo.c.looks,
        photo.c.width,
        photo.c.height,
    )
    for row in connection.execute(select(*columns).where(here)):
        present.add(row.id)
        photos += 1
        size += row.size
        formats[row.format or "unknown"] += 1
        looks.update(facts_shown(looks_from(row.looks), row.width, row.height))
        located += row.latitude is not None
        if row.taken_at is None or row.taken_source == "mtime":  # when a file was copied says little
            undated += 1
        else:
            years[f"{row.taken_at:%Y}"] += 1
            months[f"{row.taken_at:%Y-%m}"] += 1
        if row.camera:
            cameras[row.camera] += 1
        else:
            unknown_camera += 1
    sources, words, captioned = _captions(connection, present, most)
    labels = Counter(
        text
        for text, photo_id in connection.execute(
            select(term.c.text, term.c.photo_id).where(term.c.source == LABEL_SOURCE)
        )
        if photo_id in present
    )
    return Stats(
        photos=photos,
        captioned=captioned,
        bytes=size,
        undated=undated,
        unknown_camera=unknown_camera,
        located=located,
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


def _folders(connection: Connection) -> Counter[str]:
    query = select(root.c.path, file.c.relative_path, file.c.photo_id).join_from(file, root)
    rows = connection.execute(query.where(file.c.missing_since.is_(None), file.c.photo_id.is_not(None)))
    pairs = {(str(Path(row.path, row.relative_path).parent), row.photo_id) for row in rows}
    return Counter(folder for folder, _ in pairs)


def _captions(connection: Connection, present: set[int], most: int) -> tuple[Counter[str], dict[str, int], int]:
    """Return the sources of the shown captions, their words, and their number.

    Forms of a word are counted together, under the most frequent form.
    """
    shown = [each for photo_id, each in shown_captions(connection).items() if photo_id in present]
    forms: dict[str, Counter[str]] = {}
    totals: Counter[str] = Counter()
    for each in shown:
        by_stem = {stem(word): word for word in content_words(each.text)}
        totals.update(by_stem.keys())
        for stemmed, word in by_stem.items():
            forms.setdefault(stemmed, Counter())[word] += 1
    words = {
        max(sorted(forms[stemmed]), key=forms[stemmed].__getitem__): n for stemmed, n in _first(totals, most).items()
    }
    return Counter[str](each.source for each in shown), words, len(shown)
