"""Display messages: what is wanted, on which stations, and what these report."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSON, JSONB

revision = "0004"
down_revision = "0003"

_ID = sa.String(collation="C")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "display_message",
        sa.Column("message_id", _ID, primary_key=True),
        sa.Column("station_ids", ARRAY(sa.String), nullable=False),
        sa.Column("labels", JSONB, nullable=False),
        sa.Column("face", JSON, nullable=False),
        sa.Column("transaction_id", sa.String, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("changed_at", _TIME, nullable=False),
        sa.Column("removed_at", _TIME, index=True),
    )
    op.create_index(
        "ix_display_message_transaction_id",
        "display_message",
        ["transaction_id"],
        postgresql_where=sa.text("transaction_id <> ''"),
    )
    op.create_table(
        "display_limits",
        sa.Column("station_id", _ID, primary_key=True),
        sa.Column("asked_at", _TIME, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("limits", JSON, nullable=False),
    )
    op.create_table(
        "display_station",
        sa.Column("station_id", _ID, primary_key=True),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("next_number", sa.BigInteger, nullable=False),
        sa.Column("request_id", sa.BigInteger, nullable=False),
        sa.Column("report", sa.String, nullable=False),
        sa.Column("asked_at", _TIME),
        sa.Column("reported_at", _TIME),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("due_at", _TIME, index=True),
        sa.Column("detail", sa.String, nullable=False),
    )
    op.create_table(
        "shown_message",
        sa.Column("station_id", _ID, primary_key=True),
        sa.Column("message_id", _ID, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("wanted", sa.String, nullable=False),
        sa.Column("changed_at", _TIME, nullable=False),
        sa.Column("is_wanted", sa.Boolean, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("told", sa.String, nullable=False),
        sa.Column("asking", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("detail", sa.String, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("repaired", sa.Integer, nullable=False),
        sa.Column("due_at", _TIME, index=True),
        sa.Column("ends_at", _TIME),
        sa.UniqueConstraint("station_id", "number", name="uq_shown_message_number"),
    )
    op.create_index("ix_shown_message_message", "shown_message", ["message_id", "station_id"])
    op.create_table(
        "reported_message",
        sa.Column("station_id", _ID, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True),
        sa.Column("request_id", sa.BigInteger, nullable=False),
        sa.Column("face", JSON, nullable=False),
    )


def downgrade() -> None:
    for table in ("reported_message", "shown_message", "display_station", "display_limits", "display_message"):
        op.drop_table(table)
