"""The migrations make the tables that the code declares."""

from pathlib import Path
from urllib.parse import urlsplit

from chargebus_firmware.campaigns.store import tables as _campaigns  # noqa: F401 - declares its tables
from chargebus_firmware.images.store import tables as _images  # noqa: F401 - declares its tables
from chargebus_firmware.links import store as _links  # noqa: F401 - declares its tables
from chargebus_firmware.logs.store import tables as _logs  # noqa: F401 - declares its tables
from chargebus_firmware.publications import store as _publications  # noqa: F401 - declares its tables
from chargebus_firmware.stations import store as _stations  # noqa: F401 - declares its tables
from chargebus_firmware.tables import Tables
from chargebus_firmware.updates import store as _updates  # noqa: F401 - declares its tables
from chargebus_runtime.migrations import migrate
from chargebus_testkit.tables import table_differences

MIGRATIONS = Path(__file__).parent.parent / "migrations"


async def test_tables_and_migrations_agree(make_database):
    url = await make_database("firmware")
    await migrate(url, urlsplit(url).path.removeprefix("/"), MIGRATIONS)

    assert await table_differences(url, Tables.metadata) == []
