"""Rows are written as an array for each column: the types of whole rows, which no column could be added to, go."""

from alembic import op

revision = "0004"
down_revision = "0003"

SESSION = """
    session_id uuid, station_id text, version text, name text, start text, transaction_id text, state text,
    begun_at timestamptz, started_at timestamptz, ended_at timestamptz, evse_id bigint, connector_id bigint,
    id_token text, id_token_type text, token_key text, token_status text, billable boolean, meter_start_wh float8,
    meter_stop_wh float8, energy_wh float8, stop_reason text, charging_state text, remote_start_id bigint,
    gaps json, missing text[], flags text[], created_at timestamptz, updated_at timestamptz, fold bytea
"""
EVENT = """
    session_id uuid, number bigint, kind text, occurred_at timestamptz, received_at timestamptz, trigger text,
    offline boolean, charging_state text, reason text, id_token text, token_status text, answer bytea
"""


def upgrade() -> None:
    op.execute("DROP TYPE session_write")
    op.execute("DROP TYPE event_write")


def downgrade() -> None:
    op.execute(f"CREATE TYPE session_write AS ({SESSION})")
    op.execute(f"CREATE TYPE event_write AS ({EVENT})")
