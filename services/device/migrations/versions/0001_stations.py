"""Stations, their boots, connections and statuses; edges; the onboarding policy."""

import sqlalchemy as sa
from alembic import op
from chargebus_runtime.schema import create_runtime_tables, drop_runtime_tables
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0001"
down_revision = None


def _id() -> sa.String:
    return sa.String(collation="C")


def _time() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def upgrade() -> None:
    create_runtime_tables(op)
    op.create_table(
        "station",
        sa.Column("station_id", _id(), primary_key=True),
        sa.Column("registration", sa.String, nullable=False),
        sa.Column("password_hash", sa.String, nullable=False),
        sa.Column("security_profile", sa.Integer, nullable=False),
        sa.Column("versions", ARRAY(sa.String), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("labels", JSONB, nullable=False),
        sa.Column("created_at", _time(), nullable=False),
        sa.Column("updated_at", _time(), nullable=False),
    )
    op.create_table(
        "boot",
        sa.Column("station_id", _id(), primary_key=True),
        sa.Column("vendor", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("serial_number", sa.String, nullable=False),
        sa.Column("firmware_version", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("iccid", sa.String, nullable=False),
        sa.Column("imsi", sa.String, nullable=False),
        sa.Column("meter_serial_number", sa.String, nullable=False),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("told", sa.String, nullable=False),
        sa.Column("booted_at", _time(), nullable=False),
    )
    # last_seen_at changes with every heartbeat and is in no index: room in the page keeps those updates in place.
    op.create_table(
        "connection",
        sa.Column("station_id", _id(), primary_key=True),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("present", sa.Boolean, nullable=False),
        sa.Column("connected", sa.Boolean, nullable=False),
        sa.Column("slot", sa.Integer, nullable=False),
        sa.Column("edge_epoch", sa.BigInteger, nullable=False),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("security_profile", sa.Integer, nullable=False),
        sa.Column("remote_address", sa.String, nullable=False),
        sa.Column("changed_at", _time()),
        sa.Column("last_seen_at", _time(), nullable=False),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index("connection_connected", "connection", ["slot", "edge_epoch"], postgresql_where=sa.text("connected"))
    op.create_index(
        "connection_void",
        "connection",
        ["slot", "edge_epoch"],
        postgresql_where=sa.text("present AND NOT connected"),
    )
    op.create_table(
        "connector_status",
        sa.Column("station_id", _id(), primary_key=True),
        sa.Column("evse_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("connector_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("detail", sa.String, nullable=False),
        sa.Column("error_code", sa.String, nullable=False),
        sa.Column("info", sa.String, nullable=False),
        sa.Column("vendor_id", sa.String, nullable=False),
        sa.Column("vendor_error_code", sa.String, nullable=False),
        sa.Column("reported_at", _time(), nullable=False),
    )
    op.create_index("connector_status_by_status", "connector_status", ["status", "station_id"])
    op.create_table(
        "edge",
        sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("stopped", sa.Boolean, nullable=False),
        sa.Column("seen_at", _time(), nullable=False),
    )
    op.create_table(
        "onboarding",
        sa.Column("singleton", sa.Boolean, sa.CheckConstraint("singleton"), primary_key=True),
        sa.Column("unknown_stations", sa.String, nullable=False),
        sa.Column("password_hash", sa.String, nullable=False),
        sa.Column("updated_at", _time(), nullable=False),
    )


def downgrade() -> None:
    for table in ("onboarding", "edge", "connector_status", "connection", "boot", "station"):
        op.drop_table(table)
    drop_runtime_tables(op)
