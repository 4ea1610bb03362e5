from chargebus_commanding.schema import Tables
from chargebus_runtime.migrations import run_env

run_env(Tables.metadata)
