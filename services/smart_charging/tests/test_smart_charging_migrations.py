"""The migrations make the tables that the code declares."""

from pathlib import Path
from urllib.parse import urlsplit

from chargebus_runtime.migrations import migrate
from chargebus_smart_charging.limits.store import tables as _limits  # noqa: F401 - declares its tables
from chargebus_smart_charging.planning.store import tables as _planning  # noqa: F401
from chargebus_smart_charging.series.store import tables as _series  # noqa: F401
from chargebus_smart_charging.sites.store import tables as _sites  # noqa: F401
from chargebus_smart_charging.steering.store import tables as _steering  # noqa: F401
from chargebus_smart_charging.tables import Tables
from chargebus_smart_charging.vehicles.store import tables as _vehicles  # noqa: F401
from chargebus_testkit.tables import table_differences

MIGRATIONS = Path(__file__).parent.parent / "migrations"


async def test_tables_and_migrations_agree(make_database):
    url = await make_database("smart_charging")
    await migrate(url, urlsplit(url).path.removeprefix("/"), MIGRATIONS)

    assert await table_differences(url, Tables.metadata) == []
