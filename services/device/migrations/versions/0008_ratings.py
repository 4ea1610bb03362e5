"""What EVSEs are built for: as an operator says, and as their station reports."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    # The default is for the rows there are, and for copies of the release before, which do not name the columns.
    for name in ("ratings", "reported_ratings"):
        op.add_column("station", sa.Column(name, JSONB, nullable=False, server_default="[]"))


def downgrade() -> None:
    for name in ("ratings", "reported_ratings"):
        op.drop_column("station", name)
