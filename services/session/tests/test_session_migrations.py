"""What migrations make of the rows that are there."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import msgspec
from chargebus_runtime.migrations import database_url, migrate
from chargebus_session.transactions.domain.fold import Fold, TokenMark
from chargebus_testkit.servers import execute

MIGRATIONS = Path(__file__).parent.parent / "migrations"
NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
TOKEN = "INSERT INTO token VALUES ($1, $2, '', '', false, NULL, true, '', $3, $3)"
REMOTE_START = "INSERT INTO remote_start VALUES (5, 'CS1', 1, 'strasse', $1, true, NULL)"
SESSION = """
INSERT INTO charging_session (session_id, station_id, version, name, start, transaction_id, state, begun_at,
    evse_id, connector_id, id_token, id_token_type, token_key, token_status, billable, stop_reason, charging_state,
    gaps, missing, flags, created_at, updated_at, fold, energy_source)
VALUES ($1, 'CS1', '1.6', $2, $3, '1', 'active', $4, 1, 1, $5, '', $6, 'Accepted', true, '', '', '[]', '{}', '{}', $4,
    $4, $7, '')
"""
EVENT = """
INSERT INTO session_event (session_id, number, kind, content, occurred_at, received_at, trigger, offline,
    charging_state, reason, id_token, token_status, counts, answer)
VALUES ($1, 0, 'Started', 'c', $2, $2, '', false, '', '', $3, 'Accepted', true, '')
"""


def fold(text: str, key: str) -> bytes:
    return msgspec.msgpack.encode(Fold(NOW, token=TokenMark(0, 0, 0, text, "", key, "Accepted", billable=True)))


async def test_tokens_with_other_letters_than_ascii_get_keys_of_their_own(postgres):
    name, odd, plain = f"session_{uuid4().hex[:12]}", UUID(int=1), UUID(int=2)
    await migrate(postgres.url, name, MIGRATIONS, "0010")
    connection = await asyncpg.connect(database_url(postgres.url, name))
    try:
        await connection.execute(TOKEN, "strasse", "Straße", NOW)
        await connection.execute(TOKEN, "card", "CARD", NOW)
        await connection.execute(REMOTE_START, NOW)
        start = ("1/2025-06-01T12:00:00Z/strasse/1000", NOW, "Straße", "strasse", fold("Straße", "strasse"))
        await connection.execute(SESSION, odd, "a", *start)
        await connection.execute(EVENT, odd, NOW, "Straße")
        start = ("1/2025-06-01T12:00:00Z/card/1000", NOW, "CARD", "card", fold("CARD", "card"))
        await connection.execute(SESSION, plain, "b", *start)
        await migrate(postgres.url, name, MIGRATIONS)
        tokens = await connection.fetch("SELECT token_key FROM token ORDER BY id_token")
        starts = await connection.fetch("SELECT token_key FROM remote_start")
        sessions = await connection.fetch("SELECT token_key, start, fold FROM charging_session ORDER BY session_id")
    finally:
        await connection.close()
        await execute(postgres.url, f'DROP DATABASE "{name}" WITH (FORCE)')

    assert [each["token_key"] for each in tokens] == ["card", "straße"]
    assert [each["token_key"] for each in starts] == ["straße"]
    assert [(each["token_key"], each["start"]) for each in sessions] == [
        ("straße", "1/2025-06-01T12:00:00Z/straße/1000"),
        ("card", "1/2025-06-01T12:00:00Z/card/1000"),
    ]
    marks = [msgspec.msgpack.decode(each["fold"], type=Fold).token for each in sessions]
    assert [mark.key for mark in marks if mark] == ["straße", "card"]
