"""Authorities are found quickly: chains of contracts are put together of them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_index(
        "ix_certificate_authority", "certificate", ["kind"], postgresql_where=sa.text("is_authority AND pem <> ''")
    )


def downgrade() -> None:
    op.drop_index("ix_certificate_authority")
