"""Sites."""

import sqlalchemy as sa
from alembic import op
from chargebus_commanding import create_commanding_tables, drop_commanding_tables
from chargebus_runtime.schema import create_runtime_tables, drop_runtime_tables
from sqlalchemy.dialects.postgresql import ARRAY, JSON

revision = "0001"
down_revision = None

ID = sa.String(collation="C")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    create_runtime_tables(op)
    create_commanding_tables(op)
    op.create_table(
        "site",
        sa.Column("site_id", ID, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("zone", ID, nullable=False, index=True),
        sa.Column("time_zone", sa.String, nullable=False),
        sa.Column("policy", JSON, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
    )
    op.create_table(
        "site_due",
        sa.Column("site_id", ID, primary_key=True),
        sa.Column("due_at", TIME, nullable=False, index=True),
        sa.Column("marks", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "node",
        sa.Column("site_id", ID, primary_key=True),
        sa.Column("node_id", ID, primary_key=True),
        sa.Column("place", sa.SmallInteger, nullable=False),
        sa.Column("parent_id", ID),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("phase_a", sa.Float),
        sa.Column("total_w", sa.Float),
        sa.Column("total_va", sa.Float),
        sa.Column("margin", sa.Float, nullable=False),
        sa.Column("unbalance_a", sa.Float),
        sa.Column("calendar", JSON, nullable=False),
        sa.Column("meter", JSON),
        sa.Column("meter_station_id", ID, index=True),
        sa.Column("controller_station_id", ID, nullable=False),
    )
    op.create_table(
        "evse",
        sa.Column("station_id", ID, primary_key=True),
        sa.Column("evse_id", sa.Integer, primary_key=True),
        sa.Column("site_id", ID, nullable=False, index=True),
        sa.Column("place", sa.SmallInteger, nullable=False),
        sa.Column("node_id", ID, nullable=False),
        sa.Column("current", sa.String, nullable=False),
        sa.Column("voltage_v", sa.Float),
        sa.Column("phases", ARRAY(sa.SmallInteger)),
        sa.Column("min_a", sa.Float),
        sa.Column("max_a", sa.Float),
        sa.Column("step_a", sa.Float),
        sa.Column("priority", sa.Float, nullable=False),
    )


def downgrade() -> None:
    for table in ("evse", "node", "site_due", "site"):
        op.drop_table(table)
    drop_commanding_tables(op)
    drop_runtime_tables(op)
