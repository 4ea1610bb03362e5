"""Logs that stations are asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_ID = sa.String(collation="C")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.execute("CREATE SEQUENCE station_log_id AS integer CYCLE")
    op.create_table(
        "station_log",
        sa.Column("log_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("station_id", _ID, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("due_at", _TIME, nullable=False, index=True),
        sa.Column("expires_at", _TIME),
        sa.Column("known", sa.LargeBinary, nullable=False),
    )
    op.create_index("station_log_station", "station_log", ["station_id", "log_id"])
    op.create_index(
        "station_log_expiring", "station_log", ["expires_at"], postgresql_where=sa.text("expires_at IS NOT NULL")
    )


def downgrade() -> None:
    op.drop_table("station_log")
    op.execute("DROP SEQUENCE station_log_id")
