"""Links of stations."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "link",
        sa.Column("token_hash", sa.LargeBinary, primary_key=True),
        sa.Column("station_id", sa.String(collation="C"), nullable=False),
        sa.Column("purpose", sa.String, nullable=False),
        sa.Column("target_id", sa.String(collation="C"), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False, index=True),
    )
    op.create_index("link_station", "link", ["station_id", "purpose"])


def downgrade() -> None:
    op.drop_table("link")
