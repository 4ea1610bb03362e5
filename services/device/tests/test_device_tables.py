"""The migrations make the tables that the code declares."""

import chargebus_device.configurations.store.tables
import chargebus_device.variables.store.tables  # noqa: F401 - both declare their tables
from chargebus_device.tables import Tables
from chargebus_testkit.tables import table_differences


async def test_tables_and_migrations_agree(device):
    assert await table_differences(device.database.url, Tables.metadata) == []


async def test_a_status_of_a_copy_that_does_not_know_its_receipt_is_kept(device):
    await device.database.pool.execute(
        "INSERT INTO connector_status (station_id, evse_id, connector_id, status, detail, error_code, info, vendor_id,"
        " vendor_error_code, reported_at) VALUES ('CS-1', 1, 1, 'Available', '', '', '', '', '', now())"
    )

    assert await device.fetch("SELECT received_at = reported_at FROM connector_status") == [(True,)]
