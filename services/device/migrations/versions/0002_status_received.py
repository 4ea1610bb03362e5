"""When the newest report of a place was received: a station's clock can be set back, ours is not."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # The default is for the rows there are, and for copies of the release before, which do not name the column.
    op.add_column(
        "connector_status",
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    )


def downgrade() -> None:
    op.drop_column("connector_status", "received_at")
