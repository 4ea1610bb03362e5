"""Readings, the transactions of sessions, values set aside."""

import sqlalchemy as sa
from alembic import op
from chargebus_runtime.schema import create_runtime_tables, drop_runtime_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_runtime_tables(op)
    op.create_table(
        "meter_reading",
        sa.Column("reading_id", sa.Uuid, primary_key=True),
        sa.Column("station_id", sa.String, nullable=False),
        sa.Column("evse_id", sa.Integer, nullable=False),
        sa.Column("connector_id", sa.Integer, nullable=False),
        sa.Column("transaction_id", sa.String, nullable=False),
        sa.Column("sampled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("measurand", sa.String, nullable=False),
        sa.Column("phase", sa.String, nullable=False),
        sa.Column("location", sa.String, nullable=False),
        sa.Column("context", sa.String, nullable=False),
        sa.Column("value", sa.Float, nullable=False),
        sa.Column("unit", sa.String, nullable=False),
        sa.Column("original_value", sa.String, nullable=False),
        sa.Column("original_unit", sa.String, nullable=False),
        sa.Column("multiplier", sa.Integer, nullable=False),
    )
    op.create_index("meter_reading_transaction", "meter_reading", ["station_id", "transaction_id", "reading_id"])
    op.create_index(
        "meter_reading_unplaced",
        "meter_reading",
        ["station_id", "transaction_id"],
        postgresql_where=sa.text("evse_id = 0 AND transaction_id <> ''"),
    )
    op.create_table(
        "charging_session",
        sa.Column("session_id", sa.String, primary_key=True),
        sa.Column("station_id", sa.String, nullable=False),
        sa.Column("transaction_id", sa.String, nullable=False),
        sa.Column("evse_id", sa.Integer, nullable=False),
        sa.Column("connector_id", sa.Integer, nullable=False),
    )
    op.create_index("charging_session_transaction", "charging_session", ["station_id", "transaction_id"])
    op.create_table(
        "set_aside_value",
        sa.Column("value_id", sa.Uuid, primary_key=True),
        sa.Column("station_id", sa.String, nullable=False),
        sa.Column("evse_id", sa.Integer, nullable=False),
        sa.Column("connector_id", sa.Integer, nullable=False),
        sa.Column("transaction_id", sa.String, nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("timestamp", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("original", sa.String, nullable=False),
    )
    op.create_index("set_aside_value_station", "set_aside_value", ["station_id", "received_at"])


def downgrade() -> None:
    for table in ("set_aside_value", "charging_session", "meter_reading"):
        op.drop_table(table)
    drop_runtime_tables(op)
