"""Alembic's environment. photoindex runs it by itself when it opens a catalogue; `alembic -c migrations/alembic.ini`
runs it by hand, with the catalogue named as `-x catalogue=PATH`."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine

from photoindex.catalogue.schema import metadata

connection = context.config.attributes.get("connection")
if connection is not None:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    context.run_migrations()
else:
    catalogue = context.get_x_argument(as_dictionary=True).get("catalogue")
    if catalogue is None:
        raise SystemExit("name the catalogue: alembic -c migrations/alembic.ini -x catalogue=PATH …")
    with create_engine(f"sqlite:///{catalogue}").begin() as own_connection:
        context.configure(connection=own_connection, target_metadata=metadata, render_as_batch=True)
        context.run_migrations()
