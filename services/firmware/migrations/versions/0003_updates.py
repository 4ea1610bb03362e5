"""Firmware updates of single stations."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

ID = sa.String(collation="C")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.execute("CREATE SEQUENCE firmware_request_id MAXVALUE 2147483647")
    op.create_table(
        "firmware_update",
        sa.Column("request_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("update_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("station_id", ID, nullable=False),
        sa.Column("campaign_id", ID, nullable=False),
        sa.Column("state", ID, nullable=False),
        sa.Column("is_open", sa.Boolean, nullable=False),
        sa.Column("created_at", TIME, nullable=False, index=True),
        sa.Column("look_at", TIME),
        sa.Column("idempotency_key", sa.String),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("known", sa.LargeBinary, nullable=False),
    )
    op.create_index(
        "firmware_update_open", "firmware_update", ["station_id"], unique=True, postgresql_where=sa.text("is_open")
    )
    op.create_index(
        "firmware_update_due", "firmware_update", ["look_at"], postgresql_where=sa.text("look_at IS NOT NULL")
    )
    op.create_index("firmware_update_station", "firmware_update", ["station_id", "request_id"])
    op.create_index(
        "firmware_update_campaign",
        "firmware_update",
        ["campaign_id", "request_id"],
        postgresql_where=sa.text("campaign_id <> ''"),
    )
    op.create_index(
        "firmware_update_key",
        "firmware_update",
        ["idempotency_key"],
        unique=True,
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_table("firmware_update")
    op.execute("DROP SEQUENCE firmware_request_id")
