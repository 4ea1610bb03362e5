from chargebus_runtime.migrations import run_env
from chargebus_session.tables import Tables

run_env(Tables.metadata)
