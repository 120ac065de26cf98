"""A JPEG that comes after its raw file was captioned takes over the photo, with its caption."""

from __future__ import annotations

from photoindex.catalogue import photos, raw_pairs
from photoindex.catalogue.database import Database
from photoindex.indexing import save_results
from photoindex.indexing.save_results import Result
from photoindex.media.formats import is_developed_name
from photoindex.media.metadata.places import Gazetteer


def adopt(database: Database, gazetteer: Gazetteer, result: Result) -> int | None:
    """Give a decoded JPEG the photo of the raw file beside it, if that has a caption.

    Return how many files hold it; ``None`` when there is no such photo.
    """
    first = result.group[0]
    if first.job.again or not is_developed_name(first.job.path):
        return None
    with database.read() as connection:
        if raw_pairs.adoptable(connection, first.job.file_id) is None:
            return None
    with database.write() as connection:
        photo_id = raw_pairs.adoptable(connection, first.job.file_id)
        if photo_id is None or photos.find_by_hash(connection, [first.content_hash]):
            return None
        own, _ = save_results.sort_out(connection, [result])
        if own:
            photos.change_content(connection, photo_id, first.content_hash, first.stat.size)
            save_results.save_contents(connection, [own[0]], gazetteer)
            save_results.link(connection, {photo_id: own[0]})
    return len(own[0].group) if own else 0
