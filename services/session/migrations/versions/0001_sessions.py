"""Tokens, sessions with their events, remote intents, stations."""

import sqlalchemy as sa
from alembic import op
from chargebus_runtime.schema import create_runtime_tables, drop_runtime_tables
from sqlalchemy.dialects.postgresql import ARRAY, JSON

revision = "0001"
down_revision = None

KEY = sa.String(collation="C")
TIME = sa.DateTime(timezone=True)


def text(name):
    return sa.Column(name, sa.String, nullable=False)


def upgrade() -> None:
    create_runtime_tables(op)
    # A copy takes a block of ids at a time; OCPP 1.6 knows integers only, and stations often 31 bits of them.
    op.execute("CREATE SEQUENCE transaction_id AS integer INCREMENT BY 100 CYCLE")
    op.execute("CREATE SEQUENCE remote_start_id AS integer CYCLE")
    op.create_table(
        "token",
        sa.Column("token_key", KEY, primary_key=True),
        text("id_token"),
        text("type"),
        text("group_id"),
        sa.Column("blocked", sa.Boolean, nullable=False),
        sa.Column("expires_at", TIME),
        sa.Column("concurrent", sa.Boolean, nullable=False),
        text("note"),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
    )
    op.create_index("token_group", "token", ["group_id"], postgresql_where=sa.text("group_id <> ''"))
    create_sessions()
    op.create_table(
        "session_event",
        sa.Column("session_id", sa.Uuid, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True),
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("occurred_at", TIME, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        text("trigger"),
        sa.Column("offline", sa.Boolean, nullable=False),
        text("charging_state"),
        text("reason"),
        text("id_token"),
        text("token_status"),
        sa.Column("answer", sa.LargeBinary, nullable=False),
    )
    create_written_types()
    create_intents()
    op.create_table(
        "station",
        sa.Column("station_id", KEY, primary_key=True),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("connected", sa.Boolean, nullable=False),
        text("version"),
    )


def create_sessions():
    op.create_table(
        "charging_session",
        sa.Column("session_id", sa.Uuid, primary_key=True),
        sa.Column("station_id", KEY, nullable=False),
        text("version"),
        sa.Column("name", KEY, nullable=False),
        sa.Column("start", KEY, nullable=False),
        text("transaction_id"),
        text("state"),
        sa.Column("begun_at", TIME, nullable=False),
        sa.Column("started_at", TIME),
        sa.Column("ended_at", TIME),
        sa.Column("evse_id", sa.BigInteger, nullable=False),
        sa.Column("connector_id", sa.BigInteger, nullable=False),
        text("id_token"),
        text("id_token_type"),
        sa.Column("token_key", KEY, nullable=False),
        text("token_status"),
        sa.Column("billable", sa.Boolean, nullable=False),
        sa.Column("meter_start_wh", sa.Float),
        sa.Column("meter_stop_wh", sa.Float),
        sa.Column("energy_wh", sa.Float),
        text("stop_reason"),
        text("charging_state"),
        sa.Column("remote_start_id", sa.BigInteger),
        sa.Column("gaps", JSON, nullable=False),
        sa.Column("missing", ARRAY(sa.String), nullable=False),
        sa.Column("flags", ARRAY(sa.String), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("fold", sa.LargeBinary, nullable=False),
        postgresql_with={"fillfactor": "60"},
    )
    index_sessions("name", "station_id", "name", unique=True)
    index_sessions("start", "station_id", "start", unique=True, where="start <> ''")
    index_sessions("token", "token_key", "session_id", where="token_key <> ''")
    op.create_index("charging_session_begun", "charging_session", ["begun_at"], postgresql_using="brin")


def index_sessions(name, *columns, unique=False, where=None):
    condition = None if where is None else sa.text(where)
    op.create_index(
        f"charging_session_{name}", "charging_session", list(columns), unique=unique, postgresql_where=condition
    )


def create_written_types():
    """What the service hands over in one array of rows.

    Not the tables' own row types: a copy that still runs the release before must not trip over a new column. A
    release that writes other columns makes types of its own and leaves these to the one after it.
    """
    op.execute("""
    CREATE TYPE session_write AS (
        session_id uuid, station_id text, version text, name text, start text, transaction_id text, state text,
        begun_at timestamptz, started_at timestamptz, ended_at timestamptz, evse_id bigint, connector_id bigint,
        id_token text, id_token_type text, token_key text, token_status text, billable boolean, meter_start_wh float8,
        meter_stop_wh float8, energy_wh float8, stop_reason text, charging_state text, remote_start_id bigint,
        gaps json, missing text[], flags text[], created_at timestamptz, updated_at timestamptz, fold bytea)
    """)
    op.execute("""
    CREATE TYPE event_write AS (
        session_id uuid, number bigint, kind text, occurred_at timestamptz, received_at timestamptz, trigger text,
        offline boolean, charging_state text, reason text, id_token text, token_status text, answer bytea)
    """)


def create_intents():
    op.create_table(
        "intent",
        sa.Column("command_id", KEY, primary_key=True),
        text("kind"),
        sa.Column("station_id", KEY, nullable=False),
        sa.Column("evse_id", sa.BigInteger, nullable=False),
        sa.Column("token_key", KEY, nullable=False),
        sa.Column("remote_start_id", sa.BigInteger),
        sa.Column("session_id", sa.Uuid),
        sa.Column("requested_at", TIME, nullable=False),
        text("outcome"),
        text("status"),
        text("reason"),
        sa.Column("ended_at", TIME),
    )
    open_start = sa.text("kind = 'start' AND session_id IS NULL")
    op.create_index("intent_open_start", "intent", ["station_id", "token_key"], postgresql_where=open_start)
    op.create_index("intent_remote_start", "intent", ["remote_start_id"], unique=True)


def downgrade() -> None:
    for table in ("station", "intent", "session_event", "charging_session", "token"):
        op.drop_table(table)
    for written in ("event_write", "session_write"):
        op.execute(f"DROP TYPE {written}")
    for sequence in ("remote_start_id", "transaction_id"):
        op.execute(f"DROP SEQUENCE {sequence}")
    drop_runtime_tables(op)
