"""Readings whose time is not the station's say so."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("meter_reading", sa.Column("quality", sa.String, nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("meter_reading", "quality")
