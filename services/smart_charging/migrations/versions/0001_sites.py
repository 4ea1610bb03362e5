"""Sites."""

from alembic import op
from chargebus_commanding import create_commanding_tables, drop_commanding_tables
from chargebus_runtime.schema import create_runtime_tables, drop_runtime_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_runtime_tables(op)
    create_commanding_tables(op)


def downgrade() -> None:
    drop_commanding_tables(op)
    drop_runtime_tables(op)
