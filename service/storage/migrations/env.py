"""Alembic's entry: upgrades over the connection, and in the transaction, that ``Database`` gives."""

from alembic import context

from service.storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # ours begin with BEGIN, so SQLite's are, too
)
with context.begin_transaction():
    context.run_migrations()
