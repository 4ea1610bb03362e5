"""Of a station's connections only the version is asked for: which one is open, and where, is for others to know."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.drop_column("station", "connected")
    op.drop_column("station", "epoch")


def downgrade() -> None:
    op.add_column("station", sa.Column("epoch", sa.BigInteger, nullable=False, server_default="-1"))
    op.add_column("station", sa.Column("connected", sa.Boolean, nullable=False, server_default="false"))
