"""What stations were last told of a contract's certificate is remembered."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "contract_verdict",
        sa.Column("token_key", sa.String(collation="C"), primary_key=True),
        sa.Column("station_id", sa.String(collation="C"), primary_key=True),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("shown_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("contract_verdict")
