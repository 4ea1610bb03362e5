"""Requests for certificates, and the certificates that were issued."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

ID = sa.String(collation="C")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "issued_certificate",
        sa.Column("authority", ID, primary_key=True),
        sa.Column("serial_number", ID, primary_key=True),
        sa.Column("number", sa.BigInteger, sa.Identity(always=True), nullable=False, index=True),
        sa.Column("request_id", sa.Uuid, nullable=False, index=True),
        sa.Column("station_id", ID, nullable=False, index=True),
        sa.Column("certificate_type", ID, nullable=False),
        sa.Column("subject", ID, nullable=False),
        sa.Column("fingerprint", ID, nullable=False),
        sa.Column("chain", ID, nullable=False),
        sa.Column("not_before", TIME, nullable=False),
        sa.Column("not_after", TIME, nullable=False, index=True),
        sa.Column("issued_at", TIME, nullable=False),
        sa.Column("revoked_at", TIME),
        sa.Column("revocation_reason", ID),
    )
    op.create_table(
        "signing_request",
        sa.Column("request_id", sa.Uuid, primary_key=True),
        sa.Column("number", sa.BigInteger, sa.Identity(always=True), nullable=False, index=True),
        sa.Column("station_id", ID, nullable=False),
        sa.Column("certificate_type", ID, nullable=False),
        sa.Column("station_request_id", sa.BigInteger),
        sa.Column("csr", ID, nullable=False),
        sa.Column("fingerprint", ID, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("state", ID, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.Column("reason", ID, nullable=False),
        sa.Column("due_at", TIME),
        sa.Column("tries", sa.BigInteger, nullable=False),
        sa.Column("authority", ID, nullable=False),
        sa.Column("serial_number", ID, nullable=False),
        sa.Column("chain", ID, nullable=False),
        sa.Column("not_after", TIME),
        sa.Column("renew_at", TIME),
        sa.Column("claimed_until", TIME),
        sa.UniqueConstraint("station_id", "fingerprint"),
    )
    op.create_index(
        "signing_request_due",
        "signing_request",
        ["state", "due_at"],
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index(
        "signing_request_renew",
        "signing_request",
        ["renew_at"],
        postgresql_where=sa.text("renew_at IS NOT NULL"),
    )
    op.create_index("signing_request_created", "signing_request", ["created_at"])


def downgrade() -> None:
    op.drop_table("signing_request")
    op.drop_table("issued_certificate")
