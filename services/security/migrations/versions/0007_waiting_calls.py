"""Calls that wait for a pool of contracts or a responder."""

from alembic import op
from chargebus_calls.waiting import create_waiting_tables, drop_waiting_tables

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    create_waiting_tables(op)


def downgrade() -> None:
    drop_waiting_tables(op)
