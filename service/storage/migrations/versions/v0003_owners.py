"""Owners of datasets and jobs, and whose turn it is."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for table in ("datasets", "jobs"):
        op.add_column(table, sa.Column("owner", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("jobs", sa.Column("claimed_at", sa.Double(), nullable=True))
    op.create_index(op.f("ix_datasets_owner"), "datasets", ["owner"], unique=False)
    op.create_table(
        "turns",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", name=op.f("pk_turns")),
    )
