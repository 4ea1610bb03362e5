"""Roots on stations: what is wanted, what they have, what was tried."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSON

revision = "0003"
down_revision = "0002"

ID = sa.String(collation="C")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "trust_policy",
        sa.Column("policy_id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("certificate_type", sa.String, nullable=False),
        sa.Column("certificate_ids", ARRAY(sa.String), nullable=False),
        sa.Column("stations", JSON, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("others", sa.String, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
    )
    op.create_table(
        "trust_station",
        sa.Column("station_id", ID, primary_key=True),
        sa.Column("asking", sa.String, nullable=False),
        sa.Column("pending", sa.Integer, nullable=False),
        sa.Column("report_at", TIME),
        sa.Column("reported_at", TIME),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("is_able", sa.Boolean, nullable=False),
        sa.Column("detail", sa.String, nullable=False),
        sa.Column("drift", sa.Integer, nullable=False),
        sa.Column("due_at", TIME, index=True),
    )
    op.create_table(
        "installed_certificate",
        sa.Column("station_id", ID, primary_key=True),
        sa.Column("certificate_type", ID, primary_key=True),
        sa.Column("hash_key", ID, primary_key=True),
        sa.Column("named", JSON, nullable=False),
        sa.Column("children", JSON, nullable=False),
        sa.Column("reported_at", TIME, nullable=False),
    )
    op.create_index("ix_installed_certificate_hash_key", "installed_certificate", ["hash_key", "station_id"])
    op.create_table(
        "trust_change",
        sa.Column("station_id", ID, primary_key=True),
        sa.Column("certificate_type", ID, primary_key=True),
        sa.Column("certificate_id", ID, primary_key=True),
        sa.Column("what", sa.String, nullable=False),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("told", sa.String, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.Column("retry_at", TIME),
    )


def downgrade() -> None:
    for table in ("trust_change", "installed_certificate", "trust_station", "trust_policy"):
        op.drop_table(table)
