"""What stations were answered that asked for the limits of dynamic profiles."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

ID = sa.String(collation="C")


def upgrade() -> None:
    op.create_table(
        "pulled_limit",
        sa.Column("station_id", ID, primary_key=True),
        sa.Column("evse_id", sa.BigInteger, primary_key=True),
        sa.Column("known", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("pulled_limit")
