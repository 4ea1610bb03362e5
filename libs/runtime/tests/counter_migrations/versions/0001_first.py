"""The counting service of the tests."""

import sqlalchemy as sa
from alembic import op
from chargebus_runtime.schema import create_runtime_tables, drop_runtime_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_runtime_tables(op)
    op.create_table(
        "applied",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("station", sa.String, nullable=False),
        sa.Column("value", sa.String, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("applied")
    drop_runtime_tables(op)
