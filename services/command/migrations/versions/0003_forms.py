"""Commands in several forms, one of which is sent; what who asked gave along: an intent and a subject."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSON

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("command", sa.Column("forms", JSON))
    for name in ("intent", "subject", "version"):
        op.add_column("command", sa.Column(name, sa.String, nullable=False, server_default=""))
    op.execute(
        """
        UPDATE command SET forms = json_build_array(json_build_object(
            'action', action, 'payload', payload::json, 'versions', string_to_array(versions, ' ')))
        WHERE state <> 'ended'
        """
    )
    op.execute(
        """
        UPDATE command AS c SET version = s.version FROM station AS s
        WHERE s.station_id = c.station_id AND c.state = 'sent'
        """
    )
    op.drop_column("command", "versions")


def downgrade() -> None:
    op.add_column("command", sa.Column("versions", sa.String, nullable=False, server_default=""))
    for name in ("forms", "intent", "subject", "version"):
        op.drop_column("command", name)
