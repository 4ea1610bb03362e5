"""The migrations make the tables that the code declares."""

from chargebus_device.store.tables import Tables
from chargebus_testkit.tables import table_differences


async def test_tables_and_migrations_agree(device):
    assert await table_differences(device.database.url, Tables.metadata) == []
