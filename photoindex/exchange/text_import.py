"""Merges the text of an export: it is taken where this library has looked less closely, or by an older reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from sqlalchemy import Connection, select

from photoindex.catalogue import text
from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.many_rows import SET, is_one_of
from photoindex.catalogue.schema import photo
from photoindex.exchange.records import CaptionRecord, PhotoRecord, TextRecord
from photoindex.media.text.reader_version import TEXT_READER
from photoindex.types import PhotoText, TextLine
from photoindex.types.text import Box


def merge_text(connection: Connection, records: Mapping[int, PhotoRecord]) -> set[int]:
    """Store what records, by photo id, say of the text in photos, with the captions that come of it, where it is better
    than what is known here; return where it is."""
    theirs = {number: record.text for number, record in records.items() if record.text is not None}
    known: dict[int, int] = {}
    for chunk in chunks(theirs, SET):
        rows = connection.execute(select(photo.c.id, photo.c.text_reader).where(is_one_of(photo.c.id, chunk)))
        known.update(map(tuple, rows))
    better: dict[int, dict[int, PhotoText]] = {}  # by the version of the reader
    for number, said in theirs.items():
        # A reader that this program does not know keeps no later one from reading the photo again.
        reader = min(said.reader, TEXT_READER)
        if (reader, said.closely) > (abs(known[number]), known[number] > 0):
            better.setdefault(reader, {})[number] = _read(said)
    for reader, read in better.items():
        text.save(connection, read, reader)
    changed = {number for read in better.values() for number in read}
    shown = {number: next(filter(_is_ours, records[number].captions), None) for number in changed}
    text.save_captions(connection, {number: None if each is None else each.text for number, each in shown.items()})
    return changed


def _read(record: TextRecord) -> PhotoText:
    lines = (TextLine(each.text, each.confidence, cast(Box, each.box), each.block) for each in record.lines)
    return PhotoText(tuple(lines), record.closely)


def _is_ours(caption: CaptionRecord) -> bool:
    return caption.source == "text" and caption.current and caption.rank == 0
