"""Events of stations: what their monitors tell, and what they tell of their security."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_ID = sa.String(collation="C")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "station_event",
        *_common(),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("component", sa.String, nullable=False),
        sa.Column("component_instance", sa.String, nullable=False),
        sa.Column("variable", sa.String, nullable=False),
        sa.Column("variable_instance", sa.String, nullable=False),
        sa.Column("evse_id", sa.BigInteger, nullable=False),
        sa.Column("connector_id", sa.BigInteger, nullable=False),
        sa.Column("value", sa.String, nullable=False),
        sa.Column("trigger", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("cause", sa.BigInteger),
        sa.Column("cleared", sa.Boolean, nullable=False),
        sa.Column("severity", sa.BigInteger),
        sa.Column("tech_code", sa.String, nullable=False),
        sa.Column("transaction_id", sa.String, nullable=False),
        sa.Column("variable_monitoring_id", sa.BigInteger),
    )
    op.create_table("security_event", *_common(), sa.Column("type", sa.String, nullable=False))
    for table in ("station_event", "security_event"):
        op.create_index(f"ix_{table}_at", table, ["at", "event_id"])
        op.create_index(f"ix_{table}_station", table, ["station_id", "at", "event_id"])
        op.create_index(f"ix_{table}_received_at", table, ["received_at"])


def _common() -> tuple[sa.Column, ...]:
    return (
        sa.Column("event_id", _ID, primary_key=True),
        sa.Column("station_id", _ID, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("received_at", _TIME, nullable=False),
        sa.Column("tech_info", sa.String, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("security_event")
    op.drop_table("station_event")
