import chargebus_device.configurations.store.tables
import chargebus_device.variables.store.tables  # noqa: F401 - declares its tables
from chargebus_device.tables import Tables
from chargebus_runtime.migrations import run_env

run_env(Tables.metadata)
