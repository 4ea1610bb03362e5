"""What operators and rules decide about a session is kept."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSON

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "session_decision",
        sa.Column("session_id", sa.Uuid, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True),
        *(sa.Column(name, sa.String, nullable=False) for name in ("action", "decided_by", "reason")),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("said", JSON, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("session_decision")
