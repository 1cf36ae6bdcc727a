"""The tables. ``migrations`` creates them; a test checks that both agree.

Times are seconds since 1970 by the database's own clock (``now``), so leases do not depend on the clocks of
the machines that use the database.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    TypeDecorator,
    text,
)
from sqlalchemy import (
    Text as AnyText,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class Text(TypeDecorator[str]):
    """Text for every database: null bytes and lone surrogates are escaped."""

    impl, cache_ok = AnyText, True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Escape a value that is written or searched for."""
        return value and value.encode(errors="backslashreplace").decode().replace("\0", "\\x00")


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)

datasets = Table(
    "datasets",
    metadata,
    Column("id", Text, primary_key=True),  # UUIDv7: sorts by creation
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("counts", JSON, nullable=False),
    Column("manifest", JSON, nullable=False),
    Column("report", JSON, nullable=False),
    Column(
        "owner", Text, nullable=False, server_default=text("''"), index=True
    ),  # see ``service.storage.shares``
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("spec", JSON, nullable=False),
    Column("name", Text, nullable=False),  # of the resulting model
    Column("dataset_id", Text, ForeignKey("datasets.id", ondelete="SET NULL")),
    Column(
        "validation_dataset_id", Text
    ),  # kept when the dataset is deleted: the job cannot continue without it
    Column("base_sha256", Text),  # the weights that fine-tuning starts from
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("updated_at", Double, nullable=False),
    Column("finished_at", Double),
    Column("step", Integer, nullable=False),
    Column("total_steps", Integer),
    Column("phase", Text, nullable=False),
    Column("eta_seconds", Double),
    Column("metrics", JSON, nullable=False),
    Column("has_checkpoint", Boolean, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("lease_until", Double),
    Column("host", Text),
    Column("device", Text),
    Column("cancel_requested_at", Double),
    Column("error_code", Text),
    Column("error_detail", Text),
    Column("log_tail", Text),
    Column("result_version", Integer),
    Column("result_sha256", Text),
    Column("owner", Text, nullable=False, server_default=text("''")),
    Column("claimed_at", Double),  # by the latest attempt
    Index(None, "state", "id"),
)

turns = Table(
    "turns",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("turn", BigInteger, nullable=False),  # when a job of this owner was claimed last: they are counted
)

models = Table(
    "models",
    metadata,
    Column("name", Text, primary_key=True),
    Column("newest", Integer, nullable=False),  # numbers are never reused
    Column("promoted", Integer, nullable=False),
    Column("previous", Integer),  # promoted before this one
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
)

versions = Table(
    "versions",
    metadata,
    Column("name", Text, ForeignKey("models.name", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("sha256", Text, nullable=False, index=True),
    Column("bytes", BigInteger, nullable=False),
    Column("task", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("card", JSON, nullable=False),
    Column("metrics", JSON, nullable=False),
    Column("lineage", JSON, nullable=False),
    Column("created_at", Double, nullable=False),
)

counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", Text, primary_key=True),
    Column("route", Text, primary_key=True),
    Column("payload_sha256", Text, nullable=False),
    Column("resource", Text, nullable=False),  # the id of what the request creates
    Column("status", Integer),
    Column("body", JSON),
    Column("created_at", Double, nullable=False, index=True),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("name", Text, primary_key=True),
    Column("sha256", Text, nullable=False),  # of the key, which is not stored
    Column("scopes", JSON, nullable=False),
    Column("created_at", Double, nullable=False),
)


class now(FunctionElement[float]):  # noqa: N801, reads as the function that it is
    """The database's clock, in seconds since 1970."""

    type = Double()
    inherit_cache = True


@compiles(now, "sqlite")
def _sqlite_now(element: now, compiler: SQLCompiler, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"  # unixepoch('subsec') came with SQLite 3.42


@compiles(now, "postgresql")
def _postgresql_now(element: now, compiler: SQLCompiler, **options: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)"
