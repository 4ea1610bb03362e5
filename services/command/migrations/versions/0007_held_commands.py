"""Commands are held while their station is pending, where OCPP forbids them then."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("command", sa.Column("held_until", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("command", "held_until")
