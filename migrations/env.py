"""Alembic's environment. photoindex runs it by itself when it opens a catalogue; `alembic -c migrations/alembic.ini`
runs it by hand, with the catalogue named as `-x catalogue=PATH`."""

from __future__ import annotations

from pathlib import Path

from alembic import context
from sqlalchemy import Connection

from photoindex.catalogue import feed_triggers
from photoindex.catalogue.schema import metadata
from photoindex.catalogue.sqlite import make_engine


def run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    feed_triggers.drop(connection)
    context.run_migrations()
    feed_triggers.install(connection)


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    catalogue = context.get_x_argument(as_dictionary=True).get("catalogue")
    if catalogue is None:
        raise SystemExit("name the catalogue: alembic -c migrations/alembic.ini -x catalogue=PATH …")
    engine = make_engine(Path(catalogue))
    try:
        with engine.execution_options(photoindex_write=True).begin() as own_connection:
            run(own_connection)
    finally:
        engine.dispose()
