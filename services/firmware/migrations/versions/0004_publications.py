"""Firmware that local controllers publish."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

ID = sa.String(collation="C")


def upgrade() -> None:
    op.create_table(
        "firmware_publication",
        sa.Column("request_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("publication_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("station_id", ID, nullable=False, index=True),
        sa.Column("checksum", ID, nullable=False),
        sa.Column("state", ID, nullable=False),
        sa.Column("is_under_way", sa.Boolean, nullable=False),
        sa.Column("is_there", sa.Boolean, nullable=False),
        sa.Column("look_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("idempotency_key", sa.String),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("known", sa.LargeBinary, nullable=False),
    )
    op.create_index(
        "firmware_publication_under_way",
        "firmware_publication",
        ["station_id"],
        unique=True,
        postgresql_where=sa.text("is_under_way"),
    )
    op.create_index(
        "firmware_publication_there",
        "firmware_publication",
        ["station_id", "checksum"],
        unique=True,
        postgresql_where=sa.text("is_there"),
    )
    op.create_index(
        "firmware_publication_due", "firmware_publication", ["look_at"], postgresql_where=sa.text("look_at IS NOT NULL")
    )
    op.create_index(
        "firmware_publication_key",
        "firmware_publication",
        ["idempotency_key"],
        unique=True,
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_table("firmware_publication")
