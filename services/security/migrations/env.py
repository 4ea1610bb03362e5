from chargebus_runtime.migrations import run_env
from chargebus_security.authorities import store as _authorities  # noqa: F401 - declares its tables
from chargebus_security.inventory import store as _inventory  # noqa: F401 - declares its tables
from chargebus_security.signing import store as _signing  # noqa: F401 - declares its tables
from chargebus_security.stations import store as _stations  # noqa: F401 - declares its tables
from chargebus_security.status import store as _status  # noqa: F401 - declares its tables
from chargebus_security.tables import Tables
from chargebus_security.trust.store import tables as _trust  # noqa: F401 - declares its tables

run_env(Tables.metadata)
