"""Owns wiring the access service: the only place where its settings are read."""

from chargebus_runtime.process import Process, Service

from chargebus_access.api import router
from chargebus_access.keeper import Keeper
from chargebus_access.settings import AccessSettings


def build(process: Process) -> Service:
    """Return the service for `process` to run."""
    settings = process.load(AccessSettings)
    database = process.database("access", "chargebus_access")
    keeper = Keeper(database, process.key_ring.key_ids, settings, process.clock)
    return Service(
        "access",
        database=database,
        router=router(database, process.clock),
        tasks=(keeper.run,),
        start=keeper.start,
    )
