"""All calls that wait are in one table; those that wait at this moment are asked again by their stations."""

import sqlalchemy as sa
from alembic import op
from chargebus_calls.waiting import create_waiting_tables, drop_waiting_tables

revision = "0007"
down_revision = "0006"

ID = sa.String(collation="C")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    create_waiting_tables(op)
    op.drop_table("contract_call")
    op.drop_table("status_call")


def downgrade() -> None:
    op.create_table(
        "status_call",
        sa.Column("call_id", ID, primary_key=True),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("claimed_until", TIME, nullable=False, index=True),
        sa.Column("frame", sa.LargeBinary, nullable=False),
        sa.Column("questions", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "contract_call",
        sa.Column("call_id", ID, primary_key=True),
        sa.Column("station_id", ID, nullable=False, index=True),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("content", sa.String, nullable=False),
        sa.Column("received_at", TIME, nullable=False, index=True),
        sa.Column("claimed_until", TIME),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("frame", sa.LargeBinary, nullable=False),
    )
    op.create_index(
        "ix_contract_call_waiting",
        "contract_call",
        ["action", "station_id", "received_at"],
        postgresql_where=sa.text("claimed_until IS NOT NULL"),
    )
    drop_waiting_tables(op)
