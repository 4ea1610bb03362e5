"""Remote starts and stops are commands that the service asks for; it follows no station's version any more."""

import sqlalchemy as sa
from alembic import op
from chargebus_commanding import create_commanding_tables, drop_commanding_tables

revision = "0006"
down_revision = "0005"

KEY = sa.String(collation="C")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    create_commanding_tables(op)
    op.create_table(
        "remote_start",
        sa.Column("remote_start_id", sa.BigInteger, primary_key=True),
        sa.Column("station_id", KEY, nullable=False),
        sa.Column("evse_id", sa.BigInteger, nullable=False),
        sa.Column("token_key", KEY, nullable=False),
        sa.Column("requested_at", TIME, nullable=False),
        sa.Column("pending", sa.Boolean, nullable=False),
        sa.Column("session_id", sa.Uuid),
    )
    op.execute("""
    INSERT INTO remote_start (remote_start_id, station_id, evse_id, token_key, requested_at, pending, session_id)
    SELECT remote_start_id, station_id, evse_id, token_key, requested_at,
           outcome IN ('', 'answered') AND status IN ('', 'Accepted'), session_id
    FROM intent WHERE kind = 'start'
    """)
    op.create_index(
        "remote_start_open",
        "remote_start",
        ["station_id", "token_key"],
        postgresql_where=sa.text("pending AND session_id IS NULL"),
    )
    op.drop_table("intent")
    op.drop_table("station")


def downgrade() -> None:
    op.create_table(
        "station",
        sa.Column("station_id", KEY, primary_key=True),
        sa.Column("version", sa.String, nullable=False),
    )
    op.create_table(
        "intent",
        sa.Column("command_id", KEY, primary_key=True),
        *(sa.Column(name, sa.String, nullable=False) for name in ("kind", "outcome", "status", "reason")),
        *(sa.Column(name, KEY, nullable=False) for name in ("station_id", "token_key")),
        sa.Column("evse_id", sa.BigInteger, nullable=False),
        sa.Column("remote_start_id", sa.BigInteger),
        sa.Column("session_id", sa.Uuid),
        sa.Column("requested_at", TIME, nullable=False),
        sa.Column("ended_at", TIME),
    )
    open_start = sa.text("kind = 'start' AND session_id IS NULL")
    op.create_index("intent_open_start", "intent", ["station_id", "token_key"], postgresql_where=open_start)
    op.create_index("intent_remote_start", "intent", ["remote_start_id"], unique=True)
    op.drop_table("remote_start")
    drop_commanding_tables(op)
