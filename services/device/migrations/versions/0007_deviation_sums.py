"""The sums of deviations, which were made anew at each call."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_FILL = """
INSERT INTO deviation_sum
SELECT vendor, model, firmware_version, version, action, kind, refused,
       count(DISTINCT station_id), sum(count), min(first_at), max(last_at)
FROM deviation GROUP BY vendor, model, firmware_version, version, action, kind, refused
"""


def upgrade() -> None:
    op.create_table(
        "deviation_sum",
        sa.Column("vendor", sa.String(collation="C"), primary_key=True),
        sa.Column("model", sa.String(collation="C"), primary_key=True),
        sa.Column("firmware_version", sa.String(collation="C"), primary_key=True),
        sa.Column("version", sa.String(collation="C"), primary_key=True),
        sa.Column("action", sa.String(collation="C"), primary_key=True),
        sa.Column("kind", sa.String(collation="C"), primary_key=True),
        sa.Column("refused", sa.Boolean, primary_key=True),
        sa.Column("stations", sa.BigInteger, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.execute(_FILL)


def downgrade() -> None:
    op.drop_table("deviation_sum")
