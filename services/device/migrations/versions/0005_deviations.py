"""In what ways stations break the schemas, the rules of makes, and which stations are held to the schemas."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_OF_THE_STATION = ("vendor", "model", "firmware_version")


def _id() -> sa.String:
    return sa.String(collation="C")


def _time() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def upgrade() -> None:
    # The defaults are for the rows there are, and for copies of the release before, which do not name the columns.
    op.add_column("station", sa.Column("strict", sa.Boolean, nullable=False, server_default=sa.false()))
    for name in _OF_THE_STATION:
        op.add_column("station", sa.Column(name, sa.String, nullable=False, server_default=""))
    # The make is new in a station's registry record: a newer version has the record written again.
    op.execute(
        "UPDATE station s SET vendor = left(b.vendor, 100), model = left(b.model, 100),"
        " firmware_version = left(b.firmware_version, 100), updated_at = s.updated_at + interval '1 microsecond'"
        " FROM boot b WHERE b.station_id = s.station_id"
    )
    op.create_table(
        "deviation",
        sa.Column("station_id", _id(), primary_key=True),
        sa.Column("action", _id(), primary_key=True),
        sa.Column("kind", _id(), primary_key=True),
        sa.Column("path", _id(), primary_key=True),
        sa.Column("refused", sa.Boolean, primary_key=True),
        sa.Column("vendor", _id(), primary_key=True),
        sa.Column("model", _id(), primary_key=True),
        sa.Column("firmware_version", _id(), primary_key=True),
        sa.Column("version", _id(), primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("first_at", _time(), nullable=False),
        sa.Column("last_at", _time(), nullable=False),
        sa.Column("detail", sa.String, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("counted", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "deviation_rule",
        sa.Column("rule_id", sa.Uuid, primary_key=True),
        sa.Column("treatment", sa.String, nullable=False),
        sa.Column("vendor", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("firmware_version", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("note", sa.String, nullable=False),
        sa.Column("created_at", _time(), nullable=False),
        sa.UniqueConstraint("vendor", "model", "firmware_version", "action", "kind"),
    )
    op.create_table(
        "deviation_rules",
        sa.Column("singleton", sa.Boolean, sa.CheckConstraint("singleton"), primary_key=True),
        sa.Column("updated_at", _time(), nullable=False),
    )


def downgrade() -> None:
    for table in ("deviation_rules", "deviation_rule", "deviation"):
        op.drop_table(table)
    for name in ("strict", *_OF_THE_STATION):
        op.drop_column("station", name)
