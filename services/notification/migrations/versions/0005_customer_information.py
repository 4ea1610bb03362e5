"""Customer information: requests, and what stations told, which is personal and deleted soon."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_ID = sa.String(collation="C")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.execute("CREATE SEQUENCE customer_request_id MAXVALUE 2147483647 CYCLE")
    op.create_table(
        "customer_request",
        sa.Column("request_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("station_id", _ID, nullable=False),
        sa.Column("who", sa.String, nullable=False),
        sa.Column("report", sa.Boolean, nullable=False),
        sa.Column("clear", sa.Boolean, nullable=False),
        sa.Column("asked_at", _TIME, nullable=False, index=True),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("detail", sa.String, nullable=False),
        sa.Column("ended_at", _TIME),
        sa.Column("command_id", sa.String, nullable=False),
    )
    op.create_table(
        "customer_part",
        sa.Column("request_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("seq_no", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("data", sa.String, nullable=False),
        sa.Column("is_last", sa.Boolean, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("customer_part")
    op.drop_table("customer_request")
    op.execute("DROP SEQUENCE customer_request_id")
