"""The tables as they are declared are the tables that the migrations make."""

from chargebus_metering.store.tables import Tables
from chargebus_testkit.tables import table_differences


async def test_the_migrations_make_the_tables_that_are_declared(url: str) -> None:
    assert await table_differences(url, Tables.metadata) == []
