"""Commands wait a moment for a station that is unknown or away; edges are followed in memory; no metaphors."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("command", sa.Column("absent_until", sa.DateTime(timezone=True)))
    op.alter_column("command", "forms", new_column_name="open_forms")
    for column in ("epoch", "until"):
        op.alter_column("station", f"void_{column}", new_column_name=f"avoided_{column}")
    op.drop_table("edge")
    op.execute("DELETE FROM consumer_offset WHERE topic = 'ocpp.edges'")


def downgrade() -> None:
    op.create_table(
        "edge",
        sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stopped", sa.Boolean, nullable=False),
        postgresql_with={"fillfactor": "50"},
    )
    for column in ("epoch", "until"):
        op.alter_column("station", f"avoided_{column}", new_column_name=f"void_{column}")
    op.alter_column("command", "open_forms", new_column_name="forms")
    op.drop_column("command", "absent_until")
