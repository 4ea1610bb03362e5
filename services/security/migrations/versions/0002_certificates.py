"""Certificates that are known, and the status of those that stations ask about."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0002"
down_revision = "0001"

ID = sa.String(collation="C")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "certificate",
        sa.Column("certificate_id", ID, primary_key=True),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("pem", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("issuer", sa.String, nullable=False),
        sa.Column("serial_number", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("is_authority", sa.Boolean, nullable=False),
        sa.Column("is_self_signed", sa.Boolean, nullable=False),
        sa.Column("not_before", TIME),
        sa.Column("not_after", TIME, index=True),
        sa.Column("hash_keys", ARRAY(sa.String), nullable=False),
        sa.Column("issuer_keys", ARRAY(sa.String), nullable=False),
        sa.Column("station_id", ID, nullable=False, index=True),
        sa.Column("in_use", sa.Boolean, nullable=False),
        sa.Column("added_at", TIME, nullable=False),
        sa.Column("replaced_at", TIME),
        sa.Column("expiring_at", TIME, index=True),
        sa.Column("told_days", sa.Float),
    )
    op.create_index("ix_certificate_hash_keys", "certificate", ["hash_keys"], postgresql_using="gin")
    op.create_index("ix_certificate_issuer_keys", "certificate", ["issuer_keys"], postgresql_using="gin")
    op.create_index("ix_certificate_issuer", "certificate", [sa.text("md5(issuer)")])
    op.create_table(
        "status_answer",
        sa.Column("key", ID, primary_key=True),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("checked_at", TIME, nullable=False),
        sa.Column("next_update", TIME, nullable=False, index=True),
        sa.Column("response", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    for table in ("status_answer", "certificate"):
        op.drop_table(table)
