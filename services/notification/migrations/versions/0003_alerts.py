"""Rules, alerts and silences; the rules that are there at the first start."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"

ID = sa.String(collation="C")
TIME = sa.DateTime(timezone=True)

RULES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("station_offline", "A station is offline", "warning", {"minutes": 10.0, "site_label": "site"}),
    ("evse_faulted", "An EVSE is faulted", "warning", {"minutes": 2.0}),
    ("no_session", "Nobody charges where usually somebody does", "info", {"days": 3.0, "usual_days": 10}),
    ("zero_energy", "Sessions end without energy", "warning", {"sessions": 3, "below_wh": 100.0}),
    ("repeated_boots", "A station boots again and again", "warning", {"boots": 3, "within_minutes": 60.0}),
    ("commands_failing", "A station fails at commands", "warning", {"commands": 3, "within_minutes": 60.0}),
    (
        "security_event",
        "A station tells of a security event",
        "critical",
        {
            "events": [
                "AttemptedReplayAttacks",
                "FailedToAuthenticateAtCsms",
                "CsmsFailedToAuthenticate",
                "InvalidFirmwareSignature",
                "InvalidFirmwareSigningCertificate",
                "InvalidCsmsCertificate",
                "InvalidChargingStationCertificate",
                "InvalidTLSVersion",
                "InvalidTLSCipherSuite",
                "InvalidMessages",
                "MemoryExhaustion",
                "SecurityLogWasCleared",
                "TamperDetectionActivated",
            ],
            "quiet_minutes": 60.0,
        },
    ),
    ("monitored_variable", "A monitored variable is out of its bounds", "warning", {"severity": 4}),
    ("firmware_failed", "An update of firmware failed", "warning", {}),
    ("clock_wrong", "A station's clock is wrong", "warning", {"seconds": 300.0}),
    ("meter_stuck", "A meter stands still", "warning", {"minutes": 15.0, "at_least_w": 500.0}),
    (
        "breaks_specification",
        "A station breaks the specification",
        "info",
        {"refused_only": True, "quiet_minutes": 1440.0},
    ),
    ("certificate_expiring", "A certificate runs out", "warning", {"days": 30.0, "kinds": ["*"]}),
    (
        "connections_refused",
        "Connections are refused again and again",
        "warning",
        {"connections": 10, "within_minutes": 60.0, "reasons": ["*"]},
    ),
    ("limit_disobeyed", "A limit is disobeyed", "warning", {"minutes": 0.0}),
]


def upgrade() -> None:
    op.create_table(
        "alert_rule",
        sa.Column("rule_id", ID, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("severity", sa.String, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("labels", JSONB, nullable=False),
        sa.Column("parameters", JSONB, nullable=False),
        sa.Column("resolve_after_s", sa.Float, nullable=False),
        sa.Column("reopen_within_s", sa.Float, nullable=False),
        sa.Column("together_least", sa.BigInteger, nullable=False),
        sa.Column("together_share", sa.Float, nullable=False),
    )
    for kind, name, severity, parameters in RULES:
        shown = name.replace("'", "''")
        columns = "rule_id, kind, name, severity, enabled, labels, parameters"
        values = f"'{kind}', '{kind}', '{shown}', '{severity}', true, '{{}}', '{json.dumps(parameters)}'"
        times = "resolve_after_s, reopen_within_s, together_least, together_share"
        op.execute(f"INSERT INTO alert_rule ({columns}, {times}) VALUES ({values}, 60, 1800, 20, 0.01)")  # noqa: S608
    _create_alerts()
    op.create_table(
        "alert_member",
        sa.Column("cause", ID, primary_key=True),
        sa.Column("alert_id", ID, nullable=False),
        sa.Column("station_id", ID, nullable=False, index=True),
        sa.Column("since", TIME, nullable=False),
    )
    op.create_index("ix_alert_member_alert_id", "alert_member", ["alert_id", "station_id"])
    op.create_table(
        "silence",
        sa.Column("silence_id", ID, primary_key=True),
        sa.Column("starts_at", TIME, nullable=False),
        sa.Column("ends_at", TIME, nullable=False, index=True),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("created_by", sa.String, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("rule_id", sa.String, nullable=False),
        sa.Column("station_id", sa.String, nullable=False),
        sa.Column("labels", JSONB, nullable=False),
        sa.Column("weekly", JSONB),
    )


def _create_alerts() -> None:
    op.create_table(
        "alert",
        sa.Column("alert_id", ID, primary_key=True),
        sa.Column("number", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("cause", ID, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in ("told_id", "source")),
        sa.Column("rule_id", ID, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in ("kind", "subject")),
        sa.Column("station_id", ID, nullable=False),
        sa.Column("evse_id", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in ("site_id", "severity", "title", "detail")),
        sa.Column("labels", JSONB, nullable=False),
        *(sa.Column(name, TIME, nullable=False) for name in ("first_at", "last_at", "opened_at")),
        sa.Column("state", sa.String, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("count", "returns")),
        *(sa.Column(name, TIME) for name in ("over_since", "resolved_at")),
        sa.Column("resolved_by", sa.String, nullable=False),
        sa.Column("acknowledged_at", TIME),
        *(sa.Column(name, sa.String, nullable=False) for name in ("acknowledged_by", "note", "silence_id", "group_by")),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("members", "revision")),
    )
    op.create_index("ix_alert_number", "alert", ["number"], unique=True)
    op.create_index("ix_alert_cause", "alert", ["cause", "number"])
    op.create_index(
        "ix_alert_open_cause", "alert", ["cause"], unique=True, postgresql_where=sa.text("state <> 'resolved'")
    )
    op.create_index("ix_alert_station_id", "alert", ["station_id"])
    op.create_index("ix_alert_subject", "alert", ["subject"])
    op.create_index("ix_alert_opened_at", "alert", ["opened_at"])
    op.create_index(
        "ix_alert_resolved_at", "alert", ["resolved_at"], postgresql_where=sa.text("resolved_at IS NOT NULL")
    )


def downgrade() -> None:
    for table in ("silence", "alert_member", "alert", "alert_rule"):
        op.drop_table(table)
