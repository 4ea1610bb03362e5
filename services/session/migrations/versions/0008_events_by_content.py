"""An event is the same as another by its content, not by its number; one that does not count is kept."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    # The defaults are for what is there, and for a copy that still runs the release before.
    op.add_column("session_event", sa.Column("content", sa.String, nullable=False, server_default=""))
    op.add_column("session_event", sa.Column("counts", sa.Boolean, nullable=False, server_default="true"))
    key("session_id", "number", "kind", "content")


def key(*columns):
    op.drop_constraint("session_event_pkey", "session_event")
    op.create_primary_key("session_event_pkey", "session_event", list(columns))


def downgrade() -> None:
    op.execute("""
    DELETE FROM session_event AS e USING session_event AS first
    WHERE (first.session_id, first.number, first.kind) = (e.session_id, e.number, e.kind)
    AND (first.received_at, first.content) < (e.received_at, e.content)
    """)
    key("session_id", "number", "kind")
    op.drop_column("session_event", "counts")
    op.drop_column("session_event", "content")
