from chargebus_command.store.tables import Tables
from chargebus_runtime.migrations import run_env

run_env(Tables.metadata)
