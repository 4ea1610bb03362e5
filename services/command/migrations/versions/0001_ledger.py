"""Stations, edges and the ledger of commands."""

import sqlalchemy as sa
from alembic import op
from chargebus_runtime.schema import create_runtime_tables, drop_runtime_tables

revision = "0001"
down_revision = None

ID = sa.String(collation="C")
TIME = sa.DateTime(timezone=True)
OPEN = "state <> 'ended'"


def upgrade() -> None:
    create_runtime_tables(op)
    op.create_table(
        "station",
        sa.Column("station_id", ID, primary_key=True),
        sa.Column("registered", sa.Boolean, nullable=False),
        sa.Column("connected", sa.Boolean, nullable=False),
        sa.Column("epoch", sa.BigInteger),
        sa.Column("slot", sa.Integer),
        sa.Column("edge_epoch", sa.BigInteger),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("void_epoch", sa.BigInteger),
        sa.Column("void_until", TIME),
        postgresql_with={"fillfactor": "80"},
    )
    # A few rows, rewritten with every heartbeat: room in the page keeps those updates in place.
    op.create_table(
        "edge",
        sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("stopped", sa.Boolean, nullable=False),
        postgresql_with={"fillfactor": "50"},
    )
    create_command()


def create_command() -> None:
    op.create_table(
        "command",
        sa.Column("command_id", ID, primary_key=True),
        sa.Column("number", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("station_id", ID, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("payload", sa.String, nullable=False),
        sa.Column("versions", sa.String, nullable=False),
        sa.Column("requester", sa.String, nullable=False),
        sa.Column("requested_by", sa.String, nullable=False),
        sa.Column("requested_at", TIME, nullable=False),
        sa.Column("timeout_s", sa.Float, nullable=False),
        sa.Column("ttl_s", sa.Float, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("idempotency_key", ID),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("awaited", sa.Boolean, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("slot", sa.Integer),
        sa.Column("epoch", sa.BigInteger),
        sa.Column("sent_at", TIME),
        sa.Column("outcome", sa.String),
        sa.Column("ended_at", TIME),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("reply", sa.String),
        sa.Column("error_code", sa.String, nullable=False),
        sa.Column("error_description", sa.String, nullable=False),
        sa.Column("error_details", sa.String),
    )
    index("command_by_number", "number", unique=True)
    index("command_by_station", "station_id", "number")
    index("command_by_key", "station_id", "idempotency_key", unique=True, where="idempotency_key IS NOT NULL")
    index("command_open_by_station", "station_id", "number", where=OPEN)
    index("command_open_by_due", "due_at", where=OPEN)
    # Whatever the code does, the database lets a station have one command in flight.
    index("command_one_in_flight", "station_id", unique=True, where="state = 'sent'")


def index(name, *columns, unique=False, where=None) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(name, "command", list(columns), unique=unique, postgresql_where=condition)


def downgrade() -> None:
    for table in ("command", "edge", "station"):
        op.drop_table(table)
    drop_runtime_tables(op)
