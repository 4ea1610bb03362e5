"""The migrations make the tables that the code declares, and the database itself holds the key rule."""

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import msgspec
import pytest
from chargebus_command.payload import AS_IT_IS
from chargebus_command.store.stations import take
from chargebus_command.store.tables import Tables
from chargebus_events.commands import CommandForm
from chargebus_runtime.migrations import database_url, migrate
from chargebus_testkit.servers import execute
from chargebus_testkit.tables import table_differences

RESET = msgspec.Raw(b'{"type": "Soft"}')
MIGRATIONS = Path(__file__).parent.parent / "migrations"


async def test_tables_and_migrations_agree(service):
    assert await table_differences(service.database.url, Tables.metadata) == []


OF_BEFORE = """
INSERT INTO command (command_id, station_id, action, payload, versions, requester, requested_by, requested_at,
    timeout_s, ttl_s, expires_at, fingerprint, awaited, state, due_at, slot, epoch, sent_at, reason, error_code,
    error_description)
VALUES ($1, 'CS-1', 'Reset', '{"type": "Soft"}', $2, 'session', '', $4, 30, 600, $5, '', false, $3, $5, 3, 7, $4, '',
    '', '')
"""
STATION = "INSERT INTO station VALUES ('CS-1', true, true, 7, 3, 5, '1.6', NULL, NULL)"


async def test_commands_under_way_are_taken_along_by_the_migration_that_brings_forms(service, postgres):
    name, now = f"command_{uuid4().hex[:12]}", service.time()
    await migrate(postgres.url, name, MIGRATIONS, "0002")
    connection = await asyncpg.connect(database_url(postgres.url, name))
    try:
        await connection.execute(STATION)
        for command_id, versions, state in (("a", "1.6 2.1", "sent"), ("b", "", "queued"), ("c", "", "ended")):
            await connection.execute(OF_BEFORE, command_id, versions, state, now, now + timedelta(seconds=600))
        await migrate(postgres.url, name, MIGRATIONS)
        station = (await take(connection, ["CS-1"], AS_IT_IS, now))["CS-1"]
    finally:
        await connection.close()
        await execute(postgres.url, f'DROP DATABASE "{name}" WITH (FORCE)')

    assert station.in_flight.forms == (CommandForm("Reset", RESET, ("1.6", "2.1")),)
    assert (station.in_flight.sent.version, station.in_flight.sent.form.action) == ("1.6", "Reset")
    assert [each.forms for each in station.waiting] == [(CommandForm("Reset", RESET),)]


async def test_the_database_lets_a_station_have_one_command_in_flight_only(service):
    await service.come_online("CS-1")
    await service.apply(service.request("CS-1", "a"), service.request("CS-1", "b"))

    with pytest.raises(asyncpg.UniqueViolationError, match="command_one_in_flight"):
        await service.database.pool.execute("UPDATE command SET state = 'sent' WHERE command_id = 'b'")


SECRET = "correct-horse-batt"
CHANGE = f'{{"key":"AuthorizationKey","value":"{SECRET}"}}'
WITH_SECRET = """
INSERT INTO command (command_id, station_id, action, payload, requester, requested_by, requested_at, timeout_s, ttl_s,
    expires_at, fingerprint, awaited, state, due_at, reason, error_code, error_description, outcome, open_forms)
VALUES ($1, 'CS-1', $2, $3, 'http', '', $5, 30, 600, $5, 'f', false, $4, $5, $6, '', '', $7, $8)
"""


async def test_what_was_shown_of_secrets_is_masked_by_the_migration(service, postgres):
    name, now = f"command_{uuid4().hex[:12]}", service.time()
    forms = msgspec.json.encode([CommandForm("ChangeConfiguration", msgspec.Raw(CHANGE.encode()))]).decode()
    ended = ("ended", now, f"{SECRET} is too weak", "undeliverable", None)
    await migrate(postgres.url, name, MIGRATIONS, "0005")
    connection = await asyncpg.connect(database_url(postgres.url, name))
    try:
        await connection.execute(WITH_SECRET, "a", "ChangeConfiguration", CHANGE, *ended)
        await connection.execute(WITH_SECRET, "b", "Reset", '{ "type": "Soft" }', *ended)
        await connection.execute(WITH_SECRET, "c", "ChangeConfiguration", CHANGE, "queued", now, "", None, forms)
        await migrate(postgres.url, name, MIGRATIONS)
        rows = {row["command_id"]: row for row in await connection.fetch("SELECT * FROM command")}
    finally:
        await connection.close()
        await execute(postgres.url, f'DROP DATABASE "{name}" WITH (FORCE)')

    masked = CHANGE.replace(SECRET, "***")
    assert [rows[each]["payload"] for each in "abc"] == [masked, '{ "type": "Soft" }', masked]
    assert [rows[each]["fingerprint"] for each in "abc"] == ["", "f", ""]
    assert rows["a"]["reason"] == "*** is too weak"
    assert SECRET in rows["c"]["open_forms"]  # it has to be sent yet
