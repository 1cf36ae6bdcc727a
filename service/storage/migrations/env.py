"""Alembic's entry point: upgrades within the transaction that ``Database.migrate`` passes."""

from alembic import context

from service.storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # also true of SQLite, as Database begins transactions with BEGIN
)
with context.begin_transaction():
    context.run_migrations()
