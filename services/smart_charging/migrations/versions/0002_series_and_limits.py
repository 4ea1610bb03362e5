"""Grid series and limits of others."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "hearing",
        sa.Column("station_id", sa.String(collation="C"), primary_key=True),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("times", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("hearing")
