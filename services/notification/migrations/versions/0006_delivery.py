"""Subscriptions, what they are told, and the attempts to do so."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "subscription",
        sa.Column("subscription_id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("labels", sa.JSON, nullable=False),
        sa.Column("severity", sa.String, nullable=False),
        sa.Column("rules", sa.JSON, nullable=False),
        sa.Column("states", sa.JSON, nullable=False),
        sa.Column("channel", sa.JSON, nullable=False),
        sa.Column("digest", sa.JSON),
        sa.Column("quiet_hours", sa.JSON),
        sa.Column("sealed", sa.String),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("status_at", _TIME, nullable=False),
        sa.Column("trouble", sa.String, nullable=False),
        sa.Column("next_at", _TIME, index=True),
        sa.Column("busy_until", _TIME, nullable=False),
        sa.Column("claim", sa.Uuid),
        sa.Column("message_id", sa.Uuid),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("failing_since", _TIME),
        sa.Column("remaining", sa.JSON),
    )
    op.create_table(
        "delivery",
        sa.Column("delivery_id", sa.Uuid, primary_key=True),
        sa.Column("number", sa.BigInteger, sa.Identity(always=True), nullable=False, unique=True),
        sa.Column("subscription_id", sa.Uuid, nullable=False),
        sa.Column("alert_id", sa.String(collation="C"), nullable=False),
        sa.Column("rule", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("change", sa.String, nullable=False),
        sa.Column("severity", sa.String, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("received_at", _TIME, nullable=False, index=True),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("message_id", sa.Uuid, index=True),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("ended_at", _TIME),
        sa.Column("error", sa.String, nullable=False),
    )
    waiting = sa.text("state = 'waiting'")
    op.create_index(
        "ix_delivery_waiting", "delivery", ["subscription_id", "due_at", "number"], postgresql_where=waiting
    )
    op.create_index("ix_delivery_subscription_number", "delivery", ["subscription_id", "number"])
    op.create_index("ix_delivery_alert_number", "delivery", ["alert_id", "number"])
    op.create_index("ix_delivery_state_number", "delivery", ["state", "number"])
    op.create_table(
        "delivery_attempt",
        sa.Column("number", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("message_id", sa.Uuid, nullable=False, index=True),
        sa.Column("at", _TIME, nullable=False, index=True),
        sa.Column("took_ms", sa.Integer, nullable=False),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("error", sa.String, nullable=False),
        sa.Column("next_at", _TIME),
    )


def downgrade() -> None:
    op.drop_table("delivery_attempt")
    op.drop_table("delivery")
    op.drop_table("subscription")
