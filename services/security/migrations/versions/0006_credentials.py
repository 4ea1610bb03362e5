"""Passwords rotated and security profiles changed, in campaigns."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0006"
down_revision = "0005"

ID = sa.String(collation="C")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "credential_campaign",
        sa.Column("campaign_id", sa.Uuid, primary_key=True),
        sa.Column("number", sa.BigInteger, sa.Identity(always=True), nullable=False, index=True),
        sa.Column("kind", ID, nullable=False),
        sa.Column("state", ID, nullable=False),
        sa.Column("ended_at", TIME),
        sa.Column("look_at", TIME, index=True),
        sa.Column("idempotency_key", ID, unique=True),
        sa.Column("fingerprint", ID, nullable=False),
        sa.Column("known", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "credential_member",
        sa.Column("campaign_id", sa.Uuid, primary_key=True),
        sa.Column("station_id", ID, primary_key=True),
        sa.Column("state", ID, nullable=False),
        sa.Column("idle", sa.Boolean, nullable=False),
        sa.Column("due_at", TIME),
        sa.Column("known", sa.LargeBinary, nullable=False),
    )
    op.create_index("credential_member_by_state", "credential_member", ["campaign_id", "state"])
    op.create_index(
        "credential_member_due", "credential_member", ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL")
    )
    op.create_index("credential_member_of", "credential_member", ["station_id"])
    op.create_table(
        "station_credentials",
        sa.Column("station_id", ID, primary_key=True),
        sa.Column("least_profile", sa.Integer),
        sa.Column("passwords", ARRAY(sa.String), nullable=False),
        sa.Column("campaign_id", sa.Uuid),
    )
