"""The migrations make the tables that the code declares."""

from pathlib import Path
from urllib.parse import urlsplit

from chargebus_runtime.migrations import migrate
from chargebus_security.authorities import store as _authorities  # noqa: F401 - declares its tables
from chargebus_security.contracts import store as _contracts  # noqa: F401 - declares its tables
from chargebus_security.credentials.store import tables as _credentials  # noqa: F401 - declares its tables
from chargebus_security.inventory import store as _inventory  # noqa: F401 - declares its tables
from chargebus_security.signing import store as _signing  # noqa: F401 - declares its tables
from chargebus_security.stations import store as _stations  # noqa: F401 - declares its tables
from chargebus_security.status import store as _status  # noqa: F401 - declares its tables
from chargebus_security.tables import Tables
from chargebus_security.trust.store import tables as _trust  # noqa: F401 - declares its tables
from chargebus_testkit.tables import table_differences

MIGRATIONS = Path(__file__).parent.parent / "migrations"


async def test_tables_and_migrations_agree(make_database):
    url = await make_database("security")
    await migrate(url, urlsplit(url).path.removeprefix("/"), MIGRATIONS)

    assert await table_differences(url, Tables.metadata) == []
