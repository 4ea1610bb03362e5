"""What is known of stations."""

import sqlalchemy as sa
from alembic import op
from chargebus_commanding import create_commanding_tables, drop_commanding_tables
from chargebus_runtime.schema import create_runtime_tables, drop_runtime_tables
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_runtime_tables(op)
    create_commanding_tables(op)
    op.create_table(
        "known_station",
        sa.Column("station_id", sa.String(collation="C"), primary_key=True),
        sa.Column("labels", JSONB, nullable=False),
        sa.Column("removed", sa.Boolean, nullable=False),
        sa.Column("online", sa.Boolean, nullable=False),
        sa.Column("offline_since", sa.DateTime(timezone=True)),
        sa.Column("last_session_at", sa.DateTime(timezone=True)),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_known_station_due_at", "known_station", ["due_at"])
    op.create_index(
        "ix_known_station_offline_since",
        "known_station",
        ["offline_since"],
        postgresql_where=sa.text("offline_since IS NOT NULL"),
    )
    op.create_index(
        "ix_known_station_labels",
        "known_station",
        ["labels"],
        postgresql_using="gin",
        postgresql_ops={"labels": "jsonb_path_ops"},
    )


def downgrade() -> None:
    op.drop_table("known_station")
    drop_commanding_tables(op)
    drop_runtime_tables(op)
