from chargebus_access.tables import Tables
from chargebus_runtime.migrations import run_env

run_env(Tables.metadata)
