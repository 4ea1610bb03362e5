"""The migrations make the tables that the code declares."""

from chargebus_access.store.tables import Tables
from chargebus_testkit.tables import table_differences


async def test_tables_and_migrations_agree(access):
    assert await table_differences(access.database.url, Tables.metadata) == []
