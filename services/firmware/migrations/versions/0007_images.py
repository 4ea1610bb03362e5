"""Images, and uploads of their contents."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0007"
down_revision = "0006"

ID = sa.String(collation="C")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "image",
        sa.Column("image_id", ID, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("version", ID, nullable=False),
        sa.Column("vendor", ID, nullable=False),
        sa.Column("models", ARRAY(sa.String), nullable=False),
        sa.Column("from_versions", ARRAY(sa.String), nullable=False),
        sa.Column("same_version", sa.Boolean, nullable=False),
        sa.Column("file_name", sa.String, nullable=False),
        sa.Column("url", sa.String),
        sa.Column("expected_sha256", sa.String),
        sa.Column("signing_certificate", sa.String),
        sa.Column("signature", sa.String),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("reason", sa.String),
        sa.Column("object_key", sa.String),
        sa.Column("size", sa.BigInteger),
        sa.Column("sha256", sa.String),
        sa.Column("md5", sa.String),
        sa.Column("ready_at", TIME),
    )
    op.create_table(
        "image_upload",
        sa.Column("upload_id", ID, primary_key=True),
        sa.Column("image_id", ID, nullable=False, index=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False, index=True),
        sa.Column("received", sa.BigInteger, nullable=False),
        sa.Column("busy_by", sa.String),
        sa.Column("busy_until", TIME),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("reason", sa.String),
    )
    op.create_table(
        "image_piece",
        sa.Column("upload_id", ID, primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("object_key", sa.String, nullable=False),
    )
    op.create_table(
        "leftover",
        sa.Column("name", ID, primary_key=True),
        sa.Column("due_at", TIME, nullable=False, index=True),
    )


def downgrade() -> None:
    for table in ("leftover", "image_piece", "image_upload", "image"):
        op.drop_table(table)
