"""The time zone of stations, and when the topic was told last what operators say of them."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    # The defaults are for the rows there are, which are described once, and for copies of the release before.
    op.add_column("station", sa.Column("time_zone", sa.String, nullable=False, server_default=""))
    never = sa.text("'1970-01-01 00:00:00+00'::timestamptz")
    described_at = sa.Column("described_at", sa.DateTime(timezone=True), nullable=False, server_default=never)
    op.add_column("station", described_at)
    op.create_index("station_described_at", "station", ["described_at"])


def downgrade() -> None:
    op.drop_column("station", "described_at")
    op.drop_column("station", "time_zone")
