"""What stations are to be set to, and how far they are."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0013"
down_revision = "0012"

_ID = sa.String(collation="C")
_TIME = sa.DateTime(timezone=True)
_TRIAL = ["configuration_id", "revision", "station_id"]


def upgrade() -> None:
    op.create_table(
        "configuration",
        sa.Column("configuration_id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("stations", JSONB, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("settings", JSONB, nullable=False),
        sa.Column("first", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("trial", sa.Integer, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("released_at", _TIME),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
    )
    op.create_table(
        "configuration_station",
        sa.Column("station_id", _ID, primary_key=True),
        sa.Column("asking", sa.Uuid),
        sa.Column("read_after", _TIME, nullable=False),
        sa.Column("checked_at", _TIME, nullable=False),
        sa.Column("due_at", _TIME),
        sa.Column("tries", sa.Integer, nullable=False),
    )
    for name, column in (("configuration_station_due", "due_at"), ("configuration_station_asking", "asking")):
        op.create_index(name, "configuration_station", [column], postgresql_where=sa.text(f"{column} IS NOT NULL"))
    op.create_table(
        "configuration_variable",
        sa.Column("station_id", _ID, primary_key=True),
        sa.Column("key", _ID, primary_key=True),
        sa.Column("configuration_id", sa.Uuid, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("wanted", sa.String, nullable=False),
        sa.Column("has", sa.String),
        sa.Column("verdict", sa.String, nullable=False),
        sa.Column("detail", sa.String, nullable=False),
        sa.Column("breaks", sa.Boolean, nullable=False),
        sa.Column("told", sa.String, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("retry_at", _TIME),
        sa.Column("changed_at", _TIME),
        sa.Column("lost_at", _TIME),
        sa.Column("proved_at", _TIME),
    )
    op.create_index(
        "configuration_variable_by_verdict", "configuration_variable", ["configuration_id", "verdict", "station_id"]
    )
    for name, columns, where in (
        ("owing", ["station_id"], "lost_at IS NOT NULL"),
        ("begun", _TRIAL, "lost_at IS NOT NULL OR (breaks AND verdict = 'asked')"),
        ("proved", _TRIAL, "proved_at IS NOT NULL"),
    ):
        op.create_index(
            f"configuration_variable_{name}", "configuration_variable", columns, postgresql_where=sa.text(where)
        )


def downgrade() -> None:
    for table in ("configuration_variable", "configuration_station", "configuration"):
        op.drop_table(table)
