"""Alembic's entry: run the steps on the connection that archive/index/migrate.py opened and locked.

There is no alembic.ini: migrate.py makes the configuration, opens the transaction and commits it.
"""

from __future__ import annotations

from alembic import context

from archive.index.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # SQLite's too, since migrate.py says BEGIN itself
)
with context.begin_transaction():
    context.run_migrations()
