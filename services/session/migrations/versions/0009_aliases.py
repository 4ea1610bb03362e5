"""A session may be ended under another name than its own; the unfinished ones of a station are found."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

KEY = sa.String(collation="C")


def upgrade() -> None:
    op.create_table(
        "session_alias",
        sa.Column("station_id", KEY, primary_key=True),
        sa.Column("name", KEY, primary_key=True),
        sa.Column("session_id", sa.Uuid, nullable=False),
    )
    unfinished = sa.text("state = 'active' AND station_id <> ''")
    op.create_index("charging_session_unfinished", "charging_session", ["station_id"], postgresql_where=unfinished)


def downgrade() -> None:
    op.drop_index("charging_session_unfinished")
    op.drop_table("session_alias")
