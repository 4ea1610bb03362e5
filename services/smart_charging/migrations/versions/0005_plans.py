"""Plans."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "site_plan",
        sa.Column("site_id", sa.String(collation="C"), primary_key=True),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("turn", sa.BigInteger, nullable=False),
        sa.Column("memory", sa.LargeBinary, nullable=False),
        sa.Column("shown", sa.LargeBinary, nullable=False),
        sa.Column("guide", sa.LargeBinary),
    )
    op.create_table(
        "plan",
        sa.Column("site_id", sa.String(collation="C"), primary_key=True),
        sa.Column("plan_id", sa.String(collation="C"), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("shown", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "charging_override",
        sa.Column("site_id", sa.String(collation="C"), primary_key=True),
        sa.Column("override_id", sa.String(collation="C"), primary_key=True),
        sa.Column("limit_a", sa.Float, nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("station_id", sa.String, nullable=False),
        sa.Column("evse_id", sa.BigInteger, nullable=False),
        sa.Column("session_id", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("created_by", sa.String, nullable=False),
    )
    op.create_index("charging_override_ends", "charging_override", ["ends_at"])


def downgrade() -> None:
    op.drop_table("charging_override")
    op.drop_table("plan")
    op.drop_table("site_plan")
