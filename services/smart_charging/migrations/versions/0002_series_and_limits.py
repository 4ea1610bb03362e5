"""Grid series, limits of others, and readings of other loads."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSON

revision = "0002"
down_revision = "0001"

ID = sa.String(collation="C")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "charging_limit",
        sa.Column("site_id", ID, primary_key=True),
        sa.Column("source", ID, primary_key=True),
        sa.Column("limit_id", ID, primary_key=True),
        sa.Column("told_at", TIME, nullable=False),
        sa.Column("told_by", sa.String, nullable=False),
        sa.Column("node_id", ID, nullable=False),
        sa.Column("station_id", ID, nullable=False, index=True),
        sa.Column("evse_id", sa.Integer, nullable=False),
        sa.Column("periods", JSON, nullable=False),
        sa.Column("floor", JSON, nullable=False),
        sa.Column("renewed_every_s", sa.Float),
        sa.Column("fallback", JSON, nullable=False),
        sa.Column("covers", sa.String, nullable=False),
        sa.Column("is_critical", sa.Boolean, nullable=False),
        sa.Column("counts", sa.Boolean, nullable=False),
        sa.Column("cleared", sa.Boolean, nullable=False),
        sa.Column("gone_at", TIME, index=True),
    )
    op.create_table(
        "node_reading",
        sa.Column("site_id", ID, primary_key=True),
        sa.Column("node_id", ID, primary_key=True),
        sa.Column("phase_a", ARRAY(sa.Float), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("forecast", JSON),
    )
    op.create_table(
        "grid_value",
        sa.Column("zone", ID, primary_key=True),
        sa.Column("kind", ID, primary_key=True),
        sa.Column("starts_at", TIME, primary_key=True),
        sa.Column("resolution_s", sa.Integer, primary_key=True),
        sa.Column("ends_at", TIME, nullable=False, index=True),
        sa.Column("value", sa.Float, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("unit", sa.String, nullable=False),
        sa.Column("told_at", TIME, nullable=False),
        sa.Column("valid_until", TIME),
    )


def downgrade() -> None:
    for table in ("grid_value", "node_reading", "charging_limit"):
        op.drop_table(table)
