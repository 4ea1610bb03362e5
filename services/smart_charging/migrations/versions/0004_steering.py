"""Steering."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

ID = sa.String(collation="C")
TIME = sa.DateTime(timezone=True)

TABLES = ("habit", "reported_profile", "connector_state", "order_answer", "steered_evse", "steered_station")


def upgrade() -> None:
    op.create_table(
        "steered_station",
        sa.Column("station_id", ID, primary_key=True),
        sa.Column("vendor", ID, nullable=False),
        sa.Column("model", ID, nullable=False),
        sa.Column("firmware_version", ID, nullable=False),
        sa.Column("heard_at", TIME, nullable=False, index=True),
        sa.Column("known", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "steered_evse",
        sa.Column("station_id", ID, primary_key=True),
        sa.Column("evse_id", sa.BigInteger, primary_key=True),
        sa.Column("changed_at", TIME, nullable=False, index=True),
        sa.Column("known", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "order_answer",
        sa.Column("station_id", ID, primary_key=True),
        sa.Column("evse_id", sa.BigInteger, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True),
        sa.Column("answer", sa.String, nullable=False),
        sa.Column("at", TIME, nullable=False, index=True),
        sa.Column("amperes", sa.Float),
        sa.Column("reason", sa.String, nullable=False),
    )
    op.create_table(
        "connector_state",
        sa.Column("station_id", ID, primary_key=True),
        sa.Column("evse_id", sa.BigInteger, primary_key=True),
        sa.Column("connector_id", sa.BigInteger, primary_key=True),
        sa.Column("available", sa.Boolean, nullable=False),
        sa.Column("at", TIME, nullable=False),
    )
    op.create_table(
        "reported_profile",
        sa.Column("station_id", ID, primary_key=True),
        sa.Column("request_id", sa.BigInteger, primary_key=True),
        sa.Column("evse_id", sa.BigInteger, primary_key=True),
        sa.Column("profile_id", sa.BigInteger, primary_key=True),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("purpose", sa.String, nullable=False),
        sa.Column("stack_level", sa.Integer, nullable=False),
        sa.Column("profile", sa.JSON, nullable=False),
        sa.Column("reported_at", TIME, nullable=False, index=True),
    )
    op.create_table(
        "habit",
        sa.Column("vendor", ID, primary_key=True),
        sa.Column("model", ID, primary_key=True),
        sa.Column("firmware_version", ID, primary_key=True),
        sa.Column("tally", sa.JSON, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
    )


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
