"""Lists by action and by outcome, from an index each: a rare one is found without reading the whole ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_index("command_by_action", "command", ["action", "number"])
    op.create_index(
        "command_by_outcome", "command", ["outcome", "number"], postgresql_where=sa.text("outcome IS NOT NULL")
    )


def downgrade() -> None:
    op.drop_index("command_by_outcome", "command")
    op.drop_index("command_by_action", "command")
