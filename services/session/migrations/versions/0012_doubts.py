"""Sessions that may be over are looked at when they are due."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "session_doubt",
        sa.Column("session_id", sa.Uuid, primary_key=True),
        sa.Column("sign", sa.String, nullable=False),
        *(sa.Column(name, TIME, nullable=False) for name in ("at", "noticed_at", "due_at")),
        sa.Column("asked", sa.Boolean, nullable=False),
        sa.Column("answer", sa.String, nullable=False),
        sa.Column("attempts", sa.BigInteger, nullable=False),
    )
    op.create_index("session_doubt_due", "session_doubt", ["due_at"])


def downgrade() -> None:
    op.drop_table("session_doubt")
