"""How many records are parked stands in the database."""

from alembic import op
from chargebus_runtime.schema import create_parked_record

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    create_parked_record(op)


def downgrade() -> None:
    op.drop_table("parked_record", if_exists=True)
