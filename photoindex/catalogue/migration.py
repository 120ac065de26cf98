"""The catalogue's version: its tables made at once when it is new, and upgraded with a backup first when it is older.

Alembic is imported for an upgrade alone, by its public API: it takes a quarter of a second, and nearly every start
finds the catalogue up to date.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from photoindex.catalogue.raw_sql import Asker
from photoindex.errors import CatalogueError, CatalogueOutdated, CatalogueTooNew
from photoindex.system.package_data import migrations_dir

if TYPE_CHECKING:
    from photoindex.catalogue.database import Database

# The newest migration. Kept here so that opening an up-to-date catalogue never imports Alembic; a test holds it true.
HEAD = "0018"
VERSION: Final = "select version_num from alembic_version"


def revision_of(asker: Asker, place: str) -> str | None:
    """Return the migration that a catalogue is of; ``None`` for an empty file.

    Raises :class:`CatalogueError` for another program's database.
    """
    tables = asker.tables()
    if "alembic_version" in tables and "photo" in tables:
        for (revision,) in asker.ask(VERSION):
            return str(revision)
    if tables and tables != ["alembic_version"]:
        raise CatalogueError(f"{place} is a database, but not a photoindex catalogue; name another")
    return None


def knows(revision: str) -> bool:
    """Return whether this photoindex can upgrade from a migration; without importing Alembic."""
    return revision.isalnum() and any(migrations_dir().glob(f"versions/{revision}_*.py"))


def upgrade(database: Database, revision: str | None, back_up: Callable[[str], None] = lambda _: None) -> None:
    """Bring a catalogue that is of ``revision`` to :data:`HEAD`; make its tables when it is empty.

    ``back_up`` is called with the revision before anything is changed. Raises :class:`CatalogueTooNew` for an unknown
    revision, and :class:`CatalogueError` when no whole backup can be made first, or when the upgrade fails: then the
    catalogue is as it was.
    """
    if revision == HEAD:
        return  # another process did it while we waited for the lock
    if revision is None:
        _make(database)
        return
    if not knows(revision):
        raise too_new(database.place, revision)
    back_up(revision)
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations_dir()).replace("%", "%%"))
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def too_new(place: str, revision: str) -> CatalogueTooNew:
    """Return the error for a catalogue of a migration that this photoindex does not know."""
    return CatalogueTooNew(
        f"the catalogue {place} was written by a newer photoindex (its version is {revision}, this one knows up to "
        f"{HEAD}): upgrade photoindex, or name another {'catalogue' if '://' in place else '--data-dir'}"
    )


def check_still(opened: str, found: object, place: str) -> None:
    """Raise :class:`CatalogueOutdated` when a catalogue that was ``opened`` in one version is ``found`` in another: a
    process may work for days, and must not write into newer tables by older rules."""
    if found != opened:
        raise CatalogueOutdated(
            f"the catalogue {place} was upgraded to version {found} meanwhile, and this photoindex is of {opened}: "
            "end it, and start the version that the catalogue needs"
        )


def _make(database: Database) -> None:
    """Make the tables of an empty catalogue at once, as running every migration leaves them; a test holds that."""
    import secrets

    from sqlalchemy import insert, text

    from photoindex.catalogue import feed_triggers
    from photoindex.catalogue.schema import catalogue, metadata

    with database.write() as connection:
        metadata.create_all(connection)
        feed_triggers.install(connection)
        connection.execute(insert(catalogue).values(id=1, identity=secrets.token_hex(16), vector_revision=0))
        # What Alembic asks when there is something to upgrade.
        connection.execute(
            text(
                "create table if not exists alembic_version"
                " (version_num varchar(32) not null, constraint alembic_version_pkc primary key (version_num))"
            )
        )
        connection.execute(text("insert into alembic_version values (:head)"), {"head": HEAD})
