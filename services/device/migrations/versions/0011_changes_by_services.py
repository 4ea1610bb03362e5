"""Which of a station's passwords services gave, and up to when what they change of credentials is applied."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    # The default is for the rows there are, and for copies of the release before.
    op.add_column("station", sa.Column("service_password_hashes", ARRAY(sa.Text), nullable=False, server_default="{}"))
    op.add_column("station", sa.Column("credentials_changed_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("station", "credentials_changed_at")
    op.drop_column("station", "service_password_hashes")
