"""Active sessions, and the session of a remote start, are found without reading all there are."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    index_sessions("active", "session_id", where="state = 'active'")
    index_sessions("remote_start", "remote_start_id", where="remote_start_id IS NOT NULL")


def index_sessions(name, column, where):
    op.create_index(f"charging_session_{name}", "charging_session", [column], postgresql_where=sa.text(where))


def downgrade() -> None:
    op.drop_index("charging_session_remote_start")
    op.drop_index("charging_session_active")
