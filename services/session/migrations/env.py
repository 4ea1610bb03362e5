from chargebus_runtime.migrations import run_env
from chargebus_session.store.tables import Tables

run_env(Tables.metadata)
