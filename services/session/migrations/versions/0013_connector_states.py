"""Whether a connector may be charging is kept, for sessions whose station booted."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "connector_state",
        sa.Column("station_id", sa.String(collation="C"), primary_key=True),
        *(sa.Column(name, sa.BigInteger, primary_key=True) for name in ("evse_id", "connector_id")),
        sa.Column("idle", sa.Boolean, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("connector_state")
