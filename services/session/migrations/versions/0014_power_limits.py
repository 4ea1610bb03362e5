"""The largest power of EVSEs is kept, as far as it is known."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "power_limit",
        sa.Column("station_id", sa.String(collation="C"), primary_key=True),
        *(sa.Column(name, sa.BigInteger, primary_key=True) for name in ("evse_id", "connector_id")),
        sa.Column("max_power_w", sa.Float, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("power_limit")
