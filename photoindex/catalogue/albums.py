"""Queries about albums, and about photos that a person said are no duplicates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from sqlalchemy import Connection, and_, delete, exists, func, insert, or_, select, update

from photoindex.catalogue import photos
from photoindex.catalogue.chunks import chunks
from photoindex.catalogue.database import Database
from photoindex.catalogue.editor import clean_text
from photoindex.catalogue.many_rows import SET, insert_rows, is_one_of
from photoindex.catalogue.raw_sql import Asker, ask
from photoindex.catalogue.schema import album, album_photo, distinct_pair, file, photo
from photoindex.catalogue.user_metadata import tag_key
from photoindex.errors import AlbumError, CorrectionError
from photoindex.system.arguments import check_flags, photo_ids_of, row_id
from photoindex.system.clock import utc_now
from photoindex.types.limits import LONGEST_ALBUM_NAME, LONGEST_QUERY

MOST_ALIKE = 60  # photos of one group of duplicates


@dataclass(frozen=True, slots=True)
class Album:
    """An album: picked photos, or all that ``query`` finds. ``photos`` counts picked ones that have a file and
    are not hidden; ``cover`` is the content of the one of these that was added last."""

    id: int
    name: str
    query: str | None
    created_at: datetime
    photos: int = 0
    cover: str | None = None


def list_albums(connection: Connection) -> list[Album]:
    """Return all albums, by name."""
    present = exists().where(file.c.photo_id == album_photo.c.photo_id, file.c.missing_since.is_(None))
    order = func.row_number().over(
        partition_by=album_photo.c.album_id, order_by=(album_photo.c.added_at.desc(), album_photo.c.photo_id.desc())
    )
    total = func.count().over(partition_by=album_photo.c.album_id)
    ranked = (
        select(album_photo.c.album_id, photo.c.content_hash, order.label("place"), total.label("total"))
        .join_from(album_photo, photo)
        .where(present, ~photo.c.hidden)
        .subquery()
    )
    firsts = {row.album_id: row for row in connection.execute(select(ranked).where(ranked.c.place == 1))}
    found = []
    for row in connection.execute(select(album)):
        first = firsts.get(row.id)
        counted = (first.total, first.content_hash) if first is not None else (0, None)
        found.append(Album(row.id, row.name, row.query, row.created_at, *counted))
    return sorted(found, key=lambda each: tag_key(each.name))


def find_album(connection: Connection, name: str) -> Album | None:
    """Return the album of a name, whatever the case; without its counts."""
    row = connection.execute(select(album).where(album.c.name_key == tag_key(_name(name)))).first()
    return None if row is None else Album(row.id, row.name, row.query, row.created_at)


def album_by_id(connection: Connection, number: int) -> Album:
    """Return an album, without its counts. Raises :class:`AlbumError`."""
    number = row_id(number, "the number of an album")
    row = connection.execute(select(album).where(album.c.id == number)).first()
    if row is None:
        raise AlbumError("there is no such album")
    return Album(row.id, row.name, row.query, row.created_at)


def add_album(connection: Connection, name: str, query: str | None, now: datetime) -> Album:
    """Make an album. Raises :class:`AlbumError` for a name that is taken or cannot be one."""
    name = _name(name)
    if find_album(connection, name) is not None:
        raise AlbumError(f"there is an album {name!r} already")
    if query is not None and len(query) > LONGEST_QUERY:
        raise AlbumError(f"a query of {len(query):,} characters: at most {LONGEST_QUERY:,} are taken")
    values = {"name": name, "name_key": tag_key(name), "query": query, "created_at": now}
    added = connection.execute(insert(album).values(values))
    assert added.inserted_primary_key is not None
    return Album(int(added.inserted_primary_key[0]), name, query, now)


def rename_album(connection: Connection, number: int, name: str) -> None:
    """Give an album another name. Raises :class:`AlbumError` for one that is taken or cannot be one."""
    name = _name(name)
    other = find_album(connection, name)
    if other is not None and other.id != number:
        raise AlbumError(f"there is an album {name!r} already")
    connection.execute(update(album).where(album.c.id == number).values(name=name, name_key=tag_key(name)))


def delete_album(connection: Connection, number: int) -> None:
    """Take an album away; its photos stay as they are."""
    connection.execute(delete(album).where(album.c.id == number))


def add_photos(connection: Connection, number: int, photo_ids: Sequence[int], now: datetime) -> int:
    """Add photos to an album; unknown ones are left out. Return how many were not in it."""
    before = _count(connection, number)
    for chunk in chunks(dict.fromkeys(photo_ids), SET):
        held = exists().where(album_photo.c.album_id == number, album_photo.c.photo_id == photo.c.id)
        known = set(connection.execute(select(photo.c.id).where(is_one_of(photo.c.id, chunk), ~held)).scalars())
        rows = [{"album_id": number, "photo_id": one, "added_at": now} for one in chunk if one in known]
        insert_rows(connection, album_photo, rows)
    return _count(connection, number) - before


def remove_photos(connection: Connection, number: int, photo_ids: Sequence[int]) -> int:
    """Take photos out of an album; return how many were in it."""
    before = _count(connection, number)
    for chunk in chunks(photo_ids, SET):
        theirs = and_(album_photo.c.album_id == number, is_one_of(album_photo.c.photo_id, chunk))
        connection.execute(delete(album_photo).where(theirs))
    return before - _count(connection, number)


def remove_added(connection: Connection, number: int, added_at: datetime) -> int:
    """Take out of an album what was added to it at a moment, and not taken out since; return how many that were. An
    album that was made for them goes, too, unless it holds others by now."""
    theirs = and_(album_photo.c.album_id == number, album_photo.c.added_at == added_at)
    removed = int(connection.execute(delete(album_photo).where(theirs)).rowcount)
    if removed and not _count(connection, number):
        connection.execute(delete(album).where(album.c.id == number, album.c.created_at == added_at))
    return removed


def album_photos(connection: Connection, number: int, *, hidden: bool = True) -> list[int]:
    """Return the picked photos of an album, first added first; not those that are ``hidden`` where it says so."""
    query = select(album_photo.c.photo_id).where(album_photo.c.album_id == number)
    if not hidden:
        query = query.join(photo).where(~photo.c.hidden)
    return list(connection.execute(query.order_by(album_photo.c.added_at, album_photo.c.photo_id)).scalars())


def albums_of(connection: Connection, photo_id: int) -> list[Album]:
    """Return the albums that a photo was picked for, by name."""
    query = select(album).join_from(album, album_photo).where(album_photo.c.photo_id == photo_id)
    found = [Album(row.id, row.name, row.query, row.created_at) for row in connection.execute(query)]
    return sorted(found, key=lambda each: tag_key(each.name))


def album_hashes(connection: Connection, photo_ids: Sequence[int]) -> Iterator[tuple[Album, list[str]]]:
    """Yield each album by name, with the contents of those of these photos that were picked for it."""
    chosen = set(photo_ids)
    for each in list_albums(connection):
        query = select(photo.c.id, photo.c.content_hash).join_from(album_photo, photo)
        rows = connection.execute(query.where(album_photo.c.album_id == each.id).order_by(photo.c.content_hash))
        yield each, [content for number, content in rows if number in chosen]


def _count(connection: Connection, number: int) -> int:
    query = select(func.count()).select_from(album_photo).where(album_photo.c.album_id == number)
    return int(connection.execute(query).scalar_one())


def _name(text: str) -> str:
    try:
        return clean_text(text, "name of an album", LONGEST_ALBUM_NAME)
    except CorrectionError as error:
        raise AlbumError(str(error)) from error


# ---- no duplicates -------------------------------------------------------------------------------


def put_distinct(connection: Connection, photo_ids: Sequence[int], now: datetime) -> int:
    """Say that these photos are no duplicates of each other, and that copies of each are wanted. Return how many pairs
    that adds. Unknown photos are left out. Raises :class:`AlbumError` for too many photos, or none."""
    added = 0
    for first, second in _pairs(photos.known(connection, photo_ids)):
        same = and_(distinct_pair.c.first_id == first, distinct_pair.c.second_id == second)
        if connection.execute(select(distinct_pair.c.first_id).where(same)).first() is None:
            connection.execute(insert(distinct_pair).values(first_id=first, second_id=second, made_at=now))
            added += 1
    return added


def remove_distinct(connection: Connection, photo_ids: Sequence[int]) -> int:
    """Take that back; return how many pairs there were."""
    pairs = _pairs(photo_ids)
    same = [and_(distinct_pair.c.first_id == first, distinct_pair.c.second_id == second) for first, second in pairs]
    removed = 0
    for chunk in chunks(same, 100):
        removed += connection.execute(delete(distinct_pair).where(or_(*chunk))).rowcount
    return removed


def distinct_pairs(transaction: Asker | Connection) -> set[tuple[int, int]]:
    """Return all pairs of photos that are no duplicates, the lower id first."""
    rows = ask(transaction, "select first_id, second_id from distinct_pair")
    return {(int(first), int(second)) for first, second in rows}


def distinct_hashes(connection: Connection, photo_ids: Sequence[int]) -> list[tuple[str, str, datetime]]:
    """Return the contents of the pairs of these photos, in the order of the contents, and when that was said."""
    one, other, chosen = photo.alias(), photo.alias(), set(photo_ids)
    query = (
        select(one.c.id, other.c.id, one.c.content_hash, other.c.content_hash, distinct_pair.c.made_at)
        .join_from(distinct_pair, one, one.c.id == distinct_pair.c.first_id)
        .join(other, other.c.id == distinct_pair.c.second_id)
    )
    rows = connection.execute(query)
    found = [(min(a, b), max(a, b), time) for i, j, a, b, time in rows if i in chosen and j in chosen]
    return sorted(found)


def _pairs(photo_ids: Sequence[int]) -> list[tuple[int, int]]:
    alike = sorted(set(photo_ids))
    if not alike or len(alike) > MOST_ALIKE:
        raise AlbumError(f"{len(alike)} photos: 1 to {MOST_ALIKE} can be told apart at once")
    return [*((number, number) for number in alike), *combinations(alike, 2)]


class Albums:
    """The albums of a library, and what is said to be no duplicate; each method is a transaction of its own."""

    def __init__(
        self,
        database: Database,
        check_query: Callable[[str], object] = lambda _query: None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """``check_query`` raises :class:`photoindex.errors.QueryError` for what no search takes."""
        self._database = database
        self._check_query = check_query
        self._now = now

    def all(self) -> list[Album]:
        """Return all albums, by name."""
        with self._database.read() as connection:
            return list_albums(connection)

    def get(self, number: int) -> Album:
        """Return an album, without its counts. Raises :class:`AlbumError`."""
        with self._database.read() as connection:
            return album_by_id(connection, number)

    def named(self, name: str) -> Album:
        """Return the album of a name, whatever the case. Raises :class:`AlbumError`."""
        with self._database.read() as connection:
            found = find_album(connection, name)
        if found is None:
            raise AlbumError(f"there is no album {name!r}: photoindex albums list")
        return found

    def photos(self, number: int, *, hidden: bool = True) -> list[int]:
        """Return the picked photos of an album, first added first, with or without those that are ``hidden``."""
        check_flags(hidden=hidden)
        number = row_id(number, "the number of an album")
        with self._database.read() as connection:
            return album_photos(connection, number, hidden=hidden)

    def holding(self, photo_id: int) -> list[Album]:
        """Return the albums that a photo was picked for, by name."""
        photo_id = row_id(photo_id, "the id of a photo")
        with self._database.read() as connection:
            return albums_of(connection, photo_id)

    def add(self, name: str, query: str | None = None, photo_ids: Sequence[int] = ()) -> Album:
        """Make an album. Raises :class:`AlbumError`, and :class:`photoindex.errors.QueryError` for a query that the
        search refuses."""
        if query is not None:
            self._check_query(query)
        with self._database.write() as connection:
            made = add_album(connection, name, query, self._now())
            added = add_photos(connection, made.id, photo_ids_of(photo_ids), self._now())
            return next(each for each in list_albums(connection) if each.id == made.id) if added else made

    def put(self, name: str, photo_ids: Sequence[int]) -> tuple[Album, int]:
        """Add photos to the album of a name, which is made if there is none; return it, and how many were not in it.

        Raises :class:`AlbumError` for a saved search.
        """
        return self.put_at(name, photo_ids)[:2]

    def put_at(self, name: str, photo_ids: Sequence[int]) -> tuple[Album, int, datetime]:
        """Add photos as :meth:`put` does; return as well when, by which :meth:`remove_added` takes out these alone."""
        now = self._now()
        with self._database.write() as connection:
            found = find_album(connection, name) or add_album(connection, name, None, now)
            if found.query is not None:
                raise AlbumError(f"{found.name!r} is a saved search: its photos are those that {found.query!r} finds")
            return found, add_photos(connection, found.id, photo_ids_of(photo_ids), now), now

    def remove(self, number: int, photo_ids: Sequence[int]) -> int:
        """Take photos out of an album; return how many were in it. Raises :class:`AlbumError`."""
        with self._database.write() as connection:
            return remove_photos(connection, album_by_id(connection, number).id, photo_ids_of(photo_ids))

    def remove_added(self, number: int, added_at: datetime) -> int:
        """Take out of an album what was added to it at a moment; return how many photos that were. An album that was
        made for them alone goes, too. Raises :class:`AlbumError`."""
        with self._database.write() as connection:
            return remove_added(connection, album_by_id(connection, number).id, added_at)

    def rename(self, number: int, name: str) -> None:
        """Give an album another name. Raises :class:`AlbumError`."""
        with self._database.write() as connection:
            rename_album(connection, album_by_id(connection, number).id, name)

    def delete(self, number: int) -> tuple[Album, list[int]]:
        """Take an album away, and return it with its picked photos, of which none is changed. Raises
        :class:`AlbumError`."""
        with self._database.write() as connection:
            found = album_by_id(connection, number)
            ids = album_photos(connection, found.id)
            delete_album(connection, found.id)
        return found, ids

    def set_distinct(self, photo_ids: Sequence[int], distinct: bool = True) -> int:
        """Say that photos are no duplicates of each other, or take it back; return how many pairs that changed."""
        check_flags(distinct=distinct)
        photo_ids = photo_ids_of(photo_ids)
        with self._database.write() as connection:
            if distinct:
                return put_distinct(connection, photo_ids, self._now())
            return remove_distinct(connection, photo_ids)
