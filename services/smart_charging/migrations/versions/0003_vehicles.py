"""Vehicles."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "vehicle",
        sa.Column("station_id", sa.String(collation="C"), primary_key=True),
        sa.Column("evse_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("session_id", sa.String(collation="C"), nullable=False),
        sa.Column("transaction_id", sa.String, nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("known", sa.LargeBinary, nullable=False),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index(
        "vehicle_session", "vehicle", ["session_id"], unique=True, postgresql_where=sa.text("session_id <> ''")
    )
    op.create_table(
        "evse_allowed",
        sa.Column("station_id", sa.String(collation="C"), primary_key=True),
        sa.Column("evse_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("limit_a", sa.Float, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "driver_need",
        sa.Column("kind", sa.String(collation="C"), primary_key=True),
        sa.Column("value", sa.String(collation="C"), primary_key=True),
        sa.Column("energy_wh", sa.Float),
        sa.Column("stay_s", sa.Float),
        sa.Column("priority", sa.Float),
    )


def downgrade() -> None:
    op.drop_table("driver_need")
    op.drop_table("evse_allowed")
    op.drop_table("vehicle")
