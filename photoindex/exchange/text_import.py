"""Merges the text of an export: it is taken where this library has looked less closely, or by an older reader."""

from __future__ import annotations

from typing import cast

from sqlalchemy import Connection, select

from photoindex.catalogue import text
from photoindex.catalogue.schema import photo
from photoindex.exchange.records import CaptionRecord, PhotoRecord, TextRecord
from photoindex.media.text.reader_version import TEXT_READER
from photoindex.types import PhotoText, TextLine
from photoindex.types.text import Box


def merge_text(connection: Connection, photo_id: int, record: PhotoRecord) -> bool:
    """Store what a record says of the text in a photo, with the caption that comes of it, if it is better than what is
    known here; return whether it is."""
    theirs = record.text
    if theirs is None:
        return False
    known = connection.execute(select(photo.c.text_reader).where(photo.c.id == photo_id)).scalar_one()
    # A reader that this program does not know keeps no later one from reading the photo again.
    reader = min(theirs.reader, TEXT_READER)
    if (reader, theirs.closely) <= (abs(known), known > 0):
        return False
    text.save(connection, {photo_id: _read(theirs)}, reader)
    shown = next((each for each in record.captions if _is_ours(each)), None)
    text.save_captions(connection, {photo_id: None if shown is None else shown.text})
    return True


def _read(record: TextRecord) -> PhotoText:
    lines = (TextLine(each.text, each.confidence, cast(Box, each.box), each.block) for each in record.lines)
    return PhotoText(tuple(lines), record.closely)


def _is_ours(caption: CaptionRecord) -> bool:
    return caption.source == "text" and caption.current and caption.rank == 0
