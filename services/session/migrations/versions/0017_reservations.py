"""Reservations; which stations there are is read anew, from the beginning of the registry."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

_KEY = sa.String(collation="C")
_TIME = sa.DateTime(timezone=True)
_OPEN = sa.text("state IN ('asked', 'reserved', 'unknown')")
_OPEN_OF_EVSE = sa.text("state IN ('asked', 'reserved', 'unknown') AND evse_id > 0")


def upgrade() -> None:
    op.execute("CREATE SEQUENCE reservation_id MAXVALUE 2147483647 CYCLE")
    op.create_table(
        "reservation",
        sa.Column("reservation_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("station_id", _KEY, nullable=False),
        sa.Column("evse_id", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in ("connector_type", "id_token", "id_token_type")),
        sa.Column("token_key", _KEY, nullable=False),
        sa.Column("group_id", sa.String, nullable=False),
        *(sa.Column(name, _TIME, nullable=False) for name in ("expires_at", "created_at", "changed_at")),
        *(sa.Column(name, sa.String, nullable=False) for name in ("state", "reason", "detail")),
        sa.Column("reserved_at", _TIME),
        *(sa.Column(name, sa.String, nullable=False) for name in ("question", "command_id", "cancel_reason")),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("due_at", _TIME),
        sa.Column("set_anew", sa.BigInteger, nullable=False),
        sa.Column("session_id", sa.String, nullable=False),
    )
    op.create_index("reservation_open", "reservation", ["station_id"], postgresql_where=_OPEN)
    op.create_index(
        "reservation_evse", "reservation", ["station_id", "evse_id"], unique=True, postgresql_where=_OPEN_OF_EVSE
    )
    op.create_index("reservation_due", "reservation", ["due_at"], postgresql_where=_OPEN)
    op.create_index("reservation_station", "reservation", ["station_id", "reservation_id"])
    op.create_index("reservation_token", "reservation", ["token_key", "reservation_id"])
    op.create_table(
        "reserving_station",
        sa.Column("station_id", _KEY, primary_key=True),
        sa.Column("types", sa.JSON, nullable=False),
    )
    op.add_column("connector_state", sa.Column("status", sa.String, nullable=False, server_default=""))
    op.execute("DELETE FROM consumer_offset WHERE topic = 'station.registry'")


def downgrade() -> None:
    op.drop_column("connector_state", "status")
    op.drop_table("reserving_station")
    op.drop_table("reservation")
    op.execute("DROP SEQUENCE reservation_id")
