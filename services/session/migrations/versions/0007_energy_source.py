"""What a session's energy was made of."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("charging_session", sa.Column("energy_source", sa.String, nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("charging_session", "energy_source")
