"""Open the catalogue: at a path it is SQLite's, at a URL PostgreSQL's. Only the one that is needed is imported."""

from __future__ import annotations

from pathlib import Path

from photoindex.catalogue.database import Database
from photoindex.catalogue.fast_queries import list_roots
from photoindex.catalogue.open_file import holds_bytes
from photoindex.config import Settings
from photoindex.errors import PhotoindexError


def open_catalogue(settings: Settings) -> Database:
    """Open the catalogue that the settings name, by :func:`open_database`, in a data folder that is there and private.

    Its roots lie where the setting ``mounts`` says. Raises :class:`CatalogueError`, also for a file that is gone or
    empty and has a backup, and :class:`ConfigError` when that setting does not fit the catalogue.
    """
    if isinstance(settings.catalogue_place, str):
        from photoindex.catalogue.data_folder import open_data_folder

        open_data_folder(settings.data_dir)
    elif not holds_bytes(settings.catalogue_place):
        from photoindex.catalogue.backup_files import check_not_lost

        check_not_lost(settings.catalogue_place)
    database = open_database(settings.catalogue_place)
    database.mounts = settings.mounts
    if settings.mounts:
        try:
            with database.ask() as asker:
                list_roots(asker)
        except PhotoindexError:
            database.close()
            raise
    return database


def open_database(place: Path | str) -> Database:
    """Open the catalogue at a path or a URL.

    One at a path is made or upgraded as needed (:meth:`.SqliteDatabase.open`); one at a URL is opened only when it is
    of this version (:meth:`.PostgresDatabase.open`). Raises :class:`CatalogueError`.
    """
    if isinstance(place, str):
        from photoindex.catalogue.postgres_database import PostgresDatabase

        return PostgresDatabase.open(place)
    from photoindex.catalogue.sqlite_database import SqliteDatabase

    return SqliteDatabase.open(place)


def open_database_as_is(place: Path | str) -> Database:
    """Open the catalogue for reading alone: nothing is made, upgraded or repaired, and it may be of any version.

    Raises :class:`CatalogueError` when it is not there or cannot be read.
    """
    if isinstance(place, str):
        from photoindex.catalogue.postgres_database import PostgresDatabase

        return PostgresDatabase.open_as_is(place)
    from photoindex.catalogue.sqlite_database import SqliteDatabase

    return SqliteDatabase.open_as_is(place)
