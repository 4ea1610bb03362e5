"""What the client certificate of a station has to be."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    # The defaults are for the rows there are, and for copies of the release before.
    op.add_column("station", sa.Column("certificate_identity", sa.String, nullable=False, server_default=""))
    op.add_column("station", sa.Column("certificate_pins", ARRAY(sa.Text), nullable=False, server_default="{}"))


def downgrade() -> None:
    op.drop_column("station", "certificate_pins")
    op.drop_column("station", "certificate_identity")
