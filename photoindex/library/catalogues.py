"""Making, upgrading, copying and checking catalogues, wherever they are kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from photoindex.catalogue import migration
from photoindex.catalogue.database import Database
from photoindex.catalogue.opening import open_catalogue, open_database, open_database_as_is
from photoindex.config import CATALOGUE_URLS, Settings
from photoindex.errors import CatalogueError, ConfigError
from photoindex.system.regular_files import is_there
from photoindex.types import Progress


@dataclass(frozen=True, slots=True)
class CatalogueCheck:
    """What :func:`check_catalogue` found. ``version`` is ``None`` for an empty one; ``needed`` is this program's."""

    place: str
    version: str | None
    needed: str
    bytes: int
    faults: tuple[str, ...]

    @property
    def is_usable(self) -> bool:
        return self.version == self.needed and not self.faults

    @property
    def is_newer(self) -> bool:
        """Whether a newer photoindex made it, whose versions this one does not know."""
        return self.version is not None and not migration.knows(self.version)


def upgrade_catalogue(settings: Settings) -> bool:
    """Make the tables of an empty catalogue, or bring an older one to this version; return whether that was needed.

    Stop the workers of a shared one first, and back it up. Raises :class:`CatalogueError`; then it is as it was.
    """
    if not settings.catalogue:
        known = _version(settings.catalogue_path) if is_there(settings.catalogue_path) else None
        open_catalogue(settings).close()
        return known != migration.HEAD
    from photoindex.catalogue.postgres_database import PostgresDatabase

    with closing(PostgresDatabase.open_as_is(settings.catalogue, read_only=False)) as database:
        return database.upgrade()


def copy_between(source: str, target: str, progress: Callable[[Progress], None] | None = None) -> dict[str, int]:
    """Copy a catalogue to an empty one, each named by a path or a URL; return the number of rows of each table.

    A file that is not there, and an empty database, are made into one first; what a copy that was stopped has left is
    filled. Raises :class:`CatalogueError`, and :class:`ConfigError` for a URL of another kind.
    """
    from photoindex.catalogue.copying import check_current, copy_catalogue

    origin, destination = _place(source), _place(target)
    if isinstance(origin, Path) and not is_there(origin):
        raise CatalogueError(f"there is no catalogue {origin}: name the file of one, or its URL")
    with closing(open_database_as_is(origin)) as opened:
        check_current(opened)  # before anything is made of the other
        with closing(_to_be_filled(destination)) as made:
            return copy_catalogue(opened, made, progress)


def check_catalogue(settings: Settings) -> CatalogueCheck:
    """Examine the catalogue that the settings name; reads all of one in a file. Raises :class:`CatalogueError`."""
    with closing(open_database_as_is(settings.catalogue_place)) as database:
        version = database.revision()
        faults = () if version is None else tuple(database.faults())
        return CatalogueCheck(database.place, version, migration.HEAD, database.size(), faults)


def _to_be_filled(place: Path | str) -> Database:
    """Open a catalogue to copy to, made where there is none. One that is there is not upgraded."""
    from photoindex.catalogue.copying import is_empty
    from photoindex.catalogue.postgres_database import PostgresDatabase

    if isinstance(place, str):
        made = PostgresDatabase.open_as_is(place, read_only=False)
        try:
            if made.revision() is None:
                made.upgrade()
        except CatalogueError:
            made.close()
            raise
        return made
    if is_there(place):
        try:
            with closing(open_database_as_is(place)) as there:
                free = is_empty(there)
        except CatalogueError:  # another program's file, or a folder
            free = False
        if not free:
            raise CatalogueError(f"{place} is there already: name a file that is not")
    return open_database(place)


def _version(path: Path) -> str | None:
    with closing(open_database_as_is(path)) as database:
        return database.revision()


def _place(text: str) -> Path | str:
    if text.startswith(CATALOGUE_URLS):
        return text
    if "://" in text or not text:
        raise ConfigError(f"a catalogue is a file, or a URL that begins with {CATALOGUE_URLS[0]}")
    return Path(text).absolute()
