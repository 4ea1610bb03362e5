"""Stations, as they are known from the topics."""

import sqlalchemy as sa
from alembic import op
from chargebus_commanding import create_commanding_tables, drop_commanding_tables
from chargebus_runtime.schema import create_runtime_tables, drop_runtime_tables

revision = "0001"
down_revision = None

ID = sa.String(collation="C")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    create_runtime_tables(op)
    create_commanding_tables(op)
    op.create_table(
        "station",
        sa.Column("station_id", ID, primary_key=True),
        sa.Column("vendor", ID, nullable=False),
        sa.Column("model", ID, nullable=False),
        sa.Column("serial_number", ID, nullable=False, index=True),
        sa.Column("firmware_version", ID, nullable=False),
        sa.Column("ocpp_version", ID, nullable=False),
        sa.Column("labels", sa.JSON, nullable=False),
        sa.Column("removed", sa.Boolean, nullable=False),
        sa.Column("online", sa.Boolean, nullable=False),
        sa.Column("security_profile", sa.Integer),
        sa.Column("booted_at", TIME),
        sa.Column("heard_at", TIME, nullable=False, index=True),
        sa.Column("known", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("station")
    drop_commanding_tables(op)
    drop_runtime_tables(op)
