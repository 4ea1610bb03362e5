"""What stations are set to and can do, and what they are asked about it."""

import sqlalchemy as sa
from alembic import op
from chargebus_commanding import create_commanding_tables, drop_commanding_tables

revision = "0012"
down_revision = "0011"

_ID = sa.String(collation="C")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    create_commanding_tables(op)
    op.create_table(
        "variable",
        sa.Column("station_id", _ID, primary_key=True),
        sa.Column("key", _ID, primary_key=True),
        sa.Column("component", sa.String, nullable=False),
        sa.Column("component_instance", sa.String, nullable=False),
        sa.Column("evse_id", sa.Integer, nullable=False),
        sa.Column("connector_id", sa.Integer, nullable=False),
        sa.Column("variable", sa.String, nullable=False),
        sa.Column("variable_instance", sa.String, nullable=False),
        sa.Column("attribute", sa.String, nullable=False),
        sa.Column("value", sa.String),
        sa.Column("is_known", sa.Boolean, nullable=False),
        sa.Column("mutability", sa.String),
        sa.Column("persistent", sa.Boolean),
        sa.Column("constant", sa.Boolean),
        sa.Column("unit", sa.String),
        sa.Column("data_type", sa.String),
        sa.Column("min_limit", sa.Float),
        sa.Column("max_limit", sa.Float),
        sa.Column("values_list", sa.String),
        sa.Column("supports_monitoring", sa.Boolean),
        sa.Column("read_at", _TIME, nullable=False),
        sa.Column("read_by", sa.String, nullable=False),
        sa.Column("pending_value", sa.String),
        sa.Column("pending_since", _TIME),
    )
    op.create_index(
        "variable_pending", "variable", ["station_id"], postgresql_where=sa.text("pending_since IS NOT NULL")
    )
    op.create_table(
        "variable_station",
        sa.Column("station_id", _ID, primary_key=True),
        sa.Column("read_at", _TIME),
        sa.Column("firmware_version", sa.String, nullable=False),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("due_at", _TIME),
        sa.Column("tries", sa.Integer, nullable=False),
    )
    op.create_index("ix_variable_station_due_at", "variable_station", ["due_at"])
    op.create_table(
        "variable_request",
        sa.Column("request_id", sa.Uuid, primary_key=True),
        sa.Column("station_id", _ID, nullable=False),
        sa.Column("origin", sa.String, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME),
        sa.Column("due_at", _TIME),
        sa.Column("report_id", sa.Integer, nullable=False),
        sa.Column("known", sa.LargeBinary, nullable=False),
    )
    op.create_index("variable_request_by_age", "variable_request", ["station_id", "created_at", "request_id"])
    for name, columns, where in (
        ("variable_request_due", ["due_at"], "due_at IS NOT NULL"),
        ("variable_request_open", ["origin"], "ended_at IS NULL"),
        ("variable_request_report", ["station_id", "report_id"], "report_id > 0"),
        ("variable_request_ended", ["ended_at"], "ended_at IS NOT NULL"),
    ):
        op.create_index(name, "variable_request", columns, postgresql_where=sa.text(where))
    # The numbers under which stations report: operators' own commands have smaller ones.
    op.execute("CREATE SEQUENCE variable_report_id AS integer MINVALUE 1000001 CYCLE")


def downgrade() -> None:
    op.execute("DROP SEQUENCE variable_report_id")
    for table in ("variable_request", "variable_station", "variable"):
        op.drop_table(table)
    drop_commanding_tables(op)
