"""A station's newer passwords beside the one that it uses."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0006"
down_revision = "0005"

_TIMES = ("password_changed_at", "password_used_at", "older_passwords_until")


def upgrade() -> None:
    # The default is for the rows there are, and for copies of the release before, which do not name the column.
    op.add_column("station", sa.Column("newer_password_hashes", ARRAY(sa.Text), nullable=False, server_default="{}"))
    for name in _TIMES:
        op.add_column("station", sa.Column(name, sa.DateTime(timezone=True)))
    op.create_index(
        "station_older_passwords_until",
        "station",
        ["older_passwords_until"],
        postgresql_where=sa.text("older_passwords_until IS NOT NULL"),
    )


def downgrade() -> None:
    for name in (*_TIMES, "newer_password_hashes"):
        op.drop_column("station", name)
