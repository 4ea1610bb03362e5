"""In which way a connection's opening request was not as the specification has it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # The default is for the rows there are, and for copies of the release before, which do not name the column.
    op.add_column("connection", sa.Column("deviations", ARRAY(sa.Text), nullable=False, server_default="{}"))


def downgrade() -> None:
    op.drop_column("connection", "deviations")
