"""Calls that wait for a pool of contracts or a responder."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

ID = sa.String(collation="C")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "contract_call",
        sa.Column("call_id", ID, primary_key=True),
        sa.Column("station_id", ID, nullable=False, index=True),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("content", sa.String, nullable=False),
        sa.Column("received_at", TIME, nullable=False, index=True),
        sa.Column("claimed_until", TIME),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("frame", sa.LargeBinary, nullable=False),
    )
    op.create_index(
        "ix_contract_call_waiting",
        "contract_call",
        ["action", "station_id", "received_at"],
        postgresql_where=sa.text("claimed_until IS NOT NULL"),
    )
    op.create_index(
        "ix_certificate_authority", "certificate", ["kind"], postgresql_where=sa.text("is_authority AND pem <> ''")
    )


def downgrade() -> None:
    op.drop_index("ix_certificate_authority")
    op.drop_table("contract_call")
