from chargebus_runtime.migrations import run_env
from chargebus_smart_charging.limits.store import tables as _limits  # noqa: F401 - declares its tables
from chargebus_smart_charging.planning.store import tables as _planning  # noqa: F401
from chargebus_smart_charging.series.store import tables as _series  # noqa: F401
from chargebus_smart_charging.sites.store import tables as _sites  # noqa: F401
from chargebus_smart_charging.steering.store import tables as _steering  # noqa: F401
from chargebus_smart_charging.tables import Tables
from chargebus_smart_charging.vehicles.store import tables as _vehicles  # noqa: F401

run_env(Tables.metadata)
