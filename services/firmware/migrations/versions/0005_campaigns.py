"""Campaigns, their stations, and when they are looked at."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def _id() -> sa.String:
    return sa.String(collation="C")


def _time() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "campaign",
        sa.Column("campaign_id", sa.Uuid, primary_key=True),
        sa.Column("created_at", _time(), nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("ended_at", _time()),
        sa.Column("idempotency_key", sa.String),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("known", sa.LargeBinary, nullable=False),
    )
    op.create_index("campaign_by_age", "campaign", ["created_at", "campaign_id"])
    op.create_index("campaign_over", "campaign", ["ended_at"], postgresql_where=sa.text("ended_at IS NOT NULL"))
    op.create_index(
        "campaign_key",
        "campaign",
        ["idempotency_key"],
        unique=True,
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
    )
    op.create_table(
        "campaign_due",
        sa.Column("campaign_id", sa.Uuid, primary_key=True),
        sa.Column("due_at", _time(), nullable=True, index=True),
        sa.Column("marks", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "campaign_station",
        sa.Column("campaign_id", sa.Uuid, primary_key=True),
        sa.Column("station_id", _id(), primary_key=True),
        sa.Column("wave", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("place", _id(), nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("look_at", _time(), nullable=False),
        sa.Column("update_id", sa.Uuid, nullable=True),
        sa.Column("known", sa.LargeBinary, nullable=False),
    )
    op.create_index("campaign_station_by_state", "campaign_station", ["campaign_id", "wave", "state"])
    for name, columns, states in (
        ("waiting", ["campaign_id", "wave", "look_at", "position"], "state = 'waiting'"),
        ("turn", ["campaign_id", "wave", "position"], "state = 'waiting'"),
        ("checking", ["campaign_id", "look_at"], "state = 'checking'"),
        ("with_update", ["campaign_id", "state"], "state IN ('updating', 'failed')"),
        ("open", ["station_id"], "state IN ('waiting', 'checking')"),
    ):
        op.create_index(f"campaign_station_{name}", "campaign_station", columns, postgresql_where=sa.text(states))


def downgrade() -> None:
    for table in ("campaign_station", "campaign_due", "campaign"):
        op.drop_table(table)
