"""The migrations make the tables that the code declares, and the database itself holds the key rule."""

import asyncpg
import pytest
from chargebus_command.tables import Tables
from chargebus_testkit.tables import table_differences


async def test_tables_and_migrations_agree(service):
    assert await table_differences(service.database.url, Tables.metadata) == []


async def test_the_database_lets_a_station_have_one_command_in_flight_only(service):
    await service.come_online("CS-1")
    await service.apply(service.request("CS-1", "a"), service.request("CS-1", "b"))

    with pytest.raises(asyncpg.UniqueViolationError, match="command_one_in_flight"):
        await service.database.pool.execute("UPDATE command SET state = 'sent' WHERE command_id = 'b'")
