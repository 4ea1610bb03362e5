"""The charging state of a session that is over is what its end said."""

from alembic import op

revision = "0015"
down_revision = "0014"

_CLEAR = """
UPDATE charging_session AS s SET charging_state = '' WHERE state = 'ended' AND charging_state <> '' AND NOT EXISTS (
    SELECT FROM session_event AS e WHERE e.session_id = s.session_id AND e.kind = 'Ended' AND e.counts
    AND e.charging_state = s.charging_state
)
"""


def upgrade() -> None:
    op.execute(_CLEAR)


def downgrade() -> None:
    pass  # what stood there before is in the events
